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
LEAST_OVERLAP, LITTLE_OVERLAP = 0.25, 0.5
"""Share of the shorter curve's range that must lie within the other's, and from which that is enough."""
FEWEST_SPEAKERS = 6
"""Percentile limits over fewer speakers hold 74 % (of three) to 91 % (of five) where 95 % are meant."""
MOST_LOST = 0.05
"""Share of resamples that may have no delta before the interval is refused."""


class Refused(ValueError):
    """Two curves have no Bjontegaard delta; the message is the reason."""


@dataclass(frozen=True)
class BdResult:
    """BD-rate (per cent) and BD-quality (units of the metric) of a test codec against an anchor.

    ``rate`` and ``quality`` are of the curves through the means, with bootstrap limits; ``clip_rate`` and
    ``clip_quality`` are means over the deltas of single utterances, of which ``rate_clips`` and
    ``quality_clips`` had one.  ``rate_overlap`` (in quality) and ``quality_overlap`` (in log rate) are the
    shares of the shorter curve's range over which the mean goes.  ``rate_reason`` and ``quality_reason`` say
    why a pooled delta was refused, why it has no limits, or that it rests on little overlap.
    """

    rate: Interval
    quality: Interval
    clip_rate: Interval
    clip_quality: Interval
    rate_clips: int
    quality_clips: int
    clips: int
    rate_overlap: float = math.nan
    quality_overlap: float = math.nan
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
        Under three points, a rate of 0, not monotone, or under a quarter of the shorter curve in common.
    """
    anchor = _curve(rate_anchor, quality_anchor, higher_is_better, "the anchor")
    test = _curve(rate_test, quality_test, higher_is_better, "the test codec")
    _check_overlap(float(_overlap(anchor[1], test[1])[0]), "quality")
    return float(_rate_deltas(*anchor, *test)[0])


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
    _check_overlap(float(_overlap(anchor[0], test[0])[0]), "rate")
    delta = float(_quality_deltas(*anchor, *test)[0])
    return delta if higher_is_better else -delta


def compare_curves(
    anchor: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    clusters: Sequence[Any] | NDArray[Any],
    *,
    seconds: ArrayLike | None = None,
    higher_is_better: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> BdResult:
    """Compare two codecs' curves, pooled with a bootstrap interval by speaker, and clip by clip.

    The pooled curve goes through the means over the utterances that both codecs scored at all their points;
    a rate is all bits over all seconds, as in the tables.  Its limits are percentiles over resamples of whole
    speakers, widened for their number ([4]_); with fewer than `FEWEST_SPEAKERS` there are none.

    Parameters
    ----------
    anchor, test : tuple of array_like [N, K] and [N, L]
        Rates in kbit/s and scores of each utterance at each operating point, NaN where missing.
    clusters : sequence [N]
        The speaker of each utterance.
    seconds : array_like [N], optional
        The duration of each utterance; all alike by default.
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
    lengths = np.ones(kept.size) if seconds is None else np.asarray(seconds, dtype=np.float64)
    by_time = pooled * lengths[kept]
    by_time /= by_time.sum(axis=1, keepdims=True)
    means = [by_time @ rates_a, pooled @ scores_a, by_time @ rates_t, pooled @ scores_t]
    groups = np.unique(speakers).size
    rate, rate_overlap, rate_reason = _pooled(bd_rate, means, higher_is_better, groups)
    quality, quality_overlap, quality_reason = _pooled(bd_quality, means, higher_is_better, groups)
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
        rate_overlap=rate_overlap,
        quality_overlap=quality_overlap,
        rate_reason=rate_reason,
        quality_reason=quality_reason,
    )


