"""How far metrics agree with each other: rank correlations over codecs and over utterances.

Agreement between metrics is none with listeners: two that share a blind spot agree as well.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codecbench.analysis.runs import scored, without_truth
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

CODECS, UTTERANCES = "codecs", "utterances"
FEWEST = 4
"""Codecs at a rate, or utterances of one, from which ranks are correlated at all."""


def agreement(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of every two metrics, each turned so that higher is better.

    Parameters
    ----------
    run : Run
        The run, for its metrics and records.
    summary : DataFrame
        Of `codecbench.analysis.summary.summary`.

    Returns
    -------
    DataFrame
        Columns ``one``, ``other`` (metrics, as the run has them), ``over``, ``n`` and ``rho``.  Over
        ``codecs`` the means of all codecs and points are correlated, ground truth left out, and ``n`` counts
        these.  Over ``utterances`` the scores of the utterances are correlated within each codec and point,
        so that no difference between codecs counts, and ``rho`` is the mean over the ``n`` points that have
        one.  NaN where there are fewer than `FEWEST`, or a metric is constant.
    """
    import pandas as pd

    means = without_truth(run, summary)
    single = without_truth(run, scored(run))
    over_codecs = _rank_correlations(means, run.metrics)
    parts = [
        _rank_correlations(part, run.metrics) for _, part in single.groupby(["codec", "point"], sort=False)
    ]
    rows: list[dict[str, Any]] = []
    for one, other in itertools.combinations(run.metrics, 2):
        sign = 1.0 if _better(run, one) is _better(run, other) else -1.0
        both = int(means[[one, other]].notna().all(axis=1).sum())
        found = [sign * rho for part in parts if np.isfinite(rho := part[one, other])]
        names = {"one": one, "other": other}
        rows += [
            {**names, "over": CODECS, "n": both, "rho": sign * over_codecs[one, other]},
            {**names, "over": UTTERANCES, "n": len(found), "rho": np.mean(found) if found else np.nan},
        ]
    return pd.DataFrame(rows, columns=["one", "other", "over", "n", "rho"])


def in_clusters(metrics: list[str], table: pd.DataFrame) -> list[str]:
    """Return the metrics in an order that puts those side by side which agree over codecs."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(metrics) < 3:
        return metrics
    place = {name: index for index, name in enumerate(metrics)}
    apart = np.ones((len(metrics), len(metrics)))
    np.fill_diagonal(apart, 0.0)
    for _, row in table[(table["over"] == CODECS) & table["rho"].notna()].iterrows():
        one, other = place[row["one"]], place[row["other"]]
        apart[one, other] = apart[other, one] = 1.0 - row["rho"]
    tree = linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    return [metrics[index] for index in leaves_list(tree)]


def _better(run: Run, metric: str) -> bool:
    return bool(run.manifest["metrics"][metric]["higher_is_better"])


def _rank_correlations(table: pd.DataFrame, metrics: list[str]) -> dict[tuple[str, str], float]:
    """Return Spearman's rho of every two metrics over the rows that have both; NaN where not defined."""
    from scipy.stats import rankdata

    values = {metric: table[metric].to_numpy(dtype=np.float64) for metric in metrics}
    known = {metric: np.isfinite(column) for metric, column in values.items()}

    @cache
    def ranks(metric: str, mask: bytes) -> NDArray[np.float64]:
        kept: NDArray[np.float64] = rankdata(values[metric][np.frombuffer(mask, dtype=np.bool_)])
        return kept

    found = {}
    for one, other in itertools.combinations(metrics, 2):
        mask = (known[one] & known[other]).tobytes()
        pair = ranks(one, mask), ranks(other, mask)
        defined = pair[0].size >= FEWEST and all(np.ptp(rank) > 0 for rank in pair)
        found[one, other] = float(np.corrcoef(*pair)[0, 1]) if defined else np.nan
    return found
