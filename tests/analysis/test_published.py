"""Published figures as data: what they hold, and which measured scores they flag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codecbench.analysis import results
from codecbench.analysis.published import (
    TOLERANCES,
    check_published,
    compared,
    load_published,
)
from codecbench.analysis.results import Point, Result, Score
from codecbench.errors import InvalidInput

LIBRISPEECH = "librispeech-test-clean"


def measured(codec: str, kbps: float, dataset: str = LIBRISPEECH, **scores: Score | float) -> Result:
    means = {
        name.replace("_", "-"): value if isinstance(value, Score) else Score(value)
        for name, value in scores.items()
    }
    point = Point(f"{kbps:g}", kbps, kbps * 1.01, 100, means)
    return Result(codec, "measured", {"dataset": dataset, "source": "codecbench"}, (point,))


def published(codec: str, kbps: float, source: str, **scores: Score | float) -> Result:
    result = measured(codec, kbps, **scores)
    return Result(codec, "published", {"dataset": LIBRISPEECH, "source": source}, result.points)


# rows: codec, kbit/s, test set, metric, published mean (the anchors of the project's guide)
ANCHORS = [
    ("encodec", 6, LIBRISPEECH, "pesq-wb", 2.77),
    ("encodec", 0.75, LIBRISPEECH, "stoi", 0.77),
    ("dac", 6, LIBRISPEECH, "pesq-nb", 4.15),
    ("mimi", 1.1, LIBRISPEECH, "pesq-wb", 2.25),
    ("xcodec2", 0.8, LIBRISPEECH, "stoi", 0.92),
    ("dac", 6, LIBRISPEECH, "mcd", 2.34),
    ("encodec", 24, "codec-superb-tiny-speech", "pesq-wb", 3.66),
    ("snac", 0.98, "daps", "visqol", 4.14),
]


@pytest.mark.parametrize(("codec", "kbps", "dataset", "metric", "mean"), ANCHORS)
def test_anchors_are_in_the_data(codec, kbps, dataset, metric, mean):
    table = results.table(load_published())
    rows = table[(table.codec == codec) & (table.dataset == dataset) & (table.metric == metric)]
    assert rows[rows.kbps == kbps]["mean"].tolist() == [mean]


def test_every_source_is_named_and_every_score_plausible():
    ranges = {"stoi": (0, 1), "pesq-wb": (1, 4.65), "pesq-nb": (1, 4.55), "visqol": (1, 5), "mcd": (0, 20)}
    for result in load_published():
        assert result.kind == "published" and result.meta["source"] and result.meta["dataset"]
        for point in result.points:
            for metric, score in point.scores.items():
                low, high = ranges.get(metric, (0, 200))
                assert low <= score.mean <= high


def test_the_second_hand_table_is_never_checked_against():
    second_hand = [result for result in load_published() if "second-hand" in result.meta["source"]]
    assert {result.codec for result in second_hand} == {"spc-paper", "dac", "encodec"}
    for result in second_hand:
        probe = Result(result.codec, "measured", {"dataset": result.meta["dataset"]}, result.points)
        assert compared(probe, second_hand) == []


# rows: measured scores, metrics flagged
CASES = [
    ({"pesq_wb": 2.77, "stoi": 0.94}, set()),
    ({"pesq_wb": 2.65}, set()),
    ({"pesq_wb": 2.5}, {"pesq-wb"}),
    ({"pesq_wb": 3.0, "stoi": 0.8}, {"pesq-wb", "stoi"}),
    ({"pesq_wb": Score(2.5, 2.35, 2.66)}, set()),
    ({"pesq_wb": Score(2.5, 2.4, 2.6)}, {"pesq-wb"}),
    ({"si_sdr": -20.0}, set()),
]


@pytest.mark.parametrize(("scores", "flagged"), CASES)
def test_flags(scores, flagged):
    flags = check_published([measured("encodec", 6, **scores)], load_published())
    assert {flag.metric for flag in flags} == flagged


def test_another_rate_test_set_or_codec_is_not_held_against():
    others = [
        measured("encodec", 5, pesq_wb=1.0),
        measured("encodec", 6, dataset="demo", pesq_wb=1.0),
        measured("spc", 6, pesq_wb=1.0),
    ]
    assert check_published(others, load_published()) == []


def test_a_codec_with_an_argument_is_held_against_its_name():
    (flag,) = check_published([measured("encodec:original", 6, pesq_wb=1.0)], load_published())
    assert "encodec:original@6: pesq-wb 1 on librispeech-test-clean is outside 2.62 to 2.92" in str(flag)
    assert "arXiv:2502.04128" in str(flag)


def test_several_sources_widen_the_band():
    sources = [published("dac", 6, "one", stoi=0.90), published("dac", 6, "two", stoi=0.96)]
    width = TOLERANCES["stoi"]
    assert check_published([measured("dac", 6, stoi=0.96 + width)], sources) == []
    (flag,) = check_published([measured("dac", 6, stoi=0.87)], sources)
    assert (flag.low, flag.high) == pytest.approx((0.90 - width, 0.96 + width))
    assert flag.source == "one, two"


def test_a_published_interval_is_the_band_also_of_an_unknown_metric():
    sources = [published("dac", 6, "one", custom=Score(1.0, 0.9, 1.1), pesq_wb=Score(4.0, 3.99, 4.01))]
    assert check_published([measured("dac", 6, custom=1.05, pesq_wb=4.0)], sources) == []
    flags = check_published([measured("dac", 6, custom=1.2, pesq_wb=3.95)], sources)
    assert {flag.metric for flag in flags} == {"custom", "pesq-wb"}


def test_a_folder_without_published_results_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="name the folder that holds them"):
        load_published(tmp_path)


def test_an_installation_without_the_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from codecbench.analysis import published as module

    monkeypatch.setattr(module, "__file__", str(tmp_path / "site" / "codecbench" / "published.py"))
    with pytest.raises(InvalidInput, match="name the folder that holds them"):
        load_published()


def test_command_reports_a_folder_without_a_run(cli: Callable[..., Any], tmp_path: Path):
    answer = cli("check-published", tmp_path)
    assert answer.status == 1
    assert f"{tmp_path}: no run here" in answer.err
