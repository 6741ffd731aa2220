"""Listening tests as the report shows them: tables in words and numbers, for the page and for Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from codecbench.listen.answers import Answered
from codecbench.report import shown
from codecbench.report.shown import Shown
from codecbench.report.table import fixed
from codecbench.report.table_formats import escape_markdown

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]


@dataclass(frozen=True)
class Heard:
    """One listening test: its name and kind, tables, and paragraphs of what is to be said of it."""

    name: str
    kind: str
    tables: tuple[Shown, ...]
    told: tuple[str, ...]


def heard(tests: Sequence[Answered]) -> list[Heard]:
    """Return the listening tests ready to be shown."""
    return [Heard(test.name, test.kind, tuple(_tables(test)), tuple(_told(test))) for test in tests]


def markdown(tests: Sequence[Answered]) -> list[str]:
    """Return the listening tests as parts of a Markdown text; none where there are no tests."""
    parts = ["## Listening tests"] if tests else []
    for test in heard(tests):
        parts.append(f"### {escape_markdown(test.name)} ({test.kind})")
        for table in test.tables:
            parts += [f"{table.heading}:", shown.markdown(table)]
        parts += [escape_markdown(text) for text in test.told]
    return parts


def _number(name: str, digits: int) -> Callable[[Row], str]:
    return lambda row: fixed(_float(row[name]), digits)


def _span(low: str, high: str, digits: int) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        return f"{fixed(_float(row[low]), digits)} to {fixed(_float(row[high]), digits)}"

    return text


def _p(row: Row) -> str:
    p = _float(row["p_holm"])
    return "< 0.0001" if p < 1e-4 else fixed(p, 4)


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


_NAME: Column = ("Condition", lambda row: str(row["condition"]))
_RATE: Column = ("kbit/s", _number("kbps", 2))
_COUNTS: tuple[Column, ...] = (("Answers", _number("n", 0)), ("Listeners", _number("listeners", 0)))
_RATINGS: tuple[Column, ...] = (
    _NAME, _RATE, ("Median", _number("median", 1)), ("Quartiles", _span("q1", "q3", 1)),
    ("Mean", _number("mean", 1)), ("95 % interval of the mean", _span("low", "high", 1)), *_COUNTS,
)  # fmt: skip
_CHOICES: tuple[Column, ...] = (
    _NAME, _RATE, ("Right", _number("mean", 2)), ("95 % interval", _span("low", "high", 2)), *_COUNTS,
    ("p (Holm)", _p),
)  # fmt: skip
_PAIRS: tuple[Column, ...] = (
    ("A", lambda row: str(row["a"])), ("B", lambda row: str(row["b"])), ("A - B", _number("difference", 1)),
    ("95 % interval", _span("low", "high", 1)), ("p (Holm)", _p),
)  # fmt: skip


def _tables(test: Answered) -> Iterator[Shown]:
    if test.kind == "ABX":
        yield _shown("Share of right answers; 0.5 is guessing", test.result.table, _CHOICES, 1)
        return
    yield _shown("Scores from 0 (bad) to 100 (excellent)", test.result.table, _RATINGS, 1)
    if len(test.result.pairs):
        yield _shown("Differences of pairs", test.result.pairs, _PAIRS, 2)


def _shown(heading: str, table: pd.DataFrame, columns: Sequence[Column], names: int) -> Shown:
    records: list[Any] = table.to_dict("records")
    rows = tuple(tuple(text(row) for _, text in columns) for row in records)
    return Shown(heading, tuple(head for head, _ in columns), rows, names)


def _told(test: Answered) -> Iterator[str]:
    yield f"Test {test.key['test']}, {len(test.key['trials'])} trials. {test.result.method}"
    if test.result.excluded:
        yield f"Left out in post-screening (BS.1534-3): {'; '.join(map(str, test.result.excluded))}."
    else:
        yield "No listener was left out in post-screening (BS.1534-3)."
    yield from (f"{text[0].upper()}{text[1:]}." for text in (*test.key["notes"], *test.notes))
