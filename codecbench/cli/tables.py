"""The table of a run: ``table.csv``, and on stdout as text or JSON."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from codecbench.cli.progress import note
from codecbench.files import write_atomically
from codecbench.store.layout import TABLE, is_own_table
from codecbench.store.store import Run
from codecbench.text import csv_safe, one_line

if TYPE_CHECKING:
    import pandas as pd

MOST_LETTERS = 80
"""A cell's letters on a terminal."""


def write_table(run: Run, *, by_speaker: bool = False, keep: bool = True) -> pd.DataFrame:
    """Summarise a run and return the table; write it as ``table.csv`` into the run's folder where possible.

    A file of that name that is no table of a run stays, and a folder that cannot be written is said.  The
    table of means ``by_speaker``, or of a part of the run (not ``keep``), is returned only: the file stays
    the one that scripts rely on.
    """
    from codecbench.analysis.summary import summary

    table = summary(run, by_speaker=by_speaker)
    if by_speaker or not keep:
        return table
    path = run.out / TABLE
    if path.exists() and not is_own_table(path):
        note(f"{path} is no table of a run and was not replaced; move it away, or export --csv FILE")
        return table
    if not os.access(run.out, os.W_OK):
        note(f"{TABLE} was not written: {run.out} is read-only")
        return table
    write_atomically(path, csv_safe(table).to_csv(index=False, lineterminator="\n"))
    return table


def say_unscored(run: Run) -> None:
    """Say which metrics scored no decoded utterance at all, and why."""
    decoded = run.records[run.records["status"] == "ok"]
    for metric in run.unscored:
        reasons = Counter(decoded[f"reason:{metric}"].dropna())
        why, count = reasons.most_common(1)[0] if reasons else ("no reason is stored", len(decoded))
        note(f"{metric} scored none of {len(decoded)} decoded utterances; {count} times: {why}")


def print_table(table: pd.DataFrame, *, as_json: bool) -> None:
    """Print the table on stdout, for the eye or as JSON: a list of objects, null where a value is missing."""
    if as_json:
        print_json(rows_of(table))
        return
    shown = table[[name for name in table.columns if not name.endswith(("_low", "_high", "_n"))]]
    cells = [[str(name) for name in shown.columns]]
    cells += [[_text(value) for value in row] for row in shown.itertuples(index=False)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    numeric = [index > 0 and name != "point" for index, name in enumerate(cells[0])]
    for row in cells:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def print_json(value: object) -> None:
    """Print JSON on stdout."""
    click.echo(json.dumps(value, indent=1, allow_nan=False))


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as JSON has them: null where a value is missing."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    """Return a value of a table as JSON has it."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return one_line(str(value), MOST_LETTERS)
