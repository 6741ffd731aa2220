"""Intervals cover, for means clustered by speaker and for shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codecbench.analysis.bootstrap import bootstrap_mean, proportion_interval

Floats = NDArray[np.float64]


def speakers_and_scores(
    rng: np.random.Generator, groups: int, skewed: bool
) -> tuple[NDArray[np.int64], Floats, float]:
    """Return speakers [N], scores [N] with an effect of each speaker, and the true mean."""
    speakers = np.repeat(np.arange(groups), rng.integers(2, 7, size=groups))
    if skewed:
        loss = rng.gamma(4, 0.01, size=groups)[speakers] + rng.gamma(2, 0.02, size=speakers.size)
        return speakers, 1.0 - loss, 1.0 - 0.08
    return speakers, 3.0 + rng.normal(0, 0.3, groups)[speakers] + rng.normal(0, 0.3, speakers.size), 3.0


@pytest.mark.parametrize("groups", [20, 30])
@pytest.mark.parametrize("skewed", [False, True])
def test_95_per_cent_intervals_cover_93_to_97_per_cent(groups: int, skewed: bool) -> None:
    rng = np.random.default_rng(groups)
    covered = []
    for trial in range(2000):
        speakers, scores, truth = speakers_and_scores(rng, groups, skewed)
        interval = bootstrap_mean(scores, speakers, resamples=999, seed=trial % 8)
        covered.append(interval.low <= truth <= interval.high)
    assert 0.93 <= np.mean(covered) <= 0.97


def test_intervals_are_never_erratic() -> None:
    # Nearly equal speakers but one: studentised limits of few clusters would reach far outside the data.
    for groups in (8, 12, 24):
        scores = np.append(np.full(groups - 1, 0.975) + np.arange(groups - 1) * 1e-5, 0.95)
        interval = bootstrap_mean(scores, np.arange(groups), bounds=(-1, 1))
        assert 0.95 < interval.low < interval.mean < interval.high < 0.99


def test_intervals_that_ignore_speakers_would_cover_too_little() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        speakers, scores, truth = speakers_and_scores(rng, 20, False)
        interval = bootstrap_mean(scores, np.arange(speakers.size), resamples=499)
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) < 0.85


def test_mean_and_interval_of_known_data() -> None:
    scores = np.arange(24, dtype=float)
    interval = bootstrap_mean(scores, np.arange(24))
    assert interval.mean == 11.5
    # Student's t for these 24 values gives 11.5 +- 2.99; a symmetric sample must come close to it.
    assert interval.low == pytest.approx(8.51, abs=0.25)
    assert interval.high == pytest.approx(14.49, abs=0.25)
    assert interval == bootstrap_mean(scores, np.arange(24))
    assert interval != bootstrap_mean(scores, np.arange(24), seed=1)


@pytest.mark.parametrize(
    ("scores", "speakers", "expected"),
    [
        ([], [], (math.nan, math.nan, math.nan)),
        ([math.nan, math.nan], ["a", "b"], (math.nan, math.nan, math.nan)),
        ([2.0], ["a"], (2.0, math.nan, math.nan)),
        ([1.0] * 8, list("abcdefgh"), (1.0, 1.0, 1.0)),
        # Under six speakers an interval would mostly tell how few they are.
        ([1.0, 3.0] * 4, list("aabbcdee"), (2.0, math.nan, math.nan)),
    ],
)
def test_intervals_at_the_edges(
    scores: list[float], speakers: list[str], expected: tuple[float, ...]
) -> None:
    np.testing.assert_allclose(bootstrap_mean(scores, speakers), expected, atol=1e-4, equal_nan=True)


def test_missing_scores_are_left_out_and_limits_keep_to_the_range() -> None:
    rng = np.random.default_rng(0)
    scores = np.minimum(1.0, 1.02 - rng.exponential(0.02, size=40))
    speakers = np.repeat(np.arange(8), 5)
    with_holes = np.append(scores, math.nan)
    bounded = bootstrap_mean(with_holes, np.append(speakers, 99), bounds=(0.0, 1.0))
    assert bounded.mean == pytest.approx(scores.mean(), abs=1e-12)
    assert bounded.high <= 1.0


def test_no_interval_is_given_for_under_six_speakers() -> None:
    scores = np.random.default_rng(0).normal(size=12)
    assert not math.isfinite(bootstrap_mean(scores, np.arange(12) % 5).low)
    assert math.isfinite(bootstrap_mean(scores, np.arange(12) % 6).low)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="equal length"):
        bootstrap_mean([1.0, 2.0], ["a"])


@given(st.lists(st.integers(10, 50), min_size=14, max_size=40), st.floats(-3, 3), st.floats(0.1, 10))
def test_intervals_follow_a_change_of_unit(scores: list[int], shift: float, scale: float) -> None:
    speakers = np.arange(len(scores)) % 7
    plain = np.array(bootstrap_mean(scores, speakers, resamples=199))
    moved = np.array(bootstrap_mean(np.array(scores) * scale + shift, speakers, resamples=199))
    np.testing.assert_allclose(moved, plain * scale + shift, rtol=1e-5, atol=1e-5)


def test_wilson_interval_matches_the_published_example() -> None:
    # Brown, Cai, DasGupta 2001: n = 25 without a success has the limits 0 and z^2 / (n + z^2) = 0.1332.
    interval = proportion_interval(0, 25)
    assert interval.low == pytest.approx(0.0)
    assert interval.high == pytest.approx(0.1332, abs=1e-4)
    assert all(math.isnan(part) for part in proportion_interval(0, 0))


def test_weights_make_a_pooled_rate_and_ones_change_nothing():
    rng = np.random.default_rng(0)
    words = rng.integers(3, 40, size=60)
    errors = rng.binomial(words, 0.1)
    speakers = np.repeat(np.arange(20), 3)
    pooled = bootstrap_mean(errors / words, speakers, weights=words)
    assert pooled.mean == pytest.approx(errors.sum() / words.sum())
    assert pooled.low < pooled.mean < pooled.high
    # An utterance of n words is n words of one speaker: counting them one by one gives the same interval.
    one_by_one = np.concatenate([np.arange(n) < e for e, n in zip(errors, words, strict=True)])
    assert bootstrap_mean(one_by_one, np.repeat(speakers, words)) == pytest.approx(pooled)
    assert bootstrap_mean(errors, speakers, weights=np.ones(60)) == bootstrap_mean(errors, speakers)


def test_weights_of_a_single_speaker_and_of_missing_scores():
    pooled = bootstrap_mean([0.5, np.nan, 0.0], ["a", "a", "a"], weights=[10.0, 99.0, 30.0])
    assert pooled.mean == pytest.approx(5 / 40)
