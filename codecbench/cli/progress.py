"""What a person sees while cells are computed, on stderr: a bar on a terminal, in a log some lines."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from codecbench.store.records import Record

LOG_EVERY_S = 30.0


def note(text: str) -> None:
    """Say one line on stderr."""
    click.echo("codecbench: " + " ".join(text.split()), err=True)


class Progress:
    """Counts finished cells and shows rate and time left."""

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        self._total, self._done, self._failed = total, 0, 0
        self._begin = self._said = time.monotonic()
        self._bar: Bar | None = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=console, speed_estimate_period=120, refresh_per_second=2)
            self._task = self._bar.add_task("cells", total=total)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
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


class _Rate(ProgressColumn):
    """Cells a second, or seconds a cell where it is slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} cells/s" if speed >= 1 else f"{1 / speed:.1f} s/cell")
