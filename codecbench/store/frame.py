"""Records as a table: a row a cell, in the order of the manifest, see `codecbench.store.store.Run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from codecbench.store.records import FIELDS, MEASURED, RECODED, Record, flat, metric_columns

if TYPE_CHECKING:
    import pandas as pd


def frame(records: Iterable[Record], manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return records as the table that `codecbench.store.store.Run` describes; the last of a cell counts."""
    import pandas as pd

    last = {(record["utterance"], record["codec"], record["point"]): record for record in records}
    metrics = list(manifest["metrics"])
    rows = [flat(record, metrics) for record in sorted(last.values(), key=_order(manifest))]
    table = pd.DataFrame(rows, columns=[*FIELDS, *metric_columns(metrics)])
    scores = [column for metric in metrics for column in (metric, f"raw:{metric}", f"weight:{metric}")]
    numeric = ["seconds", "nominal_kbps", *MEASURED, RECODED, "settled_lag_ms", *scores]
    return table.astype(dict.fromkeys(numeric, "float64"))


def _order(manifest: Mapping[str, Any]) -> Callable[[Record], tuple[int, int, int, str]]:
    """Return the key that sorts records by the manifest's codecs, points and utterances, others last."""
    codecs = {name: index for index, name in enumerate(manifest["codecs"])}
    points = {
        (name, point["name"]): index
        for name, entry in manifest["codecs"].items()
        for index, point in enumerate(entry["points"])
    }
    utterances = {item["id"]: index for index, item in enumerate(manifest["utterances"])}

    def place(record: Record) -> tuple[int, int, int, str]:
        codec, utterance = record["codec"], record["utterance"]
        return (
            codecs.get(codec, len(codecs)),
            points.get((codec, record["point"]), len(points)),
            utterances.get(utterance, len(utterances)),
            utterance,
        )

    return place
