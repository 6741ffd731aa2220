"""Paired differences between systems on the same utterances: one row a metric and pair, Holm-corrected."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench.analysis.paired import compare, flips_for, holm
from codecbench.analysis.systems import Pair, System, check_comparable, pairs, shared_metrics
from codecbench.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05


def paired_table(systems: Sequence[System], metrics: Sequence[str] = (), seed: int = 0) -> pd.DataFrame:
    """Compare each system with the first one.

    Parameters
    ----------
    systems : sequence of System
        Two or more.
    metrics : sequence of str
        Names of metrics; by default those that all were scored with.
    seed : int
        Seed of sign patterns and bootstrap.

    Returns
    -------
    DataFrame
        One row a pair and metric: ``metric, unit, a, b, n, speakers, mean_a, mean_b`` (over the utterances
        that both scored), ``difference`` (b minus a, in the metric's unit) with ``low`` and ``high`` (95 %,
        clustered by speaker), ``p_value`` of "no difference", ``p_holm`` corrected over all rows, and
        ``better``: ``a`` or ``b`` where ``p_holm`` is below 0.05, else empty.

    Raises
    ------
    InvalidInput
        If there are fewer than two systems, or they do not compare.
    """
    import pandas as pd

    if len(systems) < 2:
        raise InvalidInput("one system alone compares with nothing; name two or more")
    check_comparable(systems)
    chosen = shared_metrics(systems, metrics)
    found = [pair for other in systems[1:] for pair in pairs(systems[0], other)]
    flips = flips_for(len(found) * len(chosen))
    rows = []
    for pair, metric, entry in _each(systems[0], found, chosen):
        a, b = pair.scores(metric)
        result = compare(b, a, pair.speakers, weights=pair.weights(metric), flips=flips, seed=seed)
        mean_a, mean_b = pair.means(metric)
        rows.append({
            "metric": metric, "unit": entry["unit"], "a": pair.a_label, "b": pair.b_label, "n": result.n,
            "speakers": result.clusters, "mean_a": mean_a,
            "mean_b": mean_b, "difference": result.difference,
            "low": result.low, "high": result.high, "p_value": result.p_value,
            "higher_is_better": bool(entry["higher_is_better"]),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p_value"].to_numpy())
    table["better"] = [_better(row) for row in table.to_dict("records")]
    return table.drop(columns="higher_is_better")


def utterance_differences(systems: Sequence[System], metrics: Sequence[str] = ()) -> pd.DataFrame:
    """Return each difference, b minus a: ``metric, unit, a, b, utterance, speaker, difference``."""
    import pandas as pd

    found = [pair for other in systems[1:] for pair in pairs(systems[0], other)]
    parts = [
        pd.DataFrame({
            "metric": metric, "unit": entry["unit"], "a": pair.a_label, "b": pair.b_label,
            "utterance": pair.a.index, "speaker": pair.speakers,
            "difference": np.subtract(*reversed(pair.scores(metric))),
        })
        for pair, metric, entry in _each(systems[0], found, shared_metrics(systems, metrics))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True).dropna(subset="difference", ignore_index=True)


def _each(
    first: System, found: Sequence[Pair], metrics: Sequence[str]
) -> Iterator[tuple[Pair, str, dict[str, Any]]]:
    for metric in metrics:
        for pair in found:
            yield pair, metric, first.run.manifest["metrics"][metric]


def _better(row: Mapping[Hashable, Any]) -> str:
    if not row["p_holm"] < LEVEL:
        return ""
    return "b" if (row["difference"] > 0) == row["higher_is_better"] else "a"
