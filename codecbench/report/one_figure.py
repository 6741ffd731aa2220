"""One figure of a run by itself, at the width of a paper's column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from codecbench.analysis import results
from codecbench.analysis.published import repository_folder
from codecbench.analysis.runs import is_ground_truth, ordered
from codecbench.analysis.summary import summary
from codecbench.errors import InvalidInput
from codecbench.report import agreement_figure, figures, pictures
from codecbench.report.selection import narrow_metrics
from codecbench.report.style import COLUMN_INCHES, marks
from codecbench.store.store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = (
    "rate-quality", "speed-quality", "distribution", "codebook-use", "agreement", "spectrograms", "tokens",
)  # fmt: skip


def published_points(run: Run, folder: Path | None = None, *, other_sets: bool = False) -> pd.DataFrame:
    """Return published figures of the run's metrics, on the same speech set unless told otherwise."""
    table = results.table(results.read_published(folder or repository_folder()))
    table = table[table["metric"].isin(run.metrics)]
    return table if other_sets else table[table["dataset"] == run.manifest["dataset"]["name"]]


def draw(
    run: Run,
    kind: str = KINDS[0],
    *,
    metrics: Sequence[str] = (),
    width: float = COLUMN_INCHES,
    title: str = "",
    literature: pd.DataFrame | None = None,
    beside: Sequence[str] = (),
) -> Figure:
    """Draw one figure.

    Parameters
    ----------
    run : Run
        As `codecbench.analysis.runs.load_runs` gives it, or a part of it.
    kind : str
        One of `KINDS`.
    metrics : sequence of str
        What to draw, a plot each; by default the first of `narrow_metrics`.
    width : float
        In inches; plots stand below one another in one column.
    title : str
        Above the plots; none by default, as papers have it in the caption.
    literature : DataFrame, optional
        Of `published_points`, drawn hollow.
    beside : sequence of str
        Further codecs of the runs, which are not drawn but keep their marks.

    Raises
    ------
    InvalidInput
        If the run has nothing of the kind, e.g. no tokens.
    """
    known = results.table([]) if literature is None else literature
    codecs = ordered(run, run.manifest["codecs"])
    truth = {codec for codec in codecs if is_ground_truth(run, codec)}
    drawn = marks([*(beside or codecs), *known["codec"].unique()], truth, run.ours)
    shown = list(metrics) or narrow_metrics(run.metrics)[:1]
    makers: dict[str, Callable[[], tuple[Figure, pd.DataFrame] | None]] = {
        "rate-quality": lambda: figures.rate_quality(run, summary(run), known, drawn, shown, width=width),
        "speed-quality": lambda: figures.speed_quality(run, summary(run), drawn, shown, width),
        "distribution": lambda: figures.distribution(run, drawn, shown, width),
        "codebook-use": lambda: figures.codebook_use(run, drawn, width),
        "agreement": lambda: agreement_figure.metric_agreement(run, summary(run), width),
        "spectrograms": lambda: pictures.spectrograms(run, width),
        "tokens": lambda: pictures.tokens(run, width),
    }
    made = makers[kind]()
    if made is None:
        raise InvalidInput(f"{run.out}: nothing to draw as {kind}; it needs {_NEEDS.get(kind, 'speed')}")
    figure = made[0]
    if title:
        figure.suptitle(title)
    return figure


_NEEDS = {
    "agreement": "three metrics, and four codecs or rates or as many utterances",
    "codebook-use": "a codec with tokens",
    "tokens": "a codec with tokens",
    "spectrograms": "kept audio (run --audio)",
}
