"""Chart of how far metrics agree: one matrix, over codecs below the diagonal, over utterances above."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from codecbench.analysis.agreement import CODECS, FEWEST, UTTERANCES, agreement, in_clusters
from codecbench.report.style import INK, MUTED, PAGE_INCHES, canvas, styled
from codecbench.store.store import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAUTION = "Metrics that agree with each other need not agree with listeners: no listening test is in this."
_DARK = 0.6
"""From this correlation on, either way, numbers are white on the colour."""


def metric_agreement(
    run: Run, summary: pd.DataFrame, width: float = PAGE_INCHES
) -> tuple[Figure, pd.DataFrame] | None:
    """Draw Spearman's rank correlation of every two metrics; None with fewer than three, or none defined."""
    table = agreement(run, summary)
    if len(run.metrics) < 3 or table["rho"].isna().all():
        return None
    order = in_clusters(run.metrics, table)
    with styled():
        figure = canvas(width, 0.87 * width + 0.3)
        axis = figure.add_subplot()
        matrix = _matrix(table, order)
        image = axis.imshow(matrix, cmap="RdBu", vmin=-1.0, vmax=1.0)
        _numbers(axis, matrix, size=min(7.0, 0.62 * 72 * 0.72 * width / len(order) / 2.2))
        labels = [run.manifest["metrics"][name]["label"] for name in order]
        axis.set_xticks(range(len(order)), labels, rotation=90, fontsize=7)
        axis.set_yticks(range(len(order)), labels, fontsize=7)
        axis.grid(visible=False)
        figure.suptitle(fill(_reading(table), round(17 * width)), fontsize=8)
        bar = figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
        bar.set_label("Spearman's rank correlation", fontsize=7)
        bar.ax.tick_params(labelsize=7)
        figure.supxlabel(fill(CAUTION, round(20 * width)), fontsize=7, color=MUTED)
    return figure, table


def _matrix(table: pd.DataFrame, order: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return correlations [N, N]: over codecs below the diagonal, over utterances above, which is NaN."""
    place = {name: index for index, name in enumerate(order)}
    matrix = np.full((len(order), len(order)), np.nan)
    for _, row in table.iterrows():
        low, high = sorted((place[row["one"]], place[row["other"]]))
        matrix[(high, low) if row["over"] == CODECS else (low, high)] = row["rho"]
    return matrix


def _numbers(axis: Axes, matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], size: float) -> None:
    """Write each correlation into its cell, without the zero before the point."""
    for (row, column), rho in np.ndenumerate(matrix):
        if np.isfinite(rho):
            text = f"{round(rho, 2) + 0.0:.2f}".replace("0.", ".").replace("1.00", "1")
            colour = "white" if abs(rho) > _DARK else INK
            axis.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _reading(table: pd.DataFrame) -> str:
    counts = {over: int(part["n"].max()) for over, part in table.groupby("over")}
    below = f"over the means of {counts[CODECS]} codecs and rates"
    if counts[CODECS] < FEWEST:
        below = f"nothing, as {counts[CODECS]} codecs and rates are too few for ranks"
    return (
        f"Below the diagonal: {below}. Above: over utterances, "
        f"the mean within each of {counts[UTTERANCES]}. Each metric is turned so that higher is better."
    )
