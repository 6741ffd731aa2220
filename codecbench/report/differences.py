"""Strip plots of paired differences: every utterance, the mean and its interval, one panel a metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from codecbench.report.style import COLOURS, INK, MUTED, PAGE_INCHES, canvas, styled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
MOST_LETTERS = 28


def draw_differences(table: pd.DataFrame, points: pd.DataFrame) -> Figure:
    """Draw paired differences.

    Parameters
    ----------
    table : DataFrame
        The means with their intervals, see `codecbench.analysis.paired_table.paired_table`.
    points : DataFrame
        The differences of the utterances, see `utterance_differences` there.
    """
    metrics = list(table["metric"].unique())
    rows = math.ceil(len(metrics) / COLUMNS)
    lines = len(table) // len(metrics)
    width = PAGE_INCHES if len(metrics) > 1 else PAGE_INCHES / 2
    with styled():
        figure = canvas(width, rows * (0.75 + 0.28 * lines))
        grid = figure.subplots(rows, min(COLUMNS, len(metrics)), squeeze=False)
        axes = list(grid.flat)
        for metric, axis in zip(metrics, axes, strict=False):
            _panel(axis, table[table["metric"] == metric], points[points["metric"] == metric])
        for axis in axes[len(metrics) :]:
            axis.set_visible(False)
    return figure


def _panel(axis: Axes, means: pd.DataFrame, points: pd.DataFrame) -> None:
    unit = str(means["unit"].iloc[0])
    axis.set_title(str(means["metric"].iloc[0]))
    axis.set_xlabel(f"difference ({unit})" if unit else "difference")
    axis.axvline(0, color=MUTED, linewidth=0.8)
    names = []
    for place, row in enumerate(means.to_dict("records")):
        own = points[(points["a"] == row["a"]) & (points["b"] == row["b"])]["difference"].to_numpy()
        spread = np.random.default_rng(0).uniform(-0.25, 0.25, own.size)
        colour = COLOURS[place % len(COLOURS)]
        axis.plot(own, place + spread, linestyle="", marker=".", markersize=3, alpha=0.5, color=colour)
        if math.isfinite(row["low"]):
            axis.plot([row["low"], row["high"]], [place, place], color=INK, linewidth=2)
        axis.plot([row["difference"]], [place], marker="D", color=INK, markersize=4)
        names.append(_short(f"{row['b']} \N{MINUS SIGN} {row['a']}"))
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")


def _short(name: str) -> str:
    half = MOST_LETTERS // 2
    return name if len(name) <= MOST_LETTERS else f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
