"""Bjontegaard deltas: how much rate, or how much quality, lies between two rate-quality curves.

A curve is interpolated by a monotone piecewise cubic (pchip) over the logarithm of the rate; the mean
distance over the common range is the delta.  A pair of curves for which that has no meaning is refused with
the reason rather than extrapolated.

References
----------
.. [1] G. Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T SG16 VCEG-M33, 2001.
.. [2] G. Bjontegaard, "Improvements of the BD-PSNR model", ITU-T SG16 VCEG-AI11, 2008 (piecewise cubic).
.. [3] F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic interpolants",
   SIAM Journal on Scientific and Statistical Computing 5(2), 1984.
.. [4] T. C. Hesterberg, "What teachers should know about the bootstrap", The American Statistician
   69(4), 2015 (percentile limits widened for the number of clusters).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from codecbench.analysis.bootstrap import RESAMPLES, Floats, Interval, bootstrap_mean, resample_counts

FEWEST_POINTS = 3
MOST_LOST = 0.05
"""Share of resamples that may have no delta before the interval is refused."""


class Refused(ValueError):
    """Two curves have no Bjontegaard delta; the message is the reason."""


@dataclass(frozen=True)
class BdResult:
    """BD-rate (per cent) and BD-quality (units of the metric) of a test codec against an anchor.

    ``rate`` and ``quality`` are of the curves through the means, with bootstrap limits; ``clip_rate`` and
    ``clip_quality`` are means over the deltas of single utterances, of which ``rate_clips`` and
    ``quality_clips`` had one.  ``rate_reason`` and ``quality_reason`` say why a pooled delta was refused, or,
    beside a delta without limits, why those were.
    """

    rate: Interval
    quality: Interval
    clip_rate: Interval
    clip_quality: Interval
    rate_clips: int
    quality_clips: int
    clips: int
    rate_reason: str = ""
    quality_reason: str = ""


def bd_rate(
    rate_anchor: ArrayLike,
    quality_anchor: ArrayLike,
    rate_test: ArrayLike,
    quality_test: ArrayLike,
    higher_is_better: bool = True,
) -> float:
    """Return the change of rate at equal quality, in per cent, negative where the test codec needs less.

    See [1]_ and [2]_.

    Parameters
    ----------
    rate_anchor, quality_anchor : array_like [K]
        The anchor's curve: rates in kbit/s and mean scores, in any order.
    rate_test, quality_test : array_like [L]
        The test codec's curve.
    higher_is_better : bool
        Whether a larger score is a better one.

    Raises
    ------
    Refused
        Under three points, not monotone, or no overlap in quality.
    """
    anchor = _curve(rate_anchor, quality_anchor, higher_is_better, "the anchor")
    test = _curve(rate_test, quality_test, higher_is_better, "the test codec")
    return float(_known(_rate_deltas(*anchor, *test), "the curves do not overlap in quality"))


def bd_quality(
    rate_anchor: ArrayLike,
    quality_anchor: ArrayLike,
    rate_test: ArrayLike,
    quality_test: ArrayLike,
    higher_is_better: bool = True,
) -> float:
    """Return the mean change of score at equal rate, test less anchor, in the metric's unit ([1]_, [2]_).

    Parameters and errors are those of `bd_rate`; the overlap is one of rates.
    """
    anchor = _curve(rate_anchor, quality_anchor, higher_is_better, "the anchor")
    test = _curve(rate_test, quality_test, higher_is_better, "the test codec")
    delta = float(_known(_quality_deltas(*anchor, *test), "the curves do not overlap in rate"))
    return delta if higher_is_better else -delta


def compare_curves(
    anchor: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    clusters: Sequence[Any] | NDArray[Any],
    *,
    higher_is_better: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> BdResult:
    """Compare two codecs' curves, pooled with a bootstrap interval by speaker, and clip by clip.

    The pooled curve goes through the means over the utterances that both codecs scored at all their points.
    Its limits are percentiles over resamples of whole speakers, widened for their number ([4]_).

    Parameters
    ----------
    anchor, test : tuple of array_like [N, K] and [N, L]
        Rates in kbit/s and scores of each utterance at each operating point, NaN where missing.
    clusters : sequence [N]
        The speaker of each utterance.
    higher_is_better : bool
        Whether a larger score is a better one.
    resamples, seed : int
        Of the bootstrap.
    """
    sign = 1.0 if higher_is_better else -1.0
    tables = [np.asarray(part, dtype=np.float64) for part in (*anchor, *test)]
    kept = np.asarray(np.isfinite(np.hstack(tables)).all(axis=1))
    speakers = np.asarray(clusters)[kept]
    rates_a, scores_a, rates_t, scores_t = (table[kept] for table in tables)
    pooled = _pooled_weights(speakers, resamples, seed)
    means = [pooled @ table for table in (rates_a, scores_a, rates_t, scores_t)]
    tail = _tail(np.unique(speakers).size)
    rate, rate_reason = _pooled(bd_rate, _rate_deltas, means, higher_is_better, tail)
    quality, quality_reason = _pooled(bd_quality, _quality_deltas, means, higher_is_better, tail)
    singles = (*_rows(rates_a, sign * scores_a), *_rows(rates_t, sign * scores_t))
    enough = min(rates_a.shape[1], rates_t.shape[1]) >= FEWEST_POINTS
    missing = np.full(int(kept.sum()), math.nan)
    clip_rates = _rate_deltas(*singles) if enough else missing
    clip_qualities = sign * _quality_deltas(*singles) if enough else missing
    return BdResult(
        rate=rate,
        quality=quality,
        clip_rate=bootstrap_mean(clip_rates, speakers, seed=seed),
        clip_quality=bootstrap_mean(clip_qualities, speakers, seed=seed),
        rate_clips=int(np.isfinite(clip_rates).sum()),
        quality_clips=int(np.isfinite(clip_qualities).sum()),
        clips=int(kept.sum()),
        rate_reason=rate_reason,
        quality_reason=quality_reason,
    )


def _curve(rates: ArrayLike, scores: ArrayLike, higher_is_better: bool, whose: str) -> tuple[Floats, Floats]:
    """Return one valid curve as rows of log rate and rising quality, both [1, K]."""
    rate = np.asarray(rates, dtype=np.float64)
    score = np.asarray(scores, dtype=np.float64)
    if rate.size != score.size or not (np.isfinite(rate).all() and np.isfinite(score).all()):
        raise Refused(f"{whose} has missing rates or scores")
    if rate.size < FEWEST_POINTS:
        raise Refused(f"{whose} has {rate.size} of the {FEWEST_POINTS} points needed")
    log_rate, quality = _rows(rate[None, :], (score if higher_is_better else -score)[None, :])
    if not _rising(log_rate, quality)[0]:
        raise Refused(f"the curve of {whose} is not monotone")
    return log_rate, quality


def _rows(rates: Floats, quality: Floats) -> tuple[Floats, Floats]:
    """Return log10 rates and quality with every row sorted by rate, [R, K]."""
    order = np.argsort(rates, axis=1, kind="stable")
    return np.log10(np.take_along_axis(rates, order, axis=1)), np.take_along_axis(quality, order, axis=1)


def _rising(log_rate: Floats, quality: Floats) -> NDArray[np.bool_]:
    rising = (np.diff(log_rate) > 0) & (np.diff(quality) > 0)
    return np.asarray(rising.all(axis=1), dtype=np.bool_)


def _rate_deltas(rate_a: Floats, quality_a: Floats, rate_t: Floats, quality_t: Floats) -> Floats:
    """Return the BD-rate of each row in per cent, NaN where refused, [R]."""
    delta = _mean_distance(quality_a, rate_a, quality_t, rate_t)
    return 100.0 * (10.0**delta - 1.0)


def _quality_deltas(rate_a: Floats, quality_a: Floats, rate_t: Floats, quality_t: Floats) -> Floats:
    """Return the BD-quality of each row, NaN where refused, [R]."""
    return _mean_distance(rate_a, quality_a, rate_t, quality_t)


def _mean_distance(x_a: Floats, y_a: Floats, x_t: Floats, y_t: Floats) -> Floats:
    """Return the mean of curve t less curve a over their common range of x, row by row, [R]."""
    result = np.full(x_a.shape[0], math.nan)
    low = np.maximum(x_a.min(axis=1), x_t.min(axis=1))
    high = np.minimum(x_a.max(axis=1), x_t.max(axis=1))
    good = _rising(x_a, y_a) & _rising(x_t, y_t) & (high > low)
    if good.any():
        low, high = low[good], high[good]
        areas = [_pchip_area(x[good], y[good], low, high) for x, y in ((x_a, y_a), (x_t, y_t))]
        result[good] = (areas[1] - areas[0]) / (high - low)
    return result


def _pchip_area(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """Integrate each row's pchip interpolant of (x, y), [R, K], from low to high, [R]."""
    slopes = _pchip_slopes(x, y)
    step = np.diff(x)
    left = np.clip(x[:, :-1], low[:, None], high[:, None])
    right = np.clip(x[:, 1:], low[:, None], high[:, None])
    area = np.zeros_like(step)
    # Two Gauss-Legendre nodes integrate a cubic exactly.
    for node in (-1.0 / math.sqrt(3.0), 1.0 / math.sqrt(3.0)):
        at = ((left + right) / 2 + node * (right - left) / 2 - x[:, :-1]) / step
        area += (right - left) / 2 * _hermite(at, y, slopes, step)
    total: Floats = area.sum(axis=1)
    return total


