"""Intervals cover, tests keep their size, deltas agree with the reference package."""

from __future__ import annotations

import math
import warnings

import bjontegaard
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from codecbench.analysis.bd import Refused, _pchip_area, _pchip_slopes, bd_quality, bd_rate, compare_curves
from codecbench.analysis.bootstrap import bootstrap_mean, proportion_interval
from codecbench.analysis.paired import compare, compare_all, holm, smallest_p

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
        # Two speakers: t with one degree of freedom, 12.706 * standard error 1.
        ([1.0, 3.0], ["a", "b"], (2.0, 2.0 - 12.7062, 2.0 + 12.7062)),
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


def test_one_speaker_falls_back_to_utterances() -> None:
    scores = np.random.default_rng(0).normal(size=12)
    assert bootstrap_mean(scores, ["only"] * 12) == bootstrap_mean(scores, np.arange(12))


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


def test_sign_flips_are_counted_exactly_for_few_speakers() -> None:
    # Eight speakers all better: only the observed pattern and its mirror are as extreme, 2 / 2^8.
    a, b = np.full(8, 2.0) + np.arange(8) / 100, np.ones(8)
    result = compare(a, b, np.arange(8))
    assert result.p_value == 2 / 2**8 == smallest_p(8)
    assert (result.n, result.clusters) == (8, 8)
    assert result.low <= result.difference <= result.high


def test_comparison_is_symmetric_and_needs_common_utterances() -> None:
    rng = np.random.default_rng(3)
    a, b, speakers = rng.normal(size=60), rng.normal(0.2, 1, size=60), np.arange(60) % 20
    a[5] = b[7] = math.nan
    forth, back = compare(a, b, speakers), compare(b, a, speakers)
    assert forth.n == 58
    assert forth.p_value == back.p_value
    assert forth.difference == pytest.approx(-back.difference)
    assert math.isnan(compare([math.nan], [1.0], ["a"]).p_value)


def test_equal_codecs_are_never_different() -> None:
    scores = np.random.default_rng(0).normal(size=50)
    result = compare(scores, scores, np.arange(50) % 10)
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_test_keeps_its_size() -> None:
    rng = np.random.default_rng(5)
    speakers = np.repeat(np.arange(24), 3)
    rejected = []
    for trial in range(400):
        effect = rng.normal(0, 0.3, 24)[speakers]
        difference = effect + rng.normal(0, 0.3, speakers.size)
        rejected.append(compare(difference, np.zeros(72), speakers, flips=499, seed=trial).p_value <= 0.05)
    assert 0.025 <= np.mean(rejected) <= 0.08


def test_holm_against_the_textbook() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.01, math.nan, 0.6]), [0.02, math.nan, 0.6], equal_nan=True)
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert np.all(adjusted >= np.array(p_values) - 1e-15)
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0)


def test_all_pairs_agree_with_single_comparisons() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal([0, 0.5, 3], 1, size=(60, 3)), columns=["x", "y", "z"])
    table.loc[4, "y"] = math.nan
    speakers = np.arange(60) % 12
    result = compare_all(table, speakers)
    assert list(zip(result["a"], result["b"], strict=True)) == [("x", "y"), ("x", "z"), ("y", "z")]
    for row in result.itertuples():
        single = compare(table[row.a], table[row.b], speakers)
        assert (row.difference, row.low, row.high, row.p_value, row.n) == single[:5]
    assert (result["p_holm"] >= result["p_value"]).all()
    assert result["p_holm"].iloc[1] < 0.05
    assert compare_all(table[["x"]], speakers).empty


RATES = np.array([6.0, 9.0, 12.0, 24.0])
ANCHOR = np.array([2.0, 2.8, 3.3, 4.0])


@given(
    st.lists(st.floats(0.05, 0.8), min_size=4, max_size=4),
    st.lists(st.floats(0.1, 1.0), min_size=4, max_size=4),
    st.floats(0.5, 2.0),
)
def test_deltas_agree_with_the_bjontegaard_package(
    rises: list[float], steps: list[float], start: float
) -> None:
    quality = start + np.cumsum(rises)
    rates = 4 * np.exp(np.cumsum(steps))
    try:
        ours = bd_rate(RATES, ANCHOR, rates, quality), bd_quality(RATES, ANCHOR, rates, quality)
    except Refused:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the package warns of a small overlap
        theirs_rate = bjontegaard.bd_rate(RATES, ANCHOR, rates, quality, method="pchip", min_overlap=0)
        theirs_quality = bjontegaard.bd_psnr(RATES, ANCHOR, rates, quality, method="pchip", min_overlap=0)
    assert ours == pytest.approx((theirs_rate, theirs_quality), rel=1e-6, abs=1e-9)


def test_a_codec_at_half_the_rate_saves_half_the_rate() -> None:
    assert bd_rate(RATES, ANCHOR, RATES / 2, ANCHOR) == pytest.approx(-50.0)
    assert bd_quality(RATES, ANCHOR, RATES, ANCHOR + 0.3) == pytest.approx(0.3)
    # Distortion, where lower is better, in the metric's own sign.
    assert bd_quality(RATES, -ANCHOR, RATES, -ANCHOR - 0.3, higher_is_better=False) == pytest.approx(-0.3)
    assert bd_rate(RATES, -ANCHOR, RATES / 2, -ANCHOR, higher_is_better=False) == pytest.approx(-50.0)


