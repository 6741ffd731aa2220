"""Paired randomisation test: is one codec better than another on the same utterances?

References
----------
.. [1] A. M. Winkler et al., "Permutation inference for the general linear model", NeuroImage 92, 2014
   (sign-flipping of exchangeable blocks).
.. [2] B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Statistical Applications in
   Genetics and Molecular Biology 9(1), 2010.
.. [3] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
   6(2), 1979.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from codecbench.analysis.bootstrap import Floats, bootstrap_mean, cluster_sums, limits_of

FLIPS = 9_999
MOST_FLIPS = 99_999
EXACT_CLUSTERS = 13
"""Up to this many clusters all sign patterns are counted; beyond it they are drawn at random."""

_CHUNK = 10_000
_MOST_SIGNS = 1 << 24
"""Signs drawn at once: with thousands of clusters fewer patterns than `_CHUNK`."""
_IN_CACHE = 256
"""Patterns whose sums are held at once: more would leave the processor's cache between two steps."""


class Comparison(NamedTuple):
    """Mean paired difference ``a - b`` with its interval, the p-value of "no difference", pairs scored."""

    difference: float
    low: float
    high: float
    p_value: float
    n: int
    clusters: int


def compare(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    weights: ArrayLike | None = None,
    flips: int = FLIPS,
    seed: int = 0,
) -> Comparison:
    """Compare two codecs on the same utterances.

    Under the null hypothesis a speaker's summed difference is as likely positive as negative, so the signs of
    whole speakers are flipped ([1]_): all patterns for few speakers, else `flips` random ones and the
    observed one, which keeps the p-value above zero ([2]_).  The interval is `bootstrap_mean` of the
    differences.

    Parameters
    ----------
    a, b : array_like [N]
        Scores of the two codecs on the same utterances; a pair with a missing one (NaN) is left out.
    clusters : sequence [N]
        The speaker of each utterance.
    weights : array_like [N], optional
        See `bootstrap_mean`.
    flips : int
        Number of random sign patterns.
    seed : int
        Seed of the patterns and of the bootstrap.
    """
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    sums, _ = cluster_sums(differences, clusters, weights)
    interval = bootstrap_mean(differences, clusters, weights=weights, seed=seed)
    p_value = float(_sign_flip(sums[:, None], flips, seed)[0]) if sums.size else math.nan
    count = int(np.isfinite(differences).sum())
    return Comparison(interval.mean, interval.low, interval.high, p_value, count, sums.size)


