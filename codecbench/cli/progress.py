"""Progress of long work, on stderr: bars of downloads, and of cells; lines where it is a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from codecbench.store.records import Record
from codecbench.text import one_line

LOG_EVERY_S = 30.0


_QUIET = "codecbench.quiet"


def hush(context: click.Context, _: click.Parameter, value: bool) -> None:
    """Take ``--quiet``: neither notes nor a bar, for this command alone."""
    context.find_root().meta[_QUIET] = value


def is_quiet() -> bool:
    """Say whether the command that runs was asked to be quiet."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().meta.get(_QUIET))


def note(text: str) -> None:
    """Say one line on stderr, unless the command is quiet."""
    if is_quiet():
        return
    click.echo("codecbench: " + one_line(text), err=True)


@contextmanager
def download_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give what a download tells of its pieces, shown as a bar a file; see `codecbench.transfer.Progress`."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    bar = Bar(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def advance(name: str, arrived: int, total: int) -> None:
        # Begun with the first piece: an error before it must stay one line.
        bar.start()
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=total)
        bar.update(tasks[name], completed=arrived)

    try:
        yield advance
    finally:
        if tasks:
            bar.stop()


class Progress:
    """Counts finished cells and shows rate and time left."""

    def __init__(self) -> None:
        self._quiet = is_quiet()
        self._total, self._done, self._failed = 0, 0, 0
        self._begin = self._said = time.monotonic()
        self._bar: Bar | None = None

    def begin(self, total: int) -> None:
        """Start counting to so many cells."""
        self._total, self._begin = total, time.monotonic()
        self._said = self._begin
        console = Console(stderr=True)
        if console.is_terminal and not self._quiet:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=console, speed_estimate_period=120, refresh_per_second=2)
            self._task = self._bar.add_task("cells", total=total)
            self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, record: Record) -> None:
        """Count one record."""
        self._done += 1
        self._total = max(self._total, self._done)  # some cells are scored twice
        self._failed += record["status"] == "failed"
        failed = f", {self._failed} failed" if self._failed else ""
        if self._bar:
            self._bar.update(
                self._task,
                advance=1,
                total=self._total,
                description=f"{record['codec']}@{record['point']}{failed}",
            )
            return
        now = time.monotonic()
        if now - self._said >= LOG_EVERY_S or self._done == self._total:
            self._said = now
            rate = self._done / max(now - self._begin, 1e-9)
            left = (self._total - self._done) / rate
            note(f"{self._done}/{self._total} cells{failed}, {rate:.2g} cells/s, {left:.0f} s left")
            sys.stderr.flush()

    def slow(self, arguments: tuple[Any, ...], seconds: float) -> None:
        """Name a cell that has not ended; called from other threads with what `compute` was given."""
        if self._quiet:
            return
        first, *others = arguments[0] if isinstance(arguments[0], tuple) else arguments
        cell = first.cell
        text = f"{cell.codec}@{cell.point.name} has worked on {cell.utterance.id} "
        text += f"and {len(others)} more for {seconds:.0f} s" if others else f"for {seconds:.0f} s"
        text += "; --timeout SECONDS ends such cells"
        if self._bar:
            # Above the bar; what is written past it would end in its line.
            self._bar.console.print(f"codecbench: {text}", markup=False, highlight=False, soft_wrap=True)
        else:
            note(text)


class _Rate(ProgressColumn):
    """Cells a second, or seconds a cell where it is slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} cells/s" if speed >= 1 else f"{1 / speed:.1f} s/cell")
