"""Agreement of metrics: ranks counted by hand, direction, and what has too little to correlate."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from codecbench.analysis.agreement import CODECS, UTTERANCES, agreement, in_clusters

CODEC_MEANS = [("a", 1.0), ("b", 2.0), ("c", 4.0), ("d", 3.0)]


class _Run:
    """A run of four codecs and an anchor, whose metrics ``up`` and ``down`` are opposites over codecs."""

    metrics = ("up", "down", "flat")
    ours = frozenset()

    def __init__(self, utterances: int) -> None:
        rng = np.random.default_rng(0)
        names = [*(name for name, _ in CODEC_MEANS), "truth"]
        kinds = {name: "anchor" if name == "truth" else "neural" for name in names}
        self.manifest = {
            "codecs": {name: {"info": {"kind": kind}} for name, kind in kinds.items()},
            "metrics": {name: {"higher_is_better": name != "down"} for name in self.metrics},
        }
        rows = []
        for codec, mean in [*CODEC_MEANS, ("truth", 99.0)]:
            # Within a codec both rise together: over utterances they disagree, over codecs they agree.
            moves = rng.permutation(utterances) / 100
            rows += [
                {"codec": codec, "point": "1", "status": "ok", "up": mean + m, "down": -mean + m, "flat": 1.0}
                for m in moves
            ]
        self.records = pd.DataFrame(rows)

    def summary(self) -> pd.DataFrame:
        return self.records.groupby(["codec", "point"], as_index=False)[list(self.metrics)].mean()


def _rho(table: pd.DataFrame, one: str, other: str, over: str) -> tuple[int, float]:
    chosen = (table["one"] == one) & (table["other"] == other) & (table["over"] == over)
    (row,) = table[chosen].to_dict("records")
    return row["n"], row["rho"]


def test_over_codecs_and_within_them_are_two_questions():
    run = _Run(12)
    table = agreement(run, run.summary())
    assert _rho(table, "up", "down", CODECS) == (4, pytest.approx(1.0))
    assert _rho(table, "up", "down", UTTERANCES) == (4, pytest.approx(-1.0))
    assert len(table) == 6


def test_what_is_constant_or_too_few_has_no_correlation():
    run = _Run(3)
    table = agreement(run, run.summary())
    assert math.isnan(_rho(table, "up", "flat", CODECS)[1])
    assert _rho(table, "up", "down", UTTERANCES)[0] == 0
    assert math.isnan(_rho(table, "up", "down", UTTERANCES)[1])
    few = run.summary().iloc[:3]
    assert math.isnan(_rho(agreement(run, few), "up", "down", CODECS)[1])


def test_ranks_with_ties_are_those_of_scipy():
    run = _Run(12)
    means = run.summary()
    means.loc[means["codec"] != "truth", "flat"] = [3.0, 1.0, 1.0, 2.0]
    judged = means[means["codec"] != "truth"]
    expected = spearmanr(judged["up"], judged["flat"]).statistic
    assert _rho(agreement(run, means), "up", "flat", CODECS)[1] == pytest.approx(expected)


def test_metrics_that_agree_stand_side_by_side():
    close = {("a", "c"): 0.9, ("b", "d"): 0.8}
    pairs = dict.fromkeys(itertools.combinations("abcd", 2), 0.0) | close
    rows = [(one, other, CODECS, 4, rho) for (one, other), rho in pairs.items()]
    table = pd.DataFrame(rows, columns=["one", "other", "over", "n", "rho"])
    order = in_clusters(["a", "b", "c", "d"], table)
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("ac"), frozenset("bd")}
    assert in_clusters(["a", "b"], table) == ["a", "b"]