def _hermite(at: Floats, y: Floats, slopes: Floats, step: Floats) -> Floats:
    """Evaluate every interval's cubic at `at` in [0, 1] of the interval, [R, K-1]."""
    rest = 1 - at
    value: Floats = (
        (1 + 2 * at) * rest**2 * y[:, :-1]
        + at * rest**2 * step * slopes[:, :-1]
        + at**2 * (3 - 2 * at) * y[:, 1:]
        - at**2 * rest * step * slopes[:, 1:]
    )
    return value


def _pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Return the slopes of Fritsch and Butland ([3]_) for strictly rising rows, [R, K]."""
    step = np.diff(x)
    rise = np.diff(y) / step
    slopes = np.empty_like(y)
    before, after = step[:, :-1], step[:, 1:]
    weight_before, weight_after = 2 * after + before, after + 2 * before
    total = weight_before + weight_after
    slopes[:, 1:-1] = total / (weight_before / rise[:, :-1] + weight_after / rise[:, 1:])
    slopes[:, 0] = _end_slope(step[:, 0], step[:, 1], rise[:, 0], rise[:, 1])
    slopes[:, -1] = _end_slope(step[:, -1], step[:, -2], rise[:, -1], rise[:, -2])
    return slopes


def _end_slope(step: Floats, next_step: Floats, rise: Floats, next_rise: Floats) -> Floats:
    """Return the one-sided three-point slope, cut so that the end stays monotone, [R]."""
    slope = ((2 * step + next_step) * rise - step * next_rise) / (step + next_step)
    return np.clip(slope, 0.0, 3 * rise)


def _pooled_weights(speakers: NDArray[Any], resamples: int, seed: int) -> Floats:
    """Return rows that average utterances: all of them first, then each resample of speakers, [1 + B, N]."""
    names, index, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    if names.size == 0:
        return np.zeros((0, 0))
    drawn = np.vstack([np.ones((1, names.size)), resample_counts(names.size, resamples, seed)])
    weights: Floats = drawn[:, index] / (drawn @ counts)[:, None]
    return weights


def _tail(groups: int, level: float = 0.95) -> float:
    """Return the share beyond each percentile limit, widened for the number of clusters ([4]_)."""
    if groups < 2:
        return 0.0
    student = stats.t.ppf(0.5 + level / 2, groups - 1)
    return float(stats.norm.cdf(-math.sqrt(groups / (groups - 1)) * student))


def _pooled(
    delta: Callable[..., float],
    deltas: Callable[..., Floats],
    means: list[Floats],
    higher_is_better: bool,
    tail: float,
) -> tuple[Interval, str]:
    """Return the delta of the pooled curves with its limits, and the reason where something was refused."""
    nothing = Interval(math.nan, math.nan, math.nan)
    if means[0].shape[0] == 0:
        return nothing, "no utterance is scored at every point of both codecs"
    try:
        value = delta(*(table[0] for table in means), higher_is_better)
    except Refused as refusal:
        return nothing, str(refusal)
    sign = 1.0 if higher_is_better else -1.0
    rate_a, score_a, rate_t, score_t = means
    rows = deltas(*_rows(rate_a, sign * score_a), *_rows(rate_t, sign * score_t))[1:]
    if delta is bd_quality:
        rows = sign * rows
    usable = rows[np.isfinite(rows)]
    lost = 1 - usable.size / rows.size
    if lost > MOST_LOST:
        return Interval(value, math.nan, math.nan), f"no interval: {lost:.0%} of the resamples have no delta"
    low, high = np.quantile(usable, [tail, 1 - tail])
    return Interval(value, float(low), float(high)), ""


def _known(deltas: Floats, reason: str) -> float:
    if not np.isfinite(deltas[0]):
        raise Refused(reason)
    return float(deltas[0])
