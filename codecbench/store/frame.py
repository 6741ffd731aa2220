"""Records as a table, read a batch at a time so that no more than a batch of them is held whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench.store.records import FIELDS, MEASURED, NESTED, RECODED, Record

if TYPE_CHECKING:
    import pandas as pd

BATCH = 2_000
_NUMBERS = frozenset({"seconds", "nominal_kbps", *MEASURED, RECODED, "settled_lag_ms"})
_UNSHARED = frozenset({"key", "codes"})
"""Columns that hold no value twice."""

_Cell = tuple[str, str, str]


def frame(records: Iterable[Record], manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return records as the table that `codecbench.store.store.Run` describes.

    Where a cell was computed again, its last record counts.
    """
    import pandas as pd

    sources = _sources(list(manifest["metrics"]))
    numbers = {name: [np.empty(0)] for name, (part, _) in sources.items() if _is_number(part, name)}
    others: dict[str, list[Any]] = {name: [] for name in sources if name not in numbers}
    last: dict[_Cell, int] = {}
    same: dict[Any, Any] = {}
    remaining, places = iter(records), itertools.count()
    while batch := list(itertools.islice(remaining, BATCH)):
        last |= {_cell(record): next(places) for record in batch}
        for name, values in _columns(batch, sources):
            if name in numbers:
                numbers[name].append(np.array(values, dtype=np.float64))
            elif name in _UNSHARED:
                others[name] += values
            else:  # each text once, however often the records repeat it
                others[name] += [same.setdefault(value, value) for value in values]
    rows = np.array([last[cell] for cell in _ordered(last, manifest)], dtype=np.intp)
    table: dict[str, Any] = {}
    for name in sources:
        if name in numbers:
            table[name] = np.concatenate(numbers.pop(name))[rows]
        else:
            values = others.pop(name)
            table[name] = [values[row] for row in rows]
    return pd.DataFrame(table)


def _sources(metrics: list[str]) -> dict[str, tuple[str, str]]:
    """Return for each column the part of a record that it is in ("" for the record) and its name there."""
    fields = {name: ("", name) for name in FIELDS}
    prefixes = NESTED.items()
    return fields | {f"{prefix}{metric}": (part, metric) for metric in metrics for prefix, part in prefixes}


def _is_number(part: str, name: str) -> bool:
    return part in {"scores", "raw_scores", "weights"} or (not part and name in _NUMBERS)


def _columns(batch: list[Record], sources: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each column's name and values; what a record does not have is None, a weight 1."""
    parts = {"": batch} | {part: [record.get(part, {}) for record in batch] for part in NESTED.values()}
    bare = {part for part, values in parts.items() if not any(values)}
    for name, (part, field) in sources.items():
        default = 1.0 if part == "weights" else None
        if part in bare:
            yield name, [default] * len(batch)
        else:
            yield name, [values.get(field, default) for values in parts[part]]


def _cell(record: Record) -> _Cell:
    return record["utterance"], record["codec"], record["point"]


def _ordered(cells: Iterable[_Cell], manifest: Mapping[str, Any]) -> list[_Cell]:
    """Return cells in the manifest's order of codecs, points and utterances, what it lacks at the end."""
    codecs = {name: index for index, name in enumerate(manifest["codecs"])}
    points = {
        (name, point["name"]): index
        for name, entry in manifest["codecs"].items()
        for index, point in enumerate(entry["points"])
    }
    utterances = {item["id"]: index for index, item in enumerate(manifest["utterances"])}

    def order(cell: _Cell) -> tuple[int, int, int, str]:
        utterance, codec, point = cell
        return (
            codecs.get(codec, len(codecs)),
            points.get((codec, point), len(points)),
            utterances.get(utterance, len(utterances)),
            utterance,
        )

    return sorted(cells, key=order)
