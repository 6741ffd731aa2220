"""Rate and quality deltas agree with the reference package and with scipy, or are refused."""

from __future__ import annotations

import math
import warnings

import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from codecbench.analysis.bd import Refused, bd_quality, bd_rate, compare_curves
from codecbench.analysis.curves import _pchip_area, _pchip_slopes

Floats = NDArray[np.float64]


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


def test_the_ranges_are_those_that_both_curves_reach() -> None:
    speakers = np.arange(60) % 20
    (rates_a, scores_a), (rates_t, scores_t) = curves(np.random.default_rng(0), 0.8)
    result = compare_curves((rates_a, scores_a), (rates_t, scores_t), speakers)
    means = [table.mean(axis=0) for table in (rates_a, scores_a, rates_t, scores_t)]
    assert result.quality_over == pytest.approx((means[0].min(), means[2].max()))
    both = max(means[1].min(), means[3].min()), min(means[1].max(), means[3].max())
    assert result.rate_over == pytest.approx(both)
    down = compare_curves((rates_a, -scores_a), (rates_t, -scores_t), speakers, higher_is_better=False)
    assert down.rate_over == pytest.approx((-both[1], -both[0]))


@pytest.mark.parametrize(("flat", "given"), [(29, True), (31, False)])
def test_a_mean_of_clips_is_given_where_half_of_them_carry_it(flat: int, given: bool) -> None:
    anchor, (rates, scores) = curves(np.random.default_rng(0), 0.8)
    falling = scores.copy()
    falling[:flat] = falling[:flat, ::-1]
    result = compare_curves(anchor, (rates, falling), np.arange(60) % 20)
    assert result.rate_clips == 60 - flat
    assert math.isfinite(result.clip_rate.mean) == math.isfinite(result.clip_quality.mean) == given


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


def _shifted(overlap: float) -> tuple[Floats, Floats]:
    """Return a curve whose quality shares a part of the anchor's range, its own being as wide."""
    return RATES, ANCHOR + (1 - overlap) * (ANCHOR[-1] - ANCHOR[0])


@pytest.mark.parametrize("overlap", [0.005, 0.1, 0.24])
def test_a_sliver_of_overlap_is_refused_with_its_share(overlap: float) -> None:
    with pytest.raises(
        Refused, match=rf"overlap in quality over {overlap:.1%} of the shorter one, 25% are needed"
    ):
        bd_rate(RATES, ANCHOR, *_shifted(overlap))
    with pytest.raises(Refused, match="do not overlap in rate"):
        bd_quality(RATES, ANCHOR, 10 * RATES, ANCHOR)


def _utterances(curve: tuple[Floats, Floats], speakers: int) -> tuple[Floats, Floats]:
    noise = np.random.default_rng(1).normal(0, 0.02, (4 * speakers, 1))
    return np.tile(curve[0], (4 * speakers, 1)), curve[1] + noise


@pytest.mark.parametrize(("overlap", "word"), [(0.3, "little overlap: 30% of the shorter curve"), (0.6, "")])
def test_little_overlap_is_flagged(overlap: float, word: str) -> None:
    speakers = np.repeat(np.arange(10), 4)
    found = compare_curves(_utterances((RATES, ANCHOR), 10), _utterances(_shifted(overlap), 10), speakers)
    assert found.rate_reason == word
    assert found.rate_overlap == pytest.approx(overlap)


@pytest.mark.parametrize("speakers", [1, 2, 3, 5])
def test_few_speakers_get_no_interval(speakers: int) -> None:
    curves = _utterances((RATES, ANCHOR), speakers), _utterances((0.7 * RATES, ANCHOR), speakers)
    found = compare_curves(*curves, np.repeat(np.arange(speakers), 4))
    assert found.rate.mean == pytest.approx(-30, abs=1)
    assert math.isnan(found.rate.low) and math.isnan(found.rate.high)
    assert found.rate_reason == f"no interval: {speakers} of the 6 speakers needed"


def test_six_speakers_get_one() -> None:
    curves = _utterances((RATES, ANCHOR), 6), _utterances((0.7 * RATES, ANCHOR), 6)
    found = compare_curves(*curves, np.repeat(np.arange(6), 4))
    assert found.rate.low <= found.rate.mean <= found.rate.high and not found.rate_reason


def test_a_point_at_no_rate_is_refused_with_its_reason() -> None:
    with pytest.raises(Refused, match="the test codec has a point at 0 kbit/s, which has no logarithm"):
        bd_rate(RATES, ANCHOR, [0.0, 9.0, 12.0, 24.0], ANCHOR)
