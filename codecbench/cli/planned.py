"""``--plan``: what a run would take, printed; nothing is written."""

from __future__ import annotations

from typing import Any

import click

from codecbench.cli.progress import note
from codecbench.cli.tables import print_json, print_table
from codecbench.run.estimate import Estimate

_STEPS = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))
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
    click.echo("hours of one core:")
    print_table(found.table(), as_json=False)
    click.echo(f"disk: {_size(found.audio_bytes)} audio, {_size(found.record_bytes)} records")
    for workers, seconds in found.wall_s.items():
        click.echo(f"{workers} worker{'s' if workers > 1 else ''}, a core each: {_time(seconds)}")


def without_scheduler(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that `codecbench.estimate` takes: it measures on this machine."""
    return {name: value for name, value in options.items() if name != "scheduler"}


def _time(seconds: float) -> str:
    unit, name = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{seconds / unit:.3g} {name}"


def _size(count: float) -> str:
    unit, name = next((size for size in _SIZES if count >= size[0]), (1, "bytes"))
    return f"{count / unit:.3g} {name}"
