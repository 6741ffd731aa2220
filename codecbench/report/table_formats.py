"""A paper's table as Markdown and CSV, and the sentences that stand beside it in every format."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from codecbench.analysis.best import BEST, SECOND
from codecbench.report.table import SHORT, Column, Entry, PaperTable, Row, fixed
from codecbench.text import csv_safe

RANKS = (
    "Bold: the best of its band of rates, and all that do not differ significantly from it (sign-flip test "
    "by speaker, 5 %); underlined: the next best."
)
INTERVAL = "with the 95 % bootstrap interval"
DECLARED = "A declared rate is what the user says of files decoded elsewhere; nobody measured it."
MOST_NAMED = 6
"""Rows with fewer utterances that the caption names one by one."""


def markdown(table: PaperTable, *, interval: bool = True) -> str:
    """Return the table as GitHub Markdown, one table a band; scores with their limits by default."""
    parts = []
    for section in table.sections:
        heads = [escape_markdown(head(column)) for column in table.columns]
        rule = [":--" if column.key == "codec" else "--:" for column in table.columns]
        body = [
            [_cell(row, column, interval, marked(row, table)) for column in table.columns]
            for row in section.rows
        ]
        lines = table_lines(heads, rule, body)
        parts.append(f"### {section.label[0].upper()}{section.label[1:]}\n\n{lines}")
    return "\n".join(parts) + f"\n{escape_markdown(caption(table, interval=interval))}\n"


def caption(table: PaperTable, *, interval: bool) -> str:
    """Return what a reader must know of the table, as plain text: set, numbers, rate, ranks, gaps."""
    speakers = f" by {table.speakers} speaker{'s' if table.speakers != 1 else ''}" if table.speakers else ""
    rows = [row for section in table.sections for row in section.rows]
    failed = sum(int(float(row.entries["failures"].value)) for row in rows)
    parts = [
        f"Speech codecs on {table.dataset}: mean over {table.utterances} utterances{speakers}"
        + (f", {INTERVAL}{clustered(table)}." if interval and has_limits(table) else "."),
        "kbit/s is the measured payload without container.",
        DECLARED if any(math.isfinite(float(row.entries["declared_kbps"].value)) for row in rows) else "",
        ranks_told(table),
        _untold(table, rows),
        f"{failed} cells failed." if failed else "",
        _incomplete(table, rows),
    ]
    return " ".join(filter(None, parts))


def ranks_told(table: PaperTable) -> str:
    """Return what bold and underlined mean, empty where nothing is."""
    entries = [row.entries[name] for part in table.sections for row in part.rows for name in table.metrics]
    return RANKS if any(entry.rank for entry in entries) else ""


def clustered(table: PaperTable) -> str:
    """Return by what an interval is clustered: nothing where each speaker has one utterance."""
    return " clustered by speaker" if table.utterances > table.speakers else ""


def has_limits(table: PaperTable) -> bool:
    """Say whether any score has an interval: under six speakers none has."""
    entries = [row.entries[name] for part in table.sections for row in part.rows for name in table.metrics]
    return any(math.isfinite(entry.high - entry.low) for entry in entries)


def csv(table: PaperTable) -> str:
    """Return the table as CSV: one row a codec and point, unrounded, with each metric's limits and count."""
    rows = []
    for section in table.sections:
        for row in section.rows:
            cells: dict[str, object] = {"band": section.label}
            for column in table.columns:
                entry = row.entries[column.key]
                cells[column.key] = entry.value
                if column.higher_is_better is not None:
                    cells |= {f"{column.key}_low": entry.low, f"{column.key}_high": entry.high}
                    cells |= {f"{column.key}_n": entry.n}
            rows.append(cells)
    return str(csv_safe(pd.DataFrame(rows)).to_csv(index=False, lineterminator="\n"))