def _curve(rates: ArrayLike, scores: ArrayLike, higher_is_better: bool, whose: str) -> tuple[Floats, Floats]:
    """Return one valid curve as rows of log rate and rising quality, both [1, K]."""
    rate = np.asarray(rates, dtype=np.float64)
    score = np.asarray(scores, dtype=np.float64)
    if rate.size != score.size or not (np.isfinite(rate).all() and np.isfinite(score).all()):
        raise Refused(f"{whose} has missing rates or scores")
    if rate.size and rate.min() <= 0:
        raise Refused(f"{whose} has a point at {rate.min():g} kbit/s, which has no logarithm")
    if rate.size < FEWEST_POINTS:
        raise Refused(f"{whose} has {rate.size} of the {FEWEST_POINTS} points needed")
    log_rate, quality = _rows(rate[None, :], (score if higher_is_better else -score)[None, :])
    if not _rising(log_rate, quality)[0]:
        raise Refused(f"the curve of {whose} is not monotone")
    return log_rate, quality


def _rows(rates: Floats, quality: Floats) -> tuple[Floats, Floats]:
    """Return log10 rates (NaN for none) and quality with every row sorted by rate, [R, K]."""
    order = np.argsort(rates, axis=1, kind="stable")
    positive = np.where(rates > 0, rates, math.nan)
    return np.log10(np.take_along_axis(positive, order, axis=1)), np.take_along_axis(quality, order, axis=1)


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
    good = _rising(x_a, y_a) & _rising(x_t, y_t) & (_overlap(x_a, x_t) >= LEAST_OVERLAP)
    if good.any():
        low, high = low[good], high[good]
        areas = [_pchip_area(x[good], y[good], low, high) for x, y in ((x_a, y_a), (x_t, y_t))]
        result[good] = (areas[1] - areas[0]) / (high - low)
    return result


def _overlap(x_a: Floats, x_t: Floats) -> Floats:
    """Return the common range of each row's curves as a share of the shorter one's, [R], 0 for none."""
    common = np.minimum(x_a.max(axis=1), x_t.max(axis=1)) - np.maximum(x_a.min(axis=1), x_t.min(axis=1))
    shorter = np.minimum(np.ptp(x_a, axis=1), np.ptp(x_t, axis=1))
    share: Floats = np.clip(common, 0.0, None) / np.where(shorter > 0, shorter, math.inf)
    return share


def _check_overlap(share: float, what: str) -> None:
    if share <= 0.0:
        raise Refused(f"the curves do not overlap in {what}")
    if share < LEAST_OVERLAP:
        raise Refused(
            f"the curves overlap in {what} over {share:.1%} of the shorter one, "
            f"{LEAST_OVERLAP:.0%} are needed"
        )


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
    student = stats.t.ppf(0.5 + level / 2, groups - 1)
    return float(stats.norm.cdf(-math.sqrt(groups / (groups - 1)) * student))


def _pooled(
    delta: Callable[..., float], means: list[Floats], higher_is_better: bool, groups: int
) -> tuple[Interval, float, str]:
    """Return the delta of the pooled curves with its limits, the overlap, and what is to be said of them."""
    nothing = Interval(math.nan, math.nan, math.nan)
    if means[0].shape[0] == 0:
        return nothing, math.nan, "no utterance is scored at every point of both codecs"
    sign = 1.0 if higher_is_better else -1.0
    rate_a, score_a, rate_t, score_t = means
    curves = (*_rows(rate_a, sign * score_a), *_rows(rate_t, sign * score_t))
    along = 1 if delta is bd_rate else 0
    overlap = float(_overlap(curves[along][:1], curves[along + 2][:1])[0])
    try:
        value = delta(*(table[0] for table in means), higher_is_better)
    except Refused as refusal:
        return nothing, overlap, str(refusal)
    said = [f"little overlap: {overlap:.0%} of the shorter curve"] if overlap < LITTLE_OVERLAP else []
    rows = _rate_deltas(*curves)[1:] if delta is bd_rate else sign * _quality_deltas(*curves)[1:]
    usable = rows[np.isfinite(rows)]
    lost = 1 - usable.size / rows.size
    low, high = math.nan, math.nan
    if groups < FEWEST_SPEAKERS:
        said.append(f"no interval: {groups} of the {FEWEST_SPEAKERS} speakers needed")
    elif lost > MOST_LOST:
        said.append(f"no interval: {lost:.0%} of the resamples have no delta")
    else:
        tail = _tail(groups)
        low, high = map(float, np.quantile(usable, [tail, 1 - tail]))
    return Interval(value, low, high), overlap, "; ".join(said)
