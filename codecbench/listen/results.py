"""What answers to a listening test say: medians and quartiles, means with intervals, and tests of pairs.

References: ITU-R BS.1534-3, 2015, 9 (median and quartiles, as scores need not be normal); intervals and tests
are `codecbench.analysis.crossed`, over listeners and utterances both for MUSHRA and over listeners for ABX,
with Holm's correction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from codecbench.analysis.bootstrap import proportion_interval
from codecbench.analysis.crossed import crossed_mean
from codecbench.analysis.paired import holm
from codecbench.listen.key import REFERENCE, Key
from codecbench.listen.screening import Excluded, screen_choices, screen_ratings

SCORES = (0.0, 100.0)
LISTENERS_ALONE = "There was one utterance: the intervals are over listeners, for that utterance alone."
ONE_LISTENER = "There was one listener: the intervals are over utterances, for that listener alone."
BOTH = (
    "The 95 % intervals and the tests of pairs count listeners and utterances both as samples (two-way "
    "cluster-robust, Student's t), so they speak for other listeners and other speech of this kind."
)
CHOICES_METHOD = (
    "The 95 % intervals and one-sided tests against guessing count listeners as samples (cluster-robust, "
    "Student's t, no smaller an error than that of guessing), for these utterances; p is corrected over the "
    "conditions by Holm's procedure."
)
CHOICES_ONE = (
    "There was one listener: the interval is Wilson's and p that of the exact binomial test against "
    "guessing, corrected over the conditions by Holm's procedure; both speak for that listener alone."
)


_PAIR = ["a", "b", "difference", "low", "high", "n", "listeners", "p_value"]


@dataclass(frozen=True)
class Result:
    """One row a condition, one a pair of conditions (MUSHRA only), who is left out, and how it was made.

    ``table`` has for MUSHRA ``condition, kbps, median, q1, q3, mean, low, high, n, listeners`` with scores
    from 0 to 100, for ABX ``condition, kbps, mean, low, high, n, listeners, p_value, p_holm`` with the share
    of right answers.  ``pairs`` has ``a, b, difference, low, high, n, listeners, p_value, p_holm``.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    excluded: tuple[Excluded, ...]
    method: str


def of_ratings(table: pd.DataFrame, key: Key) -> Result:
    """Return what MUSHRA ratings say: one row a rating, ``listener, trial, condition, value, time_ms``."""
    excluded = screen_ratings(table, max(key["anchors"], key=key["anchors"].__getitem__))
    kept = _without(table, excluded)
    rows = [
        {"condition": label, "kbps": kbps, **_scores(kept[kept["condition"] == name])}
        for name, label, kbps in _shown(key)
    ]
    listeners, utterances = kept["listener"].nunique(), kept["trial"].nunique()
    method = ONE_LISTENER if listeners == 1 else LISTENERS_ALONE if utterances == 1 else BOTH
    return Result(pd.DataFrame(rows), _pairs(kept, key), tuple(excluded), method)


def of_choices(table: pd.DataFrame, key: Key) -> Result:
    """Return what ABX answers say: one row an answer, ``listener, trial, condition, value, time_ms``."""
    excluded = screen_choices(table)
    kept = _without(table, excluded)
    rows = []
    for name, told in key["conditions"].items():
        part = kept[kept["condition"] == name]
        rows.append({"condition": told["label"], "kbps": told["kbps"], **_share(part)})
    found = pd.DataFrame(rows)
    found["p_holm"] = holm(found["p_value"].to_numpy())
    method = CHOICES_ONE if kept["listener"].nunique() == 1 else CHOICES_METHOD
    return Result(found, pd.DataFrame(columns=[*_PAIR, "p_holm"]), tuple(excluded), method)


def _without(table: pd.DataFrame, excluded: list[Excluded]) -> pd.DataFrame:
    return table[~table["listener"].isin([item.listener for item in excluded])]


def _shown(key: Key) -> list[tuple[str, str, float | None]]:
    """Return name, label and rate of what was rated: reference, conditions, anchors."""
    conditions = [(name, told["label"], told["kbps"]) for name, told in key["conditions"].items()]
    return [(REFERENCE, REFERENCE, None), *conditions, *((name, name, None) for name in key["anchors"])]


def _scores(part: pd.DataFrame) -> dict[str, Any]:
    scores = part["value"].to_numpy(dtype=np.float64)
    q1, median, q3 = np.quantile(scores, [0.25, 0.5, 0.75]) if scores.size else [math.nan] * 3
    mean = crossed_mean(
        scores, part["listener"].to_numpy(), part["trial"].to_numpy(), least_error=_least(scores)
    )
    low, high = mean.limits(bounds=SCORES)
    return {
        "median": median, "q1": q1, "q3": q3, "mean": mean.mean, "low": low, "high": high,
        "n": scores.size, "listeners": part["listener"].nunique(),
    }  # fmt: skip


def _least(scores: np.ndarray[Any, Any]) -> float:
    """Return the standard error that comes of rounding to whole scores."""
    return 1 / math.sqrt(12 * scores.size) if scores.size else 0.0


def _pairs(kept: pd.DataFrame, key: Key) -> pd.DataFrame:
    """Compare all conditions pairwise on what each listener gave them in each trial."""
    wide = kept.pivot(index=["listener", "trial"], columns="condition", values="value")
    who, trials = (wide.index.get_level_values(level).to_numpy() for level in (0, 1))
    rows = []
    for (a, one), (b, other) in combinations(key["conditions"].items(), 2):
        if a not in wide or b not in wide:
            continue
        differences = (wide[a] - wide[b]).to_numpy(dtype=np.float64)
        used = np.isfinite(differences)
        mean = crossed_mean(differences, who, trials, least_error=_least(differences[used]))
        low, high = mean.limits()
        rows.append({
            "a": one["label"], "b": other["label"], "difference": mean.mean, "low": low, "high": high,
            "n": int(used.sum()), "listeners": len(set(who[used])), "p_value": mean.p_value(),
        })  # fmt: skip
    found = pd.DataFrame(rows, columns=_PAIR)
    found["p_holm"] = holm(found["p_value"].to_numpy(dtype=np.float64))
    return found


def _share(part: pd.DataFrame) -> dict[str, Any]:
    """Return the share of right answers with the wider of two intervals, and the p-value against guessing."""
    right, n, listeners = int(part["value"].sum()), len(part), part["listener"].nunique()
    share, low, high = proportion_interval(right, n)
    p_value = float(stats.binom.sf(right - 1, n, 0.5)) if n else math.nan
    if listeners > 1:
        # Each answer is its own column, so that only listeners count as clusters.
        mean = crossed_mean(
            part["value"].to_numpy(dtype=np.float64), part["listener"].to_numpy(), np.arange(n),
            least_error=math.sqrt(0.25 / n),
        )  # fmt: skip
        p_value = mean.p_value(0.5, greater=True)
        limits = mean.limits(bounds=(0.0, 1.0))
        low, high = min(low, limits[0]), max(high, limits[1])
    return {"mean": share, "low": low, "high": high, "n": n, "listeners": listeners, "p_value": p_value}
