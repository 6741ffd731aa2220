"""Selection for a printed table: its columns, and the order of rows within a band."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from codecbench.errors import InvalidInput
from codecbench.registry import unknown
from codecbench.report.table import Column, PaperTable, Row, Section

RATE = "payload_kbps"
SHORT_NAMES = {"kbps": RATE}
HEADLINE = ("stoi", "pesq-wb", "mcd", "visqol")
"""Scores that a narrow table shows where the run has them; others fill up what is missing."""


def with_columns(table: PaperTable, names: Sequence[str]) -> PaperTable:
    """Return a table of the columns named, in this order, the codec's name first.

    Raises
    ------
    InvalidInput
        If the table has no column of a name.
    """
    known = {column.key: column for column in table.columns}
    chosen = {key: known[key] for key in ("codec", *column_keys(names, known))}
    metrics = tuple(name for name in table.metrics if name in chosen)
    return replace(table, columns=tuple(chosen.values()), metrics=metrics)


def column_keys(names: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the keys of columns, which may be given by a short name; raises `InvalidInput` for others."""
    keys = [SHORT_NAMES.get(name, name) for name in names]
    for name, key in zip(names, keys, strict=True):
        if key not in known:
            raise InvalidInput(f"{unknown('column', name, known)}; name columns of the table")
    return keys


def narrow_metrics(metrics: Sequence[str], count: int = 4) -> list[str]:
    """Return the metrics that a narrow table or a figure shows where none are named."""
    first = [name for name in HEADLINE if name in metrics]
    return [*first, *(name for name in metrics if name not in first)][:count]


def narrow(table: PaperTable, scores: int = 4) -> PaperTable:
    """Return the columns that fit one column of a paper: codec, rate and so many scores."""
    rate = [RATE] if any(column.key == RATE for column in table.columns) else []
    return with_columns(table, [*rate, *narrow_metrics(table.metrics, scores)])


def scores_of(table: PaperTable) -> PaperTable:
    """Return a table without what is asked of tokenizers alone, see `tokens_of`; scores follow the rates."""
    columns = [column for column in table.columns if not column.of_tokens]
    first = {"codec", RATE, "declared_kbps", *table.metrics}
    return replace(table, columns=tuple(sorted(columns, key=lambda column: column.key not in first)))


def tokens_of(table: PaperTable) -> PaperTable | None:
    """Return the facts of the codecs that have tokens: rate, tokens, weights; None where none has any."""
    sections = [
        replace(section, rows=tuple(row for row in section.rows if _known(row, "tokens_s")))
        for section in table.sections
    ]
    shown = tuple(section for section in sections if section.rows)
    if not shown:
        return None
    columns = [column for column in table.columns if column.of_tokens or column.key in {"codec", RATE}]
    return replace(table, columns=tuple(columns), sections=shown, metrics=())


def _known(row: Row, key: str) -> bool:
    return math.isfinite(float(row.entries[key].value))


def sorted_by(table: PaperTable, order: str) -> PaperTable:
    """Return the rows of each band in the order of a column: scores best first, all else upwards.

    Parameters
    ----------
    table : PaperTable
        The table.
    order : str
        A column's key; with ``-`` before it the other way round.  Rows without a value come last.

    Raises
    ------
    InvalidInput
        If the table has no such column.
    """
    known = {column.key: column for column in table.columns}
    (key,) = column_keys([order.removeprefix("-")], known)
    column = known[key]
    downwards = bool(column.higher_is_better) != order.startswith("-")
    sections = tuple(_sorted(section, column, downwards) for section in table.sections)
    return replace(table, sections=sections)


def _sorted(section: Section, column: Column, downwards: bool) -> Section:
    def is_missing(row: Row) -> bool:
        value = row.entries[column.key].value
        return isinstance(value, float) and math.isnan(value)

    there = [row for row in section.rows if not is_missing(row)]
    there.sort(key=lambda row: row.entries[column.key].value, reverse=downwards)
    return replace(section, rows=(*there, *filter(is_missing, section.rows)))
