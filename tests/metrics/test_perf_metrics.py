"""The comparison of ``make perf``: it counts all pairs, compares scores, and takes the right ratio."""

from __future__ import annotations

import math

import click
import numpy as np
import pytest

import perf_metrics
from codecbench.run.plan import DEFAULT_METRICS
from codecbench.testing.signals import speech_like, with_noise


def test_both_sides_have_all_default_metrics_and_give_the_same_scores() -> None:
    ref = speech_like(1.5)
    decoded = [with_noise(ref, 15.0), with_noise(ref, 5.0, 1)]
    chosen = ("stoi", "estoi", "pesq-wb", "mcd", "si-sdr", "mel-distance")
    sides = perf_metrics.suite(), perf_metrics.libraries()
    assert all(tuple(side) == DEFAULT_METRICS for side in sides)
    spent = [dict.fromkeys(chosen, 0.0) for _ in sides]
    scores = [
        perf_metrics.measure({name: side[name] for name in chosen}, ref, decoded, took)
        for side, took in zip(sides, spent, strict=True)
    ]
    assert {name: len(found) for name, found in scores[0].items()} == dict.fromkeys(chosen, 2)
    assert all(seconds > 0.0 for took in spent for seconds in took.values())
    perf_metrics.compare(*scores)


@pytest.mark.parametrize("score", [3.1, math.nan])
def test_other_scores_are_refused(score: float) -> None:
    with pytest.raises(click.ClickException, match="pesq-wb: the library's scores are others"):
        perf_metrics.compare({"pesq-wb": [2.0, 3.0]}, {"pesq-wb": [2.0, score]})


def test_the_ratio_is_of_the_sums(capsys: pytest.CaptureFixture[str]) -> None:
    ours, plain = {"visqol": 1.0, "visqol-poly": 1.0}, {"visqol": 3.0, "visqol-poly": 2.0}
    assert perf_metrics.tell(10.0, ours, plain) == pytest.approx(2.5)
    told = capsys.readouterr().out
    assert "suite 5.00, libraries 2.00; ratio 2.50" in told
    assert np.allclose([float(word) for word in told.splitlines()[4].split()[-3:]], [200.0, 300.0, 1.5])
