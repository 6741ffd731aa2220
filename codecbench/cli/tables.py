"""The table of a run: ``table.csv``, and on stdout as text or JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from codecbench.files import write_atomically
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

TABLE = "table.csv"


def write_table(run: Run, *, by_speaker: bool = False) -> pd.DataFrame:
    """Summarise a run, write ``table.csv`` into its folder and return the table.

    The table of means ``by_speaker`` is returned only: the file stays the one that scripts rely on.
    """
    from codecbench.analysis.summary import summary

    if by_speaker:
        return summary(run, by_speaker=True)
    table = summary(run)
    write_atomically(run.out / TABLE, table.to_csv(index=False, lineterminator="\n"))
    return table


def print_table(table: pd.DataFrame, *, as_json: bool) -> None:
    """Print the table on stdout, for the eye or as JSON: a list of objects, null where a value is missing."""
    if as_json:
        rows = [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]
        click.echo(json.dumps(rows, indent=1, allow_nan=False))
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
    return str(value)
