"""Paired tests keep their size, and agree with hand counts and the textbook."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecbench.analysis.paired import compare, compare_all, holm, smallest_p


def test_sign_flips_are_counted_exactly_for_few_speakers() -> None:
    # Eight speakers all better: only the observed pattern and its mirror are as extreme, 2 / 2^8.
    a, b = np.full(8, 2.0) + np.arange(8) / 100, np.ones(8)
    result = compare(a, b, np.arange(8))
    assert result.p_value == 2 / 2**8 == smallest_p(8)
    assert (result.n, result.clusters) == (8, 8)
    assert result.low <= result.difference <= result.high


def test_comparison_is_symmetric_and_needs_common_utterances() -> None:
    rng = np.random.default_rng(3)
    a, b, speakers = rng.normal(size=60), rng.normal(0.2, 1, size=60), np.arange(60) % 20
    a[5] = b[7] = math.nan
    forth, back = compare(a, b, speakers), compare(b, a, speakers)
    assert forth.n == 58
    assert forth.p_value == back.p_value
    assert forth.difference == pytest.approx(-back.difference)
    assert math.isnan(compare([math.nan], [1.0], ["a"]).p_value)


def test_equal_codecs_are_never_different() -> None:
    scores = np.random.default_rng(0).normal(size=50)
    result = compare(scores, scores, np.arange(50) % 10)
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_test_keeps_its_size() -> None:
    rng = np.random.default_rng(5)
    speakers = np.repeat(np.arange(24), 3)
    rejected = []
    for trial in range(400):
        effect = rng.normal(0, 0.3, 24)[speakers]
        difference = effect + rng.normal(0, 0.3, speakers.size)
        rejected.append(compare(difference, np.zeros(72), speakers, flips=499, seed=trial).p_value <= 0.05)
    assert 0.025 <= np.mean(rejected) <= 0.08


def test_holm_against_the_textbook() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.01, math.nan, 0.6]), [0.02, math.nan, 0.6], equal_nan=True)
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert np.all(adjusted >= np.array(p_values) - 1e-15)
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0)


def test_all_pairs_agree_with_single_comparisons() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal([0, 0.5, 3], 1, size=(60, 3)), columns=["x", "y", "z"])
    table.loc[4, "y"] = math.nan
    speakers = np.arange(60) % 12
    result = compare_all(table, speakers)
    assert list(zip(result["a"], result["b"], strict=True)) == [("x", "y"), ("x", "z"), ("y", "z")]
    for row in result.itertuples():
        single = compare(table[row.a], table[row.b], speakers)
        assert (row.difference, row.low, row.high) == pytest.approx(single[:3], rel=1e-12)
        assert (row.p_value, row.n, row.clusters) == single[3:]
    assert (result["p_holm"] >= result["p_value"]).all()
    assert result["p_holm"].iloc[1] < 0.05
    assert compare_all(table[["x"]], speakers).empty


def test_pairs_scored_on_other_speakers_agree_with_single_comparisons() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal([0, 0.5, 3, 3], 1, size=(80, 4)), columns=["x", "y", "z", "same"])
    table["same"] = table["z"]
    speakers = np.arange(80) % 16
    table.loc[speakers == 3, "y"] = math.nan
    table.loc[speakers > 6, "x"] = math.nan
    for row in compare_all(table, speakers).itertuples():
        single = compare(table[row.a], table[row.b], speakers)
        assert (row.difference, row.low, row.high) == pytest.approx(single[:3], rel=1e-12)
        assert (row.n, row.clusters) == single[4:]
    assert (row.a, row.b, row.difference, row.low, row.high, row.p_value) == ("z", "same", 0, 0, 0, 1)
    table["y"] = math.nan
    none = compare_all(table[["x", "y"]], speakers).iloc[0]
    assert none["n"] == 0 and none[["difference", "low", "high", "p_value", "p_holm"]].isna().all()


def test_weights_pool_the_differences():
    scores = pd.DataFrame({"x": [0.1, 0.2, 0.4, 0.0], "y": [0.0, 0.1, 0.4, 0.3]})
    weights = np.array([10.0, 20.0, 5.0, 40.0])
    (row,) = compare_all(scores, list("abcd"), weights=weights).itertuples()
    assert row.difference == pytest.approx(((scores["x"] - scores["y"]) * weights).sum() / weights.sum())
    assert row.n == 4