def markdown_rows(rows: pd.DataFrame) -> str:
    """Return a plain table as GitHub Markdown, numbers to four digits, a dash where one is missing."""
    numeric = [pd.api.types.is_numeric_dtype(rows[name]) for name in rows.columns]
    heads = [escape_markdown(str(name)) for name in rows.columns]
    body = [[_plain_cell(value) for value in row] for row in rows.itertuples(index=False)]
    return table_lines(heads, ["--:" if number else ":--" for number in numeric], body)


def table_lines(heads: Sequence[str], rule: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown of cells that are Markdown already; ``rule`` aligns the columns."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rule, *body))


def _plain_cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "-"
    return escape_markdown(str(value))


def escape_markdown(text: str) -> str:
    """Return text that Markdown and the HTML inside it take literally, on one line."""
    flat = re.sub(r"\s+", " ", text)
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)


def head(column: Column) -> str:
    """Return a column's heading with its unit and the arrow to the better side."""
    return heading(column.head, column.unit, column.arrow)


def heading(label: str, unit: str, arrow: str) -> str:
    """Return a heading of its parts; scores of opinion go without a unit."""
    shown = shown_unit(unit)
    return f"{label}{f' ({shown})' if shown else ''}{' ' + arrow if arrow else ''}"


def shown_unit(unit: str) -> str:
    """Return the unit to print; scores of opinion go without."""
    return "" if unit == "MOS-LQO" else unit


def marked(row: Row, table: PaperTable) -> frozenset[str]:
    """Return the columns of a row to print `SHORT` in: the codec's where it concerns all scores shown."""
    there = [metric for metric in table.metrics if row.entries[metric].n]
    short = [metric for metric in there if row.entries[metric].mark]
    return frozenset(["codec"] if short == there != [] else short)


def limits(entry: Entry, column: Column) -> str:
    """Return an entry's limits as `between` prints them; empty where it has none."""
    if (
        column.higher_is_better is None
        or not entry.telling
        or not math.isfinite(entry.high - entry.low)
        or entry.low == entry.high
    ):
        return ""
    return between(entry.low, entry.high, column.digits)


def between(low: float, high: float, digits: int) -> str:
    """Return two limits as ``0.93–0.95``, where one is negative as ``-1.20 to 3.40``."""
    dash = "\N{EN DASH}" if low >= 0 else " to "
    return f"{fixed(low, digits)}{dash}{fixed(high, digits)}"


def _cell(row: Row, column: Column, interval: bool, short: Collection[str]) -> str:
    entry = row.entries[column.key]
    text = escape_markdown(entry.text)
    text = {BEST: f"**{text}**", SECOND: f"<u>{text}</u>"}.get(entry.rank, text)
    text += SHORT if column.key in short else ""
    between = limits(entry, column) if interval else ""
    return f"{text} ({escape_markdown(between)})" if between else text


def _untold(table: PaperTable, rows: list[Row]) -> str:
    """Return a sentence on the scores that are not printed because they say nothing of their codec."""
    heads = {column.key: column.head for column in table.columns}
    names = [heads[name] for name in table.metrics if any(not row.entries[name].telling for row in rows)]
    return f"{' and '.join(names)}: not for vocoders, which do not keep the waveform." if names else ""


def _incomplete(table: PaperTable, rows: list[Row]) -> str:
    """Return a sentence on the scores that rest on fewer utterances than the set has."""
    heads = {column.key: column.head for column in table.columns}
    short: dict[str, str] = {}
    least = table.utterances
    for row in rows:
        counts = {metric: row.entries[metric].n or 0 for metric in table.metrics if row.entries[metric].mark}
        if not counts:
            continue
        least = min(least, *counts.values())
        if "codec" in marked(row, table) and len(set(counts.values())) == 1:
            short[row.label] = str(min(counts.values()))
        else:
            short[row.label] = ", ".join(f"{heads[metric]} {n}" for metric, n in counts.items())
    if not short:
        return ""
    if len(short) <= MOST_NAMED:
        told = "; ".join(f"{label}: {named}" for label, named in short.items())
        return f"{SHORT} over fewer utterances: {told}."
    return f"{SHORT} over fewer utterances ({least} at least)."
