"""Bjontegaard deltas: how much rate, or how much quality, lies between two rate-quality curves.

A curve is interpolated by a monotone piecewise cubic (pchip) over the logarithm of the rate; the mean
distance over the common range is the delta.  A pair of curves for which that has no meaning is refused with
the reason rather than extrapolated.

References
----------
.. [1] G. Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T SG16 VCEG-M33, 2001.
.. [2] G. Bjontegaard, "Improvements of the BD-PSNR model", ITU-T SG16 VCEG-AI11, 2008 (piecewise cubic).
.. [3] T. C. Hesterberg, "What teachers should know about the bootstrap", The American Statistician
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

from codecbench.analysis import curves
from codecbench.analysis.bootstrap import RESAMPLES, Floats, Interval, bootstrap_mean, resample_counts

FEWEST_POINTS = 3
LITTLE_OVERLAP = 0.5
"""Share of the shorter curve's range within the other's from which nothing is said of it."""

FEWEST_CLIPS = 0.5
"""Share of the utterances that must have a delta of their own for the mean of these to be given."""

FEWEST_SPEAKERS = 6
"""Percentile limits over fewer speakers hold 74 % (of three) to 91 % (of five) where 95 % are meant."""
MOST_LOST = 0.05
"""Share of resamples that may have no delta before the interval is refused."""


Range = tuple[float, float]
NOWHERE: Range = (math.nan, math.nan)
NOTHING = Interval(math.nan, math.nan, math.nan)


class Refused(ValueError):
    """Two curves have no Bjontegaard delta; the message is the reason."""


@dataclass(frozen=True)
class BdResult:
    """BD-rate (per cent) and BD-quality (units of the metric) of a test codec against an anchor.

    ``rate`` and ``quality`` are of the curves through the means, with bootstrap limits; ``clip_rate`` and
    ``clip_quality`` are means over the deltas of single utterances, of which ``rate_clips`` and
    ``quality_clips`` had one; under half of the utterances there is no mean.  ``rate_over`` is the range of
    scores that the rate was averaged over, ``quality_over`` that of rates in kbit/s; ``rate_overlap`` (in
    quality) and ``quality_overlap`` (in log rate) are these ranges' shares of the shorter curve's.
    ``rate_reason`` and ``quality_reason`` say why a pooled delta was refused, why it has no limits, or that
    it rests on little overlap.
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
    rate_over: Range = NOWHERE
    quality_over: Range = NOWHERE
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
    _check_overlap(float(curves.overlap(anchor[1], test[1])[0]), "quality")
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
    _check_overlap(float(curves.overlap(anchor[0], test[0])[0]), "rate")
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
    speakers, widened for their number ([3]_); with fewer than `FEWEST_SPEAKERS` there are none.

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
    speakers = np.unique(np.asarray(clusters)[kept], return_inverse=True)[1]
    rates_a, scores_a, rates_t, scores_t = (table[kept] for table in tables)
    ones = np.ones(speakers.size)
    lengths = ones if seconds is None else np.asarray(seconds, dtype=np.float64)[kept]
    groups = int(speakers.max(initial=-1)) + 1
    drawn = _draws(groups, resamples, seed)
    means = [
        _pooled_means(values, weights, speakers, drawn)
        for values, weights in ((rates_a, lengths), (scores_a, ones), (rates_t, lengths), (scores_t, ones))
    ]
    rate, rate_overlap, rate_over, rate_reason = _pooled(bd_rate, means, higher_is_better, groups)
    quality, quality_overlap, quality_over, quality_reason = _pooled(
        bd_quality, means, higher_is_better, groups
    )
    singles = (*curves.rows(rates_a, sign * scores_a), *curves.rows(rates_t, sign * scores_t))
    enough = min(rates_a.shape[1], rates_t.shape[1]) >= FEWEST_POINTS
    missing = np.full(int(kept.sum()), math.nan)
    clip_rates = _rate_deltas(*singles) if enough else missing
    clip_qualities = sign * _quality_deltas(*singles) if enough else missing
    return BdResult(
        rate=rate,
        quality=quality,
        clip_rate=_of_clips(clip_rates, speakers, seed),
        clip_quality=_of_clips(clip_qualities, speakers, seed),
        rate_clips=int(np.isfinite(clip_rates).sum()),
        quality_clips=int(np.isfinite(clip_qualities).sum()),
        clips=int(kept.sum()),
        rate_overlap=rate_overlap,
        quality_overlap=quality_overlap,
        rate_over=rate_over,
        quality_over=quality_over,
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
    log_rate, quality = curves.rows(rate[None, :], (score if higher_is_better else -score)[None, :])
    if not curves.rising(log_rate, quality)[0]:
        raise Refused(f"the curve of {whose} is not monotone")
    return log_rate, quality


def _rate_deltas(rate_a: Floats, quality_a: Floats, rate_t: Floats, quality_t: Floats) -> Floats:
    """Return the BD-rate of each row in per cent, NaN where refused, [R]."""
    delta = curves.mean_distance(quality_a, rate_a, quality_t, rate_t)
    return 100.0 * (10.0**delta - 1.0)


def _quality_deltas(rate_a: Floats, quality_a: Floats, rate_t: Floats, quality_t: Floats) -> Floats:
    """Return the BD-quality of each row, NaN where refused, [R]."""
    return curves.mean_distance(rate_a, quality_a, rate_t, quality_t)


def _check_overlap(share: float, what: str) -> None:
    if share <= 0.0:
        raise Refused(f"the curves do not overlap in {what}")
    if share < curves.LEAST_OVERLAP:
        raise Refused(
            f"the curves overlap in {what} over {share:.1%} of the shorter one, "
            f"{curves.LEAST_OVERLAP:.0%} are needed"
        )


def _of_clips(deltas: Floats, speakers: NDArray[Any], seed: int) -> Interval:
    """Return the mean of the utterances' own deltas, nothing where too few have one."""
    if np.isfinite(deltas).sum() < FEWEST_CLIPS * deltas.size:
        return NOTHING
    return bootstrap_mean(deltas, speakers, seed=seed)


def _common(a: Floats, t: Floats, sign: float) -> Range:
    """Return the common range of two curves: of scores by their sign, for sign 0 of rates from their logs."""
    ends = max(a.min(), t.min()), min(a.max(), t.max())
    low, high = sorted(float(sign * end) if sign else float(10.0**end) for end in ends)
    return low, high


def _draws(groups: int, resamples: int, seed: int) -> Floats:
    """Return how often each speaker counts: once each first, then as each resample says, [1 + B, G]."""
    if groups == 0:
        return np.zeros((0, 0))
    return np.vstack([np.ones((1, groups)), resample_counts(groups, resamples, seed)])


def _pooled_means(values: Floats, weights: Floats, speakers: NDArray[np.intp], drawn: Floats) -> Floats:
    """Return the weighted mean over the utterances of each draw of speakers, of each column, [1 + B, K]."""
    if not drawn.size:
        return np.zeros((0, values.shape[1]))
    sums = np.stack([np.bincount(speakers, weights=column * weights) for column in values.T], axis=1)
    means: Floats = (drawn @ sums) / (drawn @ np.bincount(speakers, weights=weights))[:, None]
    return means


def _tail(groups: int, level: float = 0.95) -> float:
    """Return the share beyond each percentile limit, widened for the number of clusters ([3]_)."""
    student = stats.t.ppf(0.5 + level / 2, groups - 1)
    return float(stats.norm.cdf(-math.sqrt(groups / (groups - 1)) * student))


def _pooled(
    delta: Callable[..., float], means: list[Floats], higher_is_better: bool, groups: int
) -> tuple[Interval, float, Range, str]:
    """Return the delta of the pooled curves with its limits, overlap and range, and what is to be said."""
    if means[0].shape[0] == 0:
        return NOTHING, math.nan, NOWHERE, "no utterance is scored at every point of both codecs"
    sign = 1.0 if higher_is_better else -1.0
    rate_a, score_a, rate_t, score_t = means
    pair = (*curves.rows(rate_a, sign * score_a), *curves.rows(rate_t, sign * score_t))
    along = 1 if delta is bd_rate else 0
    overlap = float(curves.overlap(pair[along][:1], pair[along + 2][:1])[0])
    over = _common(pair[along][0], pair[along + 2][0], sign if along else 0.0)
    try:
        value = delta(*(table[0] for table in means), higher_is_better)
    except Refused as refusal:
        return NOTHING, overlap, NOWHERE, str(refusal)
    said = [f"little overlap: {overlap:.0%} of the shorter curve"] if overlap < LITTLE_OVERLAP else []
    rows = _rate_deltas(*pair)[1:] if delta is bd_rate else sign * _quality_deltas(*pair)[1:]
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
    return Interval(value, low, high), overlap, over, "; ".join(said)
