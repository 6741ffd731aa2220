"""A paper's table as Markdown, CSV and LaTeX; every name is escaped for the language it goes into."""

from __future__ import annotations

import math
import re

import pandas as pd

from codecbench.report.latex_text import SIGN, SIGN_MEANS
from codecbench.report.latex_text import escape as escape_latex
from codecbench.report.table import BEST, MISSING, SECOND, Column, Entry, PaperTable, Row
from codecbench.text import csv_safe

NOTE = (
    "Mean over utterances; \N{PLUS-MINUS SIGN} is half the width of the 95 % bootstrap interval clustered by "
    "speaker. Best of a band bold, second underlined. kbit/s is the measured payload without container."
)


def markdown(table: PaperTable) -> str:
    """Return the table as GitHub Markdown, one table a band."""
    parts = []
    for section in table.sections:
        heads = [escape_markdown(_head(column)) for column in table.columns]
        rule = [":--" if column.key == "codec" else "--:" for column in table.columns]
        body = [[_markdown_cell(row, column) for column in table.columns] for row in section.rows]
        lines = [f"| {' | '.join(cells)} |" for cells in (heads, rule, *body)]
        parts.append(f"### {section.label[0].upper()}{section.label[1:]}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts) + f"\n{NOTE}{_incomplete(table)}\n"


def latex(table: PaperTable) -> str:
    r"""Return a LaTeX table that needs the packages booktabs and graphicx; notes stand in its caption."""
    width = len(table.columns)
    heads = " & ".join(rf"\textbf{{{escape_latex(_head(column))}}}" for column in table.columns)
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage{graphicx}",
        r"\begin{table*}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3.5pt}",
        r"\resizebox{\textwidth}{!}{%", rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule",
        rf"{heads} \\",
    ]  # fmt: skip
    for section in table.sections:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\itshape {escape_latex(section.label)}}} \\"]
        lines += [
            " & ".join(_latex_cell(row, column) for column in table.columns) + r" \\" for row in section.rows
        ]
    note = escape_latex(NOTE + _incomplete(table))
    if any(SIGN in text for text in (*lines, note)):
        note += f" {SIGN_MEANS}"
    lines += [
        r"\bottomrule", r"\end{tabular}}", rf"\caption{{{note}}}", r"\label{tab:codecs}", r"\end{table*}", "",
    ]  # fmt: skip
    return "\n".join(lines)


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


def escape_markdown(text: str) -> str:
    """Return text that Markdown and the HTML inside it take literally, on one line."""
    flat = re.sub(r"\s+", " ", text)
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)


def _head(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit and column.unit != "MOS-LQO" else ""
    return f"{column.head}{unit}{' ' + column.arrow if column.arrow else ''}"


def _half_width(entry: Entry, column: Column) -> str:
    if column.higher_is_better is None or not math.isfinite(entry.half_width) or entry.half_width == 0:
        return ""
    return f"{entry.half_width:.{column.digits}f}"


def _markdown_cell(row: Row, column: Column) -> str:
    entry = row.entries[column.key]
    text = escape_markdown(entry.text)
    text = {BEST: f"**{text}**", SECOND: f"<u>{text}</u>"}.get(entry.rank, text)
    half = _half_width(entry, column)
    return f"{text} ± {half}" if half else text


def _latex_cell(row: Row, column: Column) -> str:
    entry = row.entries[column.key]
    text = escape_latex(entry.text)
    if entry.text.startswith("-") and column.key != "codec":
        text = f"${text}$"
    text = {BEST: rf"\textbf{{{text}}}", SECOND: rf"\underline{{{text}}}"}.get(entry.rank, text)
    half = _half_width(entry, column)
    return rf"{text}{{\scriptsize\,$\pm$\,{half.removeprefix('0') or '0'}}}" if half else text


def _incomplete(table: PaperTable) -> str:
    """Return a sentence on every score that rests on fewer utterances than were decoded."""
    notes = []
    heads = {column.key: column.head for column in table.columns}
    for section in table.sections:
        for row in section.rows:
            decoded = int(float(row.entries["n"].value))
            short = [
                f"{heads[metric]} {row.entries[metric].n}" for metric in table.metrics
                if row.entries[metric].n != decoded and row.entries[metric].text != MISSING
            ]  # fmt: skip
            if short:
                notes.append(f"{row.label}: {', '.join(short)} of {decoded}")
    return f" Scored on fewer utterances than decoded: {'; '.join(notes)}." if notes else ""
