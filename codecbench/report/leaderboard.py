"""Leaderboards as one offline page, Markdown or CSV; each row with its signatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from codecbench.analysis.leaderboard import Across, Board, Entrant, Scored
from codecbench.report.page import render
from codecbench.report.table import MISSING, arrow, fixed
from codecbench.report.table_formats import between, escape_markdown, heading, table_lines
from codecbench.text import csv_safe

TEMPLATE = "leaderboard.html"


def html(found: Sequence[Board], tables: Sequence[Across]) -> str:
    """Return the page: a sortable table a set, then the recipes that several sets share."""
    context: dict[str, Any] = {
        "boards": found,
        "across": tables,
        "digits": digits,
        "value": value,
        "fixed": fixed,
        "arrow": arrow,
        "between": between,
    }
    return render(context, TEMPLATE, ("leaderboard.js",))


def markdown(found: Sequence[Board], tables: Sequence[Across]) -> str:
    """Return a table a set, the codecs' signatures and the metrics' below."""
    parts = []
    for board in found:
        heads = ["Codec", "kbit/s", *(_head(column) for column in board.columns), "n"]
        rows = [
            [
                row.label,
                fixed(row.kbps, 2),
                *(fixed(value(row, column), digits(column)) for column in board.columns),
                MISSING if row.n is None else str(row.n),
            ]
            for row in board.entrants
        ]
        parts.append(f"## {escape_markdown(board.dataset)} ({board.revision[:12]})\n\n{_table(heads, rows)}")
        parts.append(
            "Signatures:\n\n"
            + "".join(f"- {escape_markdown(column.head)}: `{column.signature}`\n" for column in board.columns)
            + "".join(
                f"- {escape_markdown(label)}: `{signature}`\n"
                for label, signature in dict.fromkeys((row.codec, row.signature) for row in board.entrants)
            )
        )
    for table in tables:
        rows = [
            [row.label, *(fixed(mean, digits(table.column)) for mean in means)] for row, means in table.rows
        ]
        head = f"## {escape_markdown(_head(table.column))} over sets\n\n"
        parts.append(head + _table(["Codec", *table.sets], rows))
    return "\n".join(parts)


def csv(found: Sequence[Board]) -> str:
    """Return one row a set, codec, point and metric, with limits, count and both signatures."""
    rows = [
        {
            "dataset": board.dataset, "revision": board.revision, "codec": row.codec, "point": row.point,
            "kbps": row.kbps, "metric": column.metric, "mean": score.mean, "low": score.low,
            "high": score.high, "n": score.n, "codec_signature": row.signature,
            "metric_signature": column.signature,
        }
        for board in found for row in board.entrants for column in board.columns
        if (score := row.scores.get((column.metric, column.signature))) is not None
    ]  # fmt: skip
    return str(csv_safe(pd.DataFrame(rows)).to_csv(index=False, lineterminator="\n"))


def value(row: Entrant, column: Scored) -> float:
    """Return a row's mean in a column; NaN where it has none."""
    score = row.scores.get((column.metric, column.signature))
    return math.nan if score is None else score.mean


def digits(column: Scored) -> int:
    """Return how many decimals a score is printed with: as in tables, three for those without a unit."""
    return 2 if column.unit else 3


def _head(column: Scored) -> str:
    return heading(column.head, column.unit, arrow(column.higher_is_better))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escaped = [[escape_markdown(cell) for cell in cells] for cells in (heads, *rows)]
    return table_lines(escaped[0], [":--", *["--:"] * (len(heads) - 1)], escaped[1:])
