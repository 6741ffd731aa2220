"""Non-inferiority and equivalence of paired differences: better, equivalent, inconclusive or worse.

Checks of one gate are judged together.  "Worse" and "better" rest on the sign-flip test of whole speakers,
one-sided and corrected by Holm's procedure over all checks: where nothing has changed, signs are
exchangeable, and the chance that any check is called worse is at most `ALPHA`.  "Equivalent" rests on two
one-sided tests ([1]_): the 90 % interval lies inside the margin.  That needs no correction, because a gate
passes as a whole only where every check does ([2]_).

References
----------
.. [1] D. J. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for
   assessing the equivalence of average bioavailability", J. Pharmacokinetics and Biopharmaceutics 15, 1987.
.. [2] R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24(4), 1982
   (intersection-union tests).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from codecbench.analysis.bootstrap import bootstrap_mean, cluster_sums
from codecbench.analysis.paired import compare, flips_for, holm, smallest_p

ALPHA = 0.05
"""Most chance that an unchanged system fails the whole gate; and the level of both one-sided tests of
equivalence, whose interval therefore is one of 90 %."""
BETTER, EQUIVALENT, INCONCLUSIVE, WORSE = "better", "equivalent", "inconclusive", "worse"
VERDICTS = (BETTER, EQUIVALENT, INCONCLUSIVE, WORSE)


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    ``gain`` is the mean difference, positive where the new system is better, with its interval ``low`` to
    ``high``.  ``p_worse`` and ``p_better`` are Holm-corrected over the gate.  ``power`` is the chance that
    a true loss of one margin is called worse with this sample; ``needed`` how many utterances like these
    would settle an inconclusive check if the mean stays as it is, NaN otherwise.
    """

    verdict: str
    gain: float
    low: float
    high: float
    margin: float
    p_worse: float
    p_better: float
    power: float
    needed: float
    n: int
    clusters: int


def judge(
    gains: Sequence[ArrayLike],
    speakers: Sequence[NDArray[np.str_]],
    margins: Sequence[float],
    *,
    seed: int = 0,
    alpha: float = ALPHA,
) -> list[Verdict]:
    """Judge all checks of a gate.

    Parameters
    ----------
    gains : sequence of array_like [N]
        For each check the paired differences, positive where the new system is better, NaN where missing.
    speakers : sequence of array [N]
        The speaker of each difference.  With a single speaker each utterance counts as its own.
    margins : sequence of float
        The loss that each check tolerates, above 0, in the metric's unit.
    seed : int
        Of sign patterns and bootstrap.
    alpha : float
        Most chance of a false "worse" among all checks, and of each false "equivalent"; the interval's level
        is ``1 - 2 * alpha``.
    """
    samples = [_sample(values, names) for values, names in zip(gains, speakers, strict=True)]
    flips = _flips(len(samples), alpha)
    means, one_sided = [], []
    for values, clusters in samples:
        found = compare(values, np.zeros(values.size), clusters, flips=flips, seed=seed)
        means.append(found)
        # All signs flipped at once give the mirror image, so that each side has half of the patterns.
        one_sided.append((found.p_value / 2, 1 - found.p_value / 2) if found.difference < 0
                         else (1 - found.p_value / 2, found.p_value / 2))  # fmt: skip
    p_worse, p_better = (holm([pair[side] for pair in one_sided]) for side in (0, 1))
    verdicts = []
    for index, ((values, clusters), margin) in enumerate(zip(samples, margins, strict=True)):
        interval = bootstrap_mean(values, clusters, level=1 - 2 * alpha, seed=seed)
        error, groups = _standard_error(values, clusters)
        word = _word((interval.low, interval.high), margin, p_worse[index], p_better[index], alpha)
        verdicts.append(
            Verdict(
                word, interval.mean, interval.low, interval.high, margin, float(p_worse[index]),
                float(p_better[index]), power(error, groups, margin, len(samples), alpha),
                _needed(interval.mean, error, groups, margin, n=means[index].n, checks=len(samples),
                        alpha=alpha)
                if word == INCONCLUSIVE else math.nan, means[index].n, groups,
            )
        )  # fmt: skip
    return verdicts


def power(error: float, clusters: int, margin: float, checks: int, alpha: float = ALPHA) -> float:
    """Return the chance to call a true loss of one margin worse, with this standard error; a lower bound.

    That of Student's t against the strictest step of Holm's procedure; 0 where so few clusters cannot give a
    p-value that small.
    """
    if clusters < 2 or smallest_p(clusters, _flips(checks, alpha)) / 2 > alpha / checks:
        return 0.0
    if error == 0:
        return 1.0
    critical = float(stats.t.ppf(1 - alpha / checks, clusters - 1))
    # The interval must leave the margin too, which it does not in this share of samples.
    return max(0.0, float(stats.nct.sf(critical, clusters - 1, margin / error)) - alpha)


def _sample(values: ArrayLike, speakers: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    scores = np.asarray(values, dtype=np.float64)
    kept = np.isfinite(scores)
    if np.unique(speakers[kept]).size == 1:
        speakers = np.arange(scores.size).astype(str)
    return scores[kept], speakers[kept]


def _flips(checks: int, alpha: float) -> int:
    """Return enough sign patterns for two sides of these checks at a level."""
    return flips_for(round(2 * checks * ALPHA / alpha))


def _word(interval: tuple[float, float], margin: float, p_worse: float, p_better: float, alpha: float) -> str:
    if -margin < interval[0] and interval[1] < margin:
        return EQUIVALENT
    if p_worse <= alpha:
        return WORSE
    return BETTER if p_better <= alpha else INCONCLUSIVE


def _standard_error(values: NDArray[np.float64], clusters: NDArray[np.str_]) -> tuple[float, int]:
    """Return the cluster-robust standard error of the mean and the number of clusters."""
    sums, counts = cluster_sums(values, clusters)
    groups = int(counts.size)
    if groups < 2:
        return math.nan, groups
    left = sums - counts * sums.sum() / counts.sum()
    return float(math.sqrt(np.square(left).sum() * groups / (groups - 1)) / counts.sum()), groups


def _needed(
    mean: float, error: float, groups: int, margin: float, *, n: int, checks: int, alpha: float
) -> float:
    """Return how many utterances would settle a check, if mean and spread stay as they are."""
    if groups < 2 or not error > 0:
        return math.nan
    least = math.ceil(math.log2(checks / alpha)) * n / groups  # below it the smallest p-value is too large
    one_sided = float(stats.norm.ppf(1 - alpha / checks))
    ways = [(one_sided * error / abs(mean)) ** 2] if mean else []
    if abs(mean) < margin:
        room = margin - abs(mean)
        equal = n * (float(stats.norm.ppf(1 - alpha)) * error / room) ** 2
        return float(math.ceil(max(n + 1, min([equal, *(max(n * way, least) for way in ways)]))))
    return float(math.ceil(max(n + 1, least, n * ways[0])))
