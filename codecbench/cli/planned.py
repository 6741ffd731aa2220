"""``--plan``: what a run would take, printed; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from codecbench.cli.progress import note
from codecbench.cli.tables import print_json, print_table
from codecbench.run.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

_STEPS = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))
_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def show(found: Estimate, *, as_json: bool) -> None:
    """Print an estimate, for the eye or as JSON."""
    for line in found.failed:
        note(line)
    if as_json:
        print_json(found.as_json())
        return
    stored = f", {found.stored} stored" if found.stored else ""
    click.echo(f"{found.cells} cells to compute{stored}; {_time(found.audio_seconds)} of speech to code")
    if not found.cells:
        return
    click.echo(
        f"reckoned from {found.measured} cells that took {_time(found.measured_s)} here; "
        f"{_unit(found)[1]} of one core:"
    )
    print_table(_readable(found), as_json=False)
    click.echo(f"disk: {_size(found.audio_bytes)} audio, {_size(found.record_bytes)} records")
    for workers, seconds in found.wall_s.items():
        click.echo(f"{workers} worker{'s' if workers > 1 else ''}, a core each: {_time(seconds)}")


def without_scheduler(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that `codecbench.estimate` takes: it measures on this machine."""
    return {name: value for name, value in options.items() if name != "scheduler"}


def _unit(found: Estimate) -> tuple[float, str]:
    """Return the seconds and the name of what the table counts in: the whole has 2 of them at least."""
    return next((unit for unit in _UNITS if found.work_s >= 2 * unit[0]), _UNITS[-1])


def _readable(found: Estimate) -> pd.DataFrame:
    """Return the table in a unit in which its numbers are short."""
    unit_s, name = _unit(found)
    table = found.table().rename(columns={"hours": name})
    for column in table.columns.difference(["codec", "cells"]):
        table[column] = [_short(hours * 3600 / unit_s) for hours in table[column]]
    return table


def _short(count: float) -> str:
    if 0 < count < 0.01:
        return "<0.01"
    return f"{count:.2f}" if count < 10 else f"{count:.1f}" if count < 100 else f"{count:.0f}"


def _time(seconds: float) -> str:
    unit, name = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{seconds / unit:.3g} {name}"


def _size(count: float) -> str:
    unit, name = next((size for size in _SIZES if count >= size[0]), (1, "bytes"))
    return f"{count / unit:.3g} {name}"
