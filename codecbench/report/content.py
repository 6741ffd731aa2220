"""What of its runs a report shows, as the reader asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from codecbench.analysis.parts import choose
from codecbench.report.style import FORMATS
from codecbench.store.store import Run


@dataclass(frozen=True)
class Content:
    """A reader's choice; everything by default.

    Parameters
    ----------
    codecs, points, metrics : sequence of str
        See `codecbench.analysis.parts.choose`.
    title : str
        Heading of the page and of ``report.md``.
    by : str
        A column of the set's manifest, for a table with a part for each of its values.
    other_sets : bool
        Whether published points of other speech sets are drawn too.
    formats : collection of str
        Formats of the figures' files, some of `style.FORMATS`.
    """

    codecs: Sequence[str] = ()
    points: Sequence[str] = ()
    metrics: Sequence[str] = ()
    title: str = ""
    by: str = ""
    other_sets: bool = False
    formats: Collection[str] = FORMATS

    def of(self, run: Run) -> Run:
        """Return the run as far as it is shown."""
        return choose(run, codecs=self.codecs, points=self.points, metrics=self.metrics)

    def heading(self, run: Run) -> str:
        """Return the title, by default one that names the speech."""
        return self.title or f"Speech codecs on {run.manifest['dataset']['name']}"


EVERYTHING = Content()