def compare_all(
    scores: pd.DataFrame,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    weights: ArrayLike | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every pair of columns and correct over that family with Holm's procedure.

    Parameters
    ----------
    scores : DataFrame [N utterances, K codecs]
        One metric; NaN where missing.
    clusters : sequence [N]
        The speaker of each row.
    weights : array_like [N], optional
        What each row counts; by default 1.
    seed : int
        Seed of the sign patterns and of the bootstrap.

    Returns
    -------
    DataFrame
        One row a pair: ``a, b, difference, low, high, n, clusters, p_value, p_holm``.
    """
    columns = ["a", "b", *Comparison._fields, "p_holm"]
    pairs = list(combinations(range(scores.shape[1]), 2))
    if not pairs:
        return pd.DataFrame(columns=columns)
    labels, index = np.unique(np.asarray(clusters), return_inverse=True)
    table = np.ascontiguousarray(scores.to_numpy(dtype=np.float64).T)
    counts = np.ones(table.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    sums, totals, sizes = (np.zeros((labels.size, len(pairs))) for _ in range(3))
    for number, (a, b) in enumerate(pairs):
        found = _by_cluster(table[a] - table[b], counts, index, labels.size)
        sums[:, number], totals[:, number], sizes[:, number] = found
    n = sizes.sum(axis=0).astype(np.int64)
    with np.errstate(invalid="ignore"):
        differences = sums.sum(axis=0) / totals.sum(axis=0)
    low, high = _limits(sums, totals, sizes > 0, seed)
    p_values = np.where(n > 0, _sign_flip(sums, flips_for(len(pairs)), seed), math.nan)
    frame = pd.DataFrame({
        "a": [scores.columns[a] for a, _ in pairs], "b": [scores.columns[b] for _, b in pairs],
        "difference": differences, "low": low, "high": high, "p_value": p_values, "n": n,
        "clusters": (sizes > 0).sum(axis=0), "p_holm": holm(p_values),
    })  # fmt: skip
    return frame[columns]


def _limits(sums: Floats, counts: Floats, there: NDArray[np.bool_], seed: int) -> tuple[Floats, Floats]:
    """Return the bootstrap limits of each column, [P], over the clusters that are there, all [G, P]."""
    low, high = np.full(sums.shape[1], math.nan), np.full(sums.shape[1], math.nan)
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        same = np.flatnonzero(which == number)
        if pattern.any():
            rows = np.ix_(pattern, same)
            low[same], high[same] = limits_of(sums[rows], counts[rows], seed=seed)
    return low, high


def against(
    best: ArrayLike,
    others: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    weights: ArrayLike | None = None,
    seed: int = 0,
) -> Floats:
    """Return the p-value of each codec against one, corrected over that family with Holm's procedure, [K].

    Parameters
    ----------
    best : array_like [N]
        Scores of the one; NaN where missing.
    others : array_like [N, K]
        Scores of the others.
    clusters : sequence [N]
        The speaker of each row.
    weights : array_like [N], optional
        What each row counts; by default 1.
    seed : int
        Seed of the sign patterns.
    """
    differences = np.asarray(best, dtype=np.float64)[:, None] - np.asarray(others, dtype=np.float64)
    labels, index = np.unique(np.asarray(clusters), return_inverse=True)
    counts = np.ones(len(differences)) if weights is None else np.asarray(weights, dtype=np.float64)
    sums = np.stack([_by_cluster(one, counts, index, labels.size)[0] for one in differences.T], axis=1)
    p_values = _sign_flip(sums, flips_for(sums.shape[1]), seed)
    return holm(np.where(np.isfinite(differences).any(axis=0), p_values, math.nan))


def _by_cluster(
    differences: Floats, counts: Floats, index: NDArray[np.intp], clusters: int
) -> tuple[Floats, Floats, Floats]:
    """Return each cluster's weighted sum of differences, its weight, and how many it has, [G]."""
    kept = np.isfinite(differences)
    if not kept.all():
        differences, counts, index = differences[kept], counts[kept], index[kept]
    sums: Floats = np.bincount(index, weights=differences * counts, minlength=clusters).astype(np.float64)
    totals: Floats = np.bincount(index, weights=counts, minlength=clusters).astype(np.float64)
    return sums, totals, np.bincount(index, minlength=clusters).astype(np.float64)


def holm(p_values: ArrayLike) -> Floats:
    """Return Holm-adjusted p-values ([3]_), [K]; missing ones (NaN) stay missing and do not count."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, math.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps * p[order]))
    return adjusted


def smallest_p(clusters: int, flips: int = MOST_FLIPS) -> float:
    """Return the smallest p-value that this many clusters and patterns give, however large the difference."""
    return 2.0 ** (1 - clusters) if clusters <= EXACT_CLUSTERS else 1.0 / (flips + 1)


def flips_for(pairs: int) -> int:
    """Return enough patterns for the smallest p-value to survive the correction over `pairs`."""
    return min(MOST_FLIPS, max(FLIPS, 200 * pairs - 1))


def _sign_flip(sums: Floats, flips: int, seed: int) -> Floats:
    """Return the two-sided p-value of each column of cluster sums, [G, P] -> [P]."""
    groups = sums.shape[0]
    observed = np.abs(sums.sum(axis=0))
    threshold = observed - 1e-9 * np.abs(sums).sum(axis=0)
    exact = groups <= EXACT_CLUSTERS
    # By symmetry the first sign may stay positive when all patterns are counted.
    total = 2 ** (groups - 1) if exact else flips
    generator = np.random.default_rng(seed)
    extreme = np.zeros(sums.shape[1])
    drawn = max(1, min(_CHUNK, _MOST_SIGNS // groups))
    for start in range(0, total, drawn):
        rows = min(drawn, total - start)
        bits = _patterns(start, rows, groups) if exact else generator.integers(0, 2, size=(rows, groups))
        signs = 1.0 - 2.0 * bits
        for first in range(0, rows, _IN_CACHE):
            flipped = np.abs(signs[first : first + _IN_CACHE] @ sums)
            extreme += np.count_nonzero(flipped >= threshold, axis=0)
    p_values: Floats = extreme / total if exact else (extreme + 1) / (total + 1)
    return p_values


def _patterns(start: int, rows: int, groups: int) -> NDArray[np.int64]:
    """Return the sign patterns numbered `start` onwards as bits, [rows, groups]."""
    numbers = np.arange(start, start + rows)
    bits: NDArray[np.int64] = (numbers[:, None] >> np.arange(groups)[None, :]) & 1
    return bits
