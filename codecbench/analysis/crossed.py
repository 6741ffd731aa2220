"""Means over listeners and utterances both: crossed clusters.

Each listener hears the same utterances, so that answers are alike within a listener and within an utterance.
An interval that counts only one of the two speaks for other listeners on these utterances; one that counts
both speaks for other utterances too.

References
----------
.. [1] A. C. Cameron, J. B. Gelbach and D. L. Miller, "Robust inference with multiway clustering", Journal of
   Business & Economic Statistics 29(2), 2011, eq. 2.11: the variance is that clustered by rows, plus that by
   columns, less that by both together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from codecbench.analysis.bootstrap import cluster_sums

Labels = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True)
class CrossedMean:
    """A mean, its standard error, and the degrees of freedom of Student's t; NaN and 0 where undefined."""

    mean: float
    error: float
    df: int

    def limits(
        self, level: float = 0.95, bounds: tuple[float, float] = (-math.inf, math.inf)
    ) -> tuple[float, float]:
        """Return the confidence limits, cut to the range that the value can take."""
        if self.df < 1:
            return math.nan, math.nan
        half = float(stats.t.ppf(0.5 + level / 2, self.df)) * self.error
        return max(self.mean - half, bounds[0]), min(self.mean + half, bounds[1])

    def p_value(self, null: float = 0.0, *, greater: bool = False) -> float:
        """Return the p-value of "the mean is ``null``", two-sided or against a ``greater`` one."""
        if self.df < 1 or self.error == 0:
            return math.nan
        t = (self.mean - null) / self.error
        return float(stats.t.sf(t, self.df) if greater else 2 * stats.t.sf(abs(t), self.df))


def crossed_mean(
    values: ArrayLike, rows: Labels, columns: Labels, *, least_error: float = 0.0
) -> CrossedMean:
    """Return the mean with its two-way cluster-robust standard error ([1]_).

    The degrees of freedom are those of the way with fewer clusters, less one.  A way with a single cluster is
    passed over: the result then speaks for that listener, or that utterance, alone.

    Parameters
    ----------
    values : array_like [N]
        Scores; missing ones are NaN and left out.
    rows, columns : sequence [N]
        Listener and utterance of each score.
    least_error : float
        What the standard error is at least, where the scores' resolution or guessing sets a bound.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    scores = np.asarray(values, dtype=np.float64)
    if not scores.shape == np.shape(rows) == np.shape(columns):
        raise ValueError(f"{scores.shape} values, {np.shape(rows)} rows and {np.shape(columns)} columns")
    kept = np.isfinite(scores)
    ways = [np.unique(np.asarray(labels)[kept], return_inverse=True)[1] for labels in (rows, columns)]
    scores = scores[kept]
    if not scores.size:
        return CrossedMean(math.nan, math.nan, 0)
    counts = [way.max() + 1 for way in ways]
    used = [way for way, count in zip(ways, counts, strict=True) if count > 1]
    if not used:
        return CrossedMean(float(scores.mean()), math.nan, 0)
    variances = [_variance(scores, way) for way in used]
    both = _variance(scores, ways[0] * counts[1] + ways[1]) if len(used) == 2 else 0.0
    # The difference may fall below either of its parts by chance.
    variance = max(*variances, sum(variances) - both) if len(used) == 2 else variances[0]
    df = min(count for count in counts if count > 1) - 1
    return CrossedMean(float(scores.mean()), max(math.sqrt(variance), least_error), int(df))


def _variance(scores: NDArray[np.float64], clusters: NDArray[np.int64]) -> float:
    """Return the cluster-robust variance of the mean; each score its own cluster gives the usual one."""
    sums, counts = cluster_sums(scores - scores.mean(), clusters)
    groups = sums.size
    return float((sums**2).sum() / counts.sum() ** 2 * groups / (groups - 1))
