"""Medians, quartiles, means, pairs and shares, by hand and by independent tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from codecbench.listen.results import of_choices, of_ratings
from listening import key_of

LABELS = ("opus@6", "lyra@6", "spc@6")
COLUMNS = ["listener", "trial", "condition", "value", "time_ms"]


def ratings(scores: dict[str, float], listeners: int = 8, trials: int = 6, noise: float = 5) -> pd.DataFrame:
    """Return ratings of listeners and utterances that lie apart, with anchors and hidden reference."""
    rng = np.random.default_rng(0)
    who, item = rng.normal(0, 4, listeners), rng.normal(0, 4, trials)
    fixed = {"reference": 100.0, "anchor35": 15.0, "anchor70": 60.0}

    def given(n: int, m: int, name: str, value: float) -> float:
        return float(np.clip(value + (name in scores) * (who[n] + item[m] + rng.normal(0, noise)), 0, 100))

    rows = [
        (f"l{n}", f"t{m}", name, given(n, m, name, value), 9e3)
        for n in range(listeners) for m in range(trials) for name, value in {**fixed, **scores}.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def choices(right: dict[str, list[list[bool]]]) -> pd.DataFrame:
    """Return ABX answers: for each condition a list a listener."""
    rows = [
        (f"l{n}", f"{name}-{m}", name, float(hit), 8e3)
        for name, lists in right.items() for n, hits in enumerate(lists) for m, hit in enumerate(hits)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def test_rows_are_reference_conditions_anchors_with_median_and_quartiles() -> None:
    table = ratings({"c1": 40, "c2": 60, "c3": 62})
    found = of_ratings(table, key_of("mushra", 6, LABELS)).table
    assert list(found["condition"]) == ["reference", *LABELS, "anchor35", "anchor70"]
    assert list(found["kbps"].fillna(0)) == [0, 6, 6, 6, 0, 0]
    own = table[table["condition"] == "c1"]["value"]
    row = found.set_index("condition").loc["opus@6"]
    assert row["median"] == np.median(own)
    assert (row["q1"], row["q3"]) == tuple(np.percentile(own, [25, 75]))
    assert row["mean"] == pytest.approx(own.mean())
    assert row["low"] < row["mean"] < row["high"]
    assert (row["n"], row["listeners"]) == (48, 8)


def test_pairs_tell_what_differs_from_what_does_not() -> None:
    found = of_ratings(ratings({"c1": 40, "c2": 60, "c3": 60.2}), key_of("mushra", 6, LABELS))
    pairs = found.pairs.set_index(["a", "b"])
    assert len(pairs) == 3
    assert pairs.loc[("opus@6", "lyra@6"), "p_holm"] < 0.001
    assert pairs.loc[("opus@6", "lyra@6"), "difference"] == pytest.approx(-20, abs=3)
    assert pairs.loc[("lyra@6", "spc@6"), "p_holm"] > 0.05
    assert (found.pairs["p_holm"] >= found.pairs["p_value"]).all()
    assert found.pairs["p_holm"].min() == pytest.approx(3 * found.pairs["p_value"].min())
    assert "listeners and utterances both" in found.method


def test_all_equal_scores_give_no_impossible_certainty() -> None:
    found = of_ratings(ratings({"c1": 40, "c2": 60, "c3": 60}, noise=0), key_of("mushra", 6, LABELS))
    assert found.pairs["p_value"].between(0, 1, inclusive="right").all()
    reference = found.table.set_index("condition").loc["reference"]
    assert reference["low"] < 100
    assert reference["high"] == 100


@pytest.mark.parametrize(
    ("listeners", "trials", "said"), [(1, 6, "for that listener alone"), (5, 1, "for that utterance alone")]
)
def test_it_says_for_whom_intervals_speak(listeners: int, trials: int, said: str) -> None:
    found = of_ratings(
        ratings({"c1": 40, "c2": 60, "c3": 60}, listeners, trials), key_of("mushra", trials, LABELS)
    )
    assert said in found.method
    assert found.table["low"].notna().all()


def test_when_all_are_out_nothing_is_made_up() -> None:
    table = ratings({"c1": 40, "c2": 60, "c3": 60})
    table["value"] = 100.0
    found = of_ratings(table, key_of("mushra", 6, LABELS))
    assert len(found.excluded) == 8
    assert found.table["mean"].isna().all()
    assert list(found.table["n"]) == [0] * 6
    assert found.pairs.empty


def test_one_listener_has_the_exact_binomial_test() -> None:
    hits = {"c1": [[True] * 10], "c2": [[True, False] * 5], "c3": [[True] * 8 + [False] * 2]}
    found = of_choices(choices(hits), key_of("abx", 30, LABELS)).table.set_index("condition")
    # Ten of ten by guessing: 2^-10; five of ten or more: 638/1024; eight or more: 56/1024.
    assert list(found["p_value"]) == pytest.approx([2**-10, 638 / 1024, 56 / 1024])
    assert list(found["p_holm"]) == pytest.approx([3 * 2**-10, 638 / 1024, 2 * 56 / 1024])
    assert found.loc["opus@6", "low"] == pytest.approx(
        stats.binomtest(10, 10).proportion_ci(method="wilson").low
    )


def test_several_listeners_are_the_samples() -> None:
    """One golden ear among guessers: pooled answers would say that listeners hear it."""
    guess = [True, False] * 6
    hits = {"c1": [[True] * 12] + [guess] * 4, "c2": [[True] * 11 + [False]] * 5, "c3": [guess] * 5}
    found = of_choices(choices(hits), key_of("abx", 36, LABELS))
    table = found.table.set_index("condition")
    pooled = stats.binomtest(36, 60, alternative="greater").pvalue
    shares = [1, 0.5, 0.5, 0.5, 0.5]
    assert table.loc["opus@6", "p_value"] == pytest.approx(
        stats.ttest_1samp(shares, 0.5, alternative="greater").pvalue
    )
    assert table.loc["opus@6", "p_value"] > pooled
    assert table.loc["lyra@6", "p_holm"] < 0.01
    assert table.loc["spc@6", "p_value"] == pytest.approx(0.5)
    assert "count listeners as samples" in found.method
    # All alike: the interval is no narrower than that of as many single answers.
    assert table.loc["lyra@6", "high"] - table.loc["lyra@6", "low"] > 0.1


def test_guessers_are_rarely_found_to_hear() -> None:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(300):
        hits: Any = {"c1": rng.integers(0, 2, (6, 10)).astype(bool).tolist()}
        found += of_choices(choices(hits), key_of("abx", 10, ("opus@6",))).table["p_holm"][0] < 0.05
    assert found / 300 < 0.07


def test_a_condition_without_answers_has_none() -> None:
    found = of_choices(choices({"c1": [[True] * 4]}), key_of("abx", 8, LABELS[:2])).table
    assert found["n"].tolist() == [4, 0]
    assert math.isnan(found["p_value"][1])
