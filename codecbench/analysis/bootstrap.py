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
"""Below this many clusters too many resamples repeat one cluster; Student's t takes over."""
LEAST_ERROR = 0.5
"""A resample's standard error counts as at least this share of the sample's.  Resamples that miss an outlying
speaker have next to none, and dividing by it would put the limits far outside the data; in simulations the
floor leaves the coverage as it is."""


class Interval(NamedTuple):
    """A mean with its confidence limits; NaN where undefined."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """Return the mean over utterances with a studentised cluster bootstrap interval ([1]_, [2]_).

    Clusters (speakers) are drawn with replacement; each resample's mean is divided by its own linearised
    cluster-robust standard error, and the quantiles of those ratios make the limits.  Unlike percentile
    limits they keep their coverage with the 20 to 30 speakers of a usual test set.  With fewer clusters the
    limits are those of Student's t on the same standard error; with a single cluster each utterance counts as
    its own, and the interval then speaks for that voice alone.

    Parameters
    ----------
    values : array_like [N]
        Scores; missing ones are NaN and left out.
    clusters : sequence [N]
        The speaker of each score.
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
        NaN throughout without any score; NaN limits with a single one.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    sums, counts = cluster_sums(values, clusters)
    if counts.size == 0:
        return Interval(math.nan, math.nan, math.nan)
    if counts.size == 1:
        scores = np.asarray(values, dtype=np.float64)
        sums = scores[np.isfinite(scores)]
        counts = np.ones(sums.size)
    low, high = _limits(sums, counts, level, resamples, seed)
    return Interval(float(sums.sum() / counts.sum()), max(low, bounds[0]), min(high, bounds[1]))


def cluster_sums(values: ArrayLike, clusters: Sequence[Any] | NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the sum and the number of finite values in each cluster that has any, both [G]."""
    scores = np.asarray(values, dtype=np.float64)
    labels = np.asarray(clusters)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"values {scores.shape} and clusters {labels.shape} must be vectors of equal length")
    kept = np.isfinite(scores)
    _, index = np.unique(labels[kept], return_inverse=True)
    sums = np.bincount(index, weights=scores[kept])
    return sums.astype(np.float64), np.bincount(index).astype(np.float64)


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


def _limits(sums: Floats, counts: Floats, level: float, resamples: int, seed: int) -> tuple[float, float]:
    groups = sums.size
    if groups < 2:
        return math.nan, math.nan
    mean = sums.sum() / counts.sum()
    error = float(_standard_error(np.ones((1, groups)), sums, counts)[1][0])
    if error <= 1e-12 * max(1.0, abs(mean)):
        return float(mean), float(mean)
    tail = (1 - level) / 2
    if groups < FEWEST_CLUSTERS:
        half = float(stats.t.ppf(1 - tail, groups - 1)) * error
        return float(mean - half), float(mean + half)
    means, errors = _standard_error(resample_counts(groups, resamples, seed), sums, counts)
    ratios = (means - mean) / np.maximum(errors, LEAST_ERROR * error)
    lower, upper = np.quantile(ratios, [tail, 1 - tail])
    # The quantiles change sides: a resample above the mean says the truth may lie below.
    return float(mean - upper * error), float(mean - lower * error)


def _standard_error(drawn: Floats, sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Return mean and cluster-robust standard error of each resample, [B], of the ratio of sums to counts."""
    groups = sums.size
    total = drawn @ counts
    means = (drawn @ sums) / total
    squares = drawn @ sums**2 - 2 * means * (drawn @ (sums * counts)) + means**2 * (drawn @ counts**2)
    return means, np.sqrt(np.maximum(squares, 0.0) * groups / (groups - 1)) / total
