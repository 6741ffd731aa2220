r"""A paper's table as LaTeX: one column of a two-column page (252 pt in IEEE journals), type of 8 pt.

The caption stands above and holds what is the same in every row.  Beside the `booktabs` package nothing is
needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import replace

from codecbench.analysis.best import BEST, SECOND
from codecbench.report.latex_text import SIGN, SIGN_MEANS
from codecbench.report.latex_text import escape as escape_latex
from codecbench.report.table import SHORT, Column, Entry, PaperTable, Row
from codecbench.report.table_formats import caption, head, limits, marked, shown_unit

CONSTANT = ("n", "failures")
"""Columns that the caption tells where all rows agree."""


def latex(table: PaperTable, *, interval: bool = False) -> str:
    """Return a LaTeX ``table`` that needs the package booktabs.

    Parameters
    ----------
    table : PaperTable
        With the columns to print.
    interval : bool
        Whether each score's limits stand below it.
    """
    columns = [column for column in table.columns if column.key not in CONSTANT or _varies(table, column)]
    note = escape_latex(caption(table, interval=interval))
    heads = " & ".join(_head(column) for column in columns)
    body = []
    for section in table.sections:
        title = escape_latex(section.label)
        body += [r"\midrule", rf"\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\itshape {title}}} \\"]
        for row in section.rows:
            body += _lines(row, columns, interval, marked(row, table))
    if any(SIGN in text for text in (*body, heads, note)):
        note += f" {SIGN_MEANS}"
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}[t]", r"\centering", rf"\caption{{{note}}}",
        rf"\label{{tab:{_label(table.dataset)}}}",
        r"\footnotesize", rf"\setlength{{\tabcolsep}}{{{2 if interval else 3}pt}}",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(columns) - 1)}@{{}}}}", r"\toprule", rf"{heads} \\",
        *body, r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _label(dataset: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-") or "codecs"


def _head(column: Column) -> str:
    """Return a heading; a score's unit stands below, since a line has no room for both."""
    unit = shown_unit(column.unit)
    if not unit:
        return escape_latex(head(column))
    above = escape_latex(head(replace(column, unit="")))
    return rf"\shortstack[r]{{{above}\\({escape_latex(unit)})}}"


def _lines(row: Row, columns: list[Column], interval: bool, short: Collection[str]) -> list[str]:
    """Return a row, and below it the limits where they are asked for."""
    lines = [" & ".join(_cell(row, column, column.key in short) for column in columns) + r" \\"]
    below = [_limits(row.entries[column.key], column) if interval else "" for column in columns]
    if any(below):
        # The small line belongs to the one above it.
        lines[0] += "[-0.3ex]"
        lines.append(" & ".join(below) + r" \\")
    return lines


def _cell(row: Row, column: Column, short: bool) -> str:
    entry = row.entries[column.key]
    text = escape_latex(_short(entry.text, column))
    if entry.text.startswith("-") and column.key != "codec":
        text = f"${text}$"
    text = {BEST: rf"\textbf{{{text}}}", SECOND: rf"\underline{{{text}}}"}.get(entry.rank, text)
    if not short:
        return text
    # Beside the number, outside its column: decimals stay below one another.
    return text + (escape_latex(SHORT) if column.key == "codec" else rf"\rlap{{{escape_latex(SHORT)}}}")


def _limits(entry: Entry, column: Column) -> str:
    text = limits(entry, column)
    return rf"\scriptsize {escape_latex(_short(text, column))}" if text else ""


def _short(text: str, column: Column) -> str:
    """Return a score that lies within -1 and 1 without the zero before its point."""
    if column.higher_is_better is None or column.digits < 3:
        return text
    return re.sub(r"(?<![\d.])0(?=[.]\d)", "", text)


def _varies(table: PaperTable, column: Column) -> bool:
    values = {float(row.entries[column.key].value) for section in table.sections for row in section.rows}
    return len({value for value in values if not math.isnan(value)}) > 1
