"""Cluster bootstrap: confidence intervals of means, from draws of whole speakers.

References
----------
.. [1] A. C. Davison and D. V. Hinkley, *Bootstrap Methods and their Application*, Cambridge University
   Press, 1997, sections 2.4 and 5.2 (studentised intervals) and 3.8 (hierarchical data: draw the clusters).
.. [2] A. C. Cameron, J. B. Gelbach and D. L. Miller, "Bootstrap-based improvements for inference with
   clustered errors", Review of Economics and Statistics 90(3), 2008.
.. [3] L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial proportion", Statistical
   Science 16(2), 2001 (the Wilson interval).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

RESAMPLES = 1999
FEWEST_CLUSTERS = 6
"""Below this many clusters no interval is given: too many resamples repeat one cluster, and Student's t would
mostly tell how few they are."""
LEAST_ERROR = 0.5
"""A resample's standard error counts as at least this share of the sample's.  Resamples that miss an outlying
speaker have next to none, and dividing by it would put the limits far outside the data; in simulations the
floor leaves the coverage as it is."""

_COLUMNS = 128
"""Means whose resamples are held at once."""


class Interval(NamedTuple):
    """A mean with its confidence limits; NaN where undefined."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """Return the mean over utterances with a studentised cluster bootstrap interval ([1]_, [2]_).

    Clusters (speakers) are drawn with replacement; each resample's mean is divided by its own linearised
    cluster-robust standard error, and the quantiles of those ratios make the limits.  Unlike percentile
    limits they keep their coverage with the 20 to 30 speakers of a usual test set.  Below `FEWEST_CLUSTERS`
    there are no limits.

    Parameters
    ----------
    values : array_like [N]
        Scores; missing ones are NaN and left out.
    clusters : sequence [N]
        The speaker of each score.
    weights : array_like [N], optional
        What each score counts, above 0: for a rate of errors the words it is a rate of.  By default 1.
    level : float
        Confidence level.
    resamples : int
        Number of bootstrap resamples.
    seed : int
        Seed of the resampling.
    bounds : tuple of float
        The range that the score can take; limits are cut to it.

    Returns
    -------
    Interval
        NaN throughout without any score; NaN limits with fewer than `FEWEST_CLUSTERS` clusters.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    sums, counts = cluster_sums(values, clusters, weights)
    if counts.size == 0:
        return Interval(math.nan, math.nan, math.nan)
    lows, highs = limits_of(sums[:, None], counts[:, None], level=level, resamples=resamples, seed=seed)
    low, high = float(lows[0]), float(highs[0])
    return Interval(float(sums.sum() / counts.sum()), max(low, bounds[0]), min(high, bounds[1]))


def cluster_sums(
    values: ArrayLike, clusters: Sequence[Any] | NDArray[Any], weights: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Return the weighted sum and the weight of the finite values in each cluster that has any, both [G]."""
    scores = np.asarray(values, dtype=np.float64)
    counts = np.ones(scores.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    labels = np.asarray(clusters)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"values {scores.shape} and clusters {labels.shape} must be vectors of equal length")
    kept = np.isfinite(scores)
    _, index = np.unique(labels[kept], return_inverse=True)
    sums = np.bincount(index, weights=scores[kept] * counts[kept])
    return sums.astype(np.float64), np.bincount(index, weights=counts[kept]).astype(np.float64)


@lru_cache(maxsize=64)
def resample_counts(groups: int, resamples: int, seed: int) -> Floats:
    """Return how often each cluster occurs in each resample, [resamples, groups]; rows sum to `groups`."""
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    table = drawn.astype(np.float64)
    table.setflags(write=False)
    return table


def proportion_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return a proportion with its Wilson score interval ([3]_); NaN throughout if `n` is 0."""
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def limits_of(
    sums: Floats,
    counts: Floats,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Return the limits that `bootstrap_mean` gives of many means over the same clusters at once.

    Parameters
    ----------
    sums, counts : float64 [G, P]
        Weighted sum and weight of each cluster's values, as `cluster_sums` returns them, a column a mean.
    level, resamples, seed
        As for `bootstrap_mean`.

    Returns
    -------
    tuple of float64 [P]
        Lower and upper limits; NaN with fewer than `FEWEST_CLUSTERS` clusters.
    """
    groups, number = sums.shape
    if groups < FEWEST_CLUSTERS:
        return np.full(number, math.nan), np.full(number, math.nan)
    means = sums.sum(axis=0) / counts.sum(axis=0)
    low, high = means.copy(), means.copy()
    errors = _standard_error(np.ones((1, groups)), sums, counts)[1][0]
    spread = np.flatnonzero(errors > 1e-12 * np.maximum(1.0, np.abs(means)))
    drawn = resample_counts(groups, resamples, seed)
    for start in range(0, spread.size, _COLUMNS):
        part = spread[start : start + _COLUMNS]
        mean, error = means[part], errors[part]
        their_means, their_errors = _standard_error(drawn, sums[:, part], counts[:, part])
        ratios = (their_means - mean) / np.maximum(their_errors, LEAST_ERROR * error)
        lower, upper = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], axis=0)
        # The quantiles change sides: a resample above the mean says the truth may lie below.
        low[part], high[part] = mean - upper * error, mean - lower * error
    return low, high


def _standard_error(drawn: Floats, sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Return mean and cluster-robust standard error of each resample, [B, P], of sums over counts."""
    groups = sums.shape[0]
    total = drawn @ counts
    means = (drawn @ sums) / total
    squares = drawn @ sums**2 - 2 * means * (drawn @ (sums * counts)) + means**2 * (drawn @ counts**2)
    return means, np.sqrt(np.maximum(squares, 0.0) * groups / (groups - 1)) / total
