"""Axes, ticks and legends that all charts share; sizes in inches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench.report.style import MUTED, PAGE_INCHES, Mark, canvas
from codecbench.report.table import arrow
from codecbench.report.table_formats import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATE_TICKS = (
    (0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256),
    (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256),
)
SPEED_TICKS = (
    (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
    (0.001, 0.1, 10),
)
"""Places of ticks, the close ones first: they are taken where their numbers have room."""

TICK_INCHES = 0.22
LEGEND_INCHES = 0.17
"""Height of one line of a legend; a figure grows by its legend, so that the plot keeps its size."""


def columns_of(count: int, width: float) -> int:
    """Return how many plots stand side by side: one in a column of a paper, else two or three."""
    if width < PAGE_INCHES * 0.75:
        return 1
    return min(count, 2 if count in {2, 4} else 3)


def grid(count: int, height: float, width: float) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many plots, each of that height in inches, side by side as the width allows."""
    columns = columns_of(count, width)
    lines = -(-count // columns)
    figure = canvas(width if count > 1 else min(width, PAGE_INCHES / 2), lines * height)
    return figure, [figure.add_subplot(lines, columns, place + 1) for place in range(count)]


def name_axis(axis: Axes, metric: Mapping[str, Any], vertical: bool = True) -> None:
    """Label an axis with the metric's name, unit and better side."""
    text = heading(metric["label"], metric["unit"], arrow(metric["higher_is_better"]))
    (axis.set_ylabel if vertical else axis.set_xlabel)(text)


def log_axis(axis: Axes, values: list[float], places: Sequence[Sequence[float]], label: str) -> None:
    """Scale the x axis to the values; ticks stand at the closest places whose numbers have room."""
    from matplotlib.ticker import NullLocator

    axis.set_xscale("log")
    axis.set_xlabel(label)
    known = np.array([value for value in values if np.isfinite(value) and value > 0])
    if known.size:
        low, high = known.min() / 1.15, known.max() * 1.15
        inches = axis.figure.get_figwidth() * axis.get_position().width  # type: ignore[union-attr]
        ticks = [float(known[0])]
        for among in places:
            ticks = [tick for tick in among if low <= tick <= high] or ticks
            if _closest(ticks, low, high) * inches >= TICK_INCHES:
                break
        axis.set_xlim(low, high)
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.xaxis.set_minor_locator(NullLocator())


def _closest(ticks: Sequence[float], low: float, high: float) -> float:
    """Return the least distance between two ticks of a log axis, as a share of its length."""
    steps = np.diff(np.log(ticks)) / np.log(high / low)
    return float(steps.min()) if steps.size else 1.0


def legend(
    figure: Figure,
    codecs: list[str],
    marks: Mapping[str, Mark],
    *,
    hollow: Sequence[str] = (),
    lines: bool = True,
) -> None:
    """Draw one legend for all axes; codecs known from the literature alone have hollow markers."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=marks[name].colour, marker=marks[name].marker, linewidth=marks[name].width,
               markersize=marks[name].size, markeredgecolor="white", markeredgewidth=0.4,
               linestyle=marks[name].dashes if lines else "", label=name)
        for name in codecs
    ]  # fmt: skip
    handles += [
        Line2D([], [], color=marks[name].colour, marker=marks[name].marker, markerfacecolor="none",
               linestyle="", label=name)
        for name in hollow if name not in codecs
    ]  # fmt: skip
    if hollow:
        handles.append(Line2D([], [], color=MUTED, marker="o", markerfacecolor="none", linestyle="",
                              label="hollow: published"))  # fmt: skip
    place_legend(figure, handles, [str(handle.get_label()) for handle in handles])


def place_legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Put a legend below the plots, in as many columns as fit; the figure grows by its lines."""
    width, height = figure.get_size_inches()
    letters = max((len(label) for label in labels), default=1)
    columns = max(1, min(len(labels), int(width / (0.45 + 0.065 * letters))))
    lines = -(-len(labels) // columns)
    figure.set_size_inches(width, height + LEGEND_INCHES * lines + 0.1)
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.0, handlelength=1.8
    )