@pytest.mark.parametrize(
    ("rates", "quality", "reason"),
    [
        ([6, 9], [2.0, 3.0], "has 2 of the 3 points"),
        ([6, 9, 12], [2.0, 3.0, 2.5], "not monotone"),
        ([6, 6, 12], [2.0, 2.5, 3.0], "not monotone"),
        ([6, 9, 12], [4.5, 4.6, 4.7], "do not overlap in quality"),
        ([6, 9, 12], [2.0, math.nan, 4.7], "missing"),
    ],
)
def test_meaningless_deltas_are_refused(rates: list[float], quality: list[float], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        bd_rate(RATES, ANCHOR, rates, quality)


def test_rates_that_do_not_overlap_have_no_quality_delta() -> None:
    with pytest.raises(Refused, match="overlap in rate"):
        bd_quality(RATES, ANCHOR, [30, 40, 50], [2.0, 3.0, 3.5])


def test_slopes_and_areas_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.uniform(0.1, 1, size=(50, 5)), axis=1)
    y = np.cumsum(rng.uniform(0.01, 2, size=(50, 5)), axis=1)
    low, high = x[:, 0] + 0.05, x[:, -1] - 0.07
    areas, slopes = _pchip_area(x, y, low, high), _pchip_slopes(x, y)
    for row in range(50):
        curve = PchipInterpolator(x[row], y[row])
        assert areas[row] == pytest.approx(curve.integrate(low[row], high[row]), rel=1e-10)
        np.testing.assert_allclose(slopes[row], curve.derivative()(x[row]), rtol=1e-9, atol=1e-12)


def curves(rng: np.random.Generator, gain: float) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return rates and scores [60, 4] of an anchor and of a test codec whose rate is `gain` times as high."""
    level = rng.normal(0, 0.15, 20)[np.arange(60) % 20][:, None]
    rates = RATES * np.exp(rng.normal(0, 0.02, size=(60, 4)))
    anchor = rates, ANCHOR + level + rng.normal(0, 0.05, size=(60, 4))
    test = gain * rates, ANCHOR + level + rng.normal(0, 0.05, size=(60, 4))
    return anchor, test


def test_curves_of_a_run_give_pooled_and_per_clip_deltas() -> None:
    anchor, test = curves(np.random.default_rng(0), 0.8)
    result = compare_curves(anchor, test, np.arange(60) % 20)
    assert result.rate.low < result.rate.mean < result.rate.high
    assert result.rate.mean == pytest.approx(-20, abs=3)
    assert result.clip_rate.mean == pytest.approx(-20, abs=4)
    assert result.quality.mean > 0
    assert (result.clips, result.rate_clips, result.rate_reason) == (60, 60, "")
    assert result == compare_curves(anchor, test, np.arange(60) % 20)


def test_lower_is_better_only_turns_the_sign_of_quality() -> None:
    (rates_a, scores_a), (rates_t, scores_t) = curves(np.random.default_rng(0), 0.8)
    speakers = np.arange(60) % 20
    up = compare_curves((rates_a, scores_a), (rates_t, scores_t), speakers)
    down = compare_curves((rates_a, -scores_a), (rates_t, -scores_t), speakers, higher_is_better=False)
    assert down.rate == pytest.approx(up.rate)
    assert down.quality.mean == pytest.approx(-up.quality.mean)
    assert (down.quality.low, down.quality.high) == pytest.approx((-up.quality.high, -up.quality.low))


def test_pooled_rate_intervals_cover() -> None:
    rng = np.random.default_rng(8)
    covered = []
    for _ in range(200):
        anchor, test = curves(rng, 0.8)
        rate = compare_curves(anchor, test, np.arange(60) % 20, resamples=999).rate
        covered.append(rate.low <= -20 <= rate.high)
    assert 0.91 <= np.mean(covered) <= 0.985


def test_curves_are_refused_with_the_reason() -> None:
    anchor, test = curves(np.random.default_rng(0), 0.8)
    speakers = np.arange(60) % 20
    few = compare_curves(anchor, (test[0][:, :2], test[1][:, :2]), speakers)
    assert math.isnan(few.rate.mean)
    assert "2 of the 3 points" in few.rate_reason
    assert few.rate_clips == 0
    empty = compare_curves(anchor, (test[0], np.full_like(test[1], math.nan)), speakers)
    assert "no utterance" in empty.rate_reason
    noisy = test[1] + np.random.default_rng(1).normal(0, 4, size=test[1].shape)
    noisy += np.array([0, -0.6, -0.9, -1.3]) - noisy.mean(axis=0) + ANCHOR
    shaky = compare_curves(anchor, (test[0], noisy), speakers)
    assert "resamples" in shaky.rate_reason or "monotone" in shaky.rate_reason
    assert math.isnan(shaky.rate.low)
