"""One figure of a run at the width of a paper's column: size, type, legend, and marks that read in grey."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecbench.analysis.parts import choose
from codecbench.analysis.runs import load_runs
from codecbench.errors import InvalidInput
from codecbench.report.one_figure import KINDS, draw, published_points
from codecbench.report.style import COLUMN_INCHES, marks
from codecbench.store.store import Run


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return load_runs([run_folder], ["spc"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_column_wide_in_type_of_eight_points(run: Run, kind: str) -> None:
    figure = draw(choose(run, codecs=["opus", "lyra", "encodec", "spc"]), kind)
    assert figure.get_size_inches()[0] == COLUMN_INCHES
    figure.draw_without_rendering()
    sizes = {
        text.get_fontsize()
        for axis in figure.axes
        for text in (axis.xaxis.label, axis.yaxis.label, *axis.get_xticklabels(), *axis.get_yticklabels())
        if text.get_text()
    }
    assert min(sizes) >= (7 if kind in {"distribution", "agreement"} else 8)
    assert all(text.get_fontsize() >= 8 for legend in figure.legends for text in legend.get_texts())


def test_the_axis_names_the_metric_and_nothing_leaves_the_figure(run: Run) -> None:
    figure = draw(run, metrics=["pesq-wb"])
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert axis.get_ylabel() == "PESQ-WB ↑"
    assert axis.get_xlabel() == "bitrate, kbit/s"
    assert axis.get_title(loc="left") == ""
    box = figure.get_tightbbox()
    assert box is not None
    assert box.x0 >= -0.02
    assert box.x1 <= COLUMN_INCHES + 0.02


def test_a_legend_never_takes_room_from_the_plot(run: Run) -> None:
    few, many = draw(choose(run, codecs=["opus"])), draw(run)
    for figure in (few, many):
        figure.draw_without_rendering()
    heights = [figure.axes[0].get_position().height * figure.get_figheight() for figure in (few, many)]
    assert heights[1] == pytest.approx(heights[0], abs=0.1)
    (legend,) = many.legends
    assert legend.get_window_extent().height / many.dpi < heights[1]
    assert legend.get_window_extent().width / many.dpi <= COLUMN_INCHES


def test_ticks_resolve_low_rates(run: Run) -> None:
    figure = draw(choose(run, points=["lyra@3.2", "opus@6", "opus@16"]))
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["3", "4", "6", "8", "12", "16"]


def test_marks_tell_codecs_apart_without_colour_and_stay_the_same() -> None:
    drawn = marks([f"codec-{number}" for number in range(9)])
    assert len({mark.marker for mark in drawn.values()}) == 9
    assert len({mark.colour for mark in drawn.values()}) == 9
    alone = marks(["opus"])["opus"]
    assert marks(["opus", "another"])["opus"] == alone


def test_what_is_not_there_is_named(run: Run) -> None:
    with pytest.raises(InvalidInput, match="nothing to draw as tokens; it needs a codec with tokens"):
        draw(choose(run, codecs=["opus"]), "tokens")


def test_published_points_are_those_of_the_set(run: Run) -> None:
    assert published_points(run).empty
    assert len(published_points(run, other_sets=True)) > 10
