"""Intervals over listeners and utterances both: by hand, by simulation, at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from codecbench.analysis.crossed import crossed_mean


def test_by_hand() -> None:
    # Deviations from the mean 5: rows -3, -1 and 1, 3; row sums -4, 4; column sums -2, 2.
    mean = crossed_mean([2, 4, 6, 8], ["a", "a", "b", "b"], ["x", "y", "x", "y"])
    rows, columns, cells = 2 * 32 / 16, 2 * 8 / 16, 4 / 3 * 20 / 16
    assert (mean.mean, mean.df) == (5, 1)
    # The sum of both less that of the cells, 3.33, is less than the rows' own 4, which counts.
    assert rows + columns - cells < rows
    assert mean.error == pytest.approx(math.sqrt(rows))


def test_without_utterances_in_common_it_is_one_way() -> None:
    rng = np.random.default_rng(0)
    values, rows = rng.normal(size=40), np.repeat(np.arange(8), 5)
    means = values.reshape(8, 5).mean(axis=1)
    found = crossed_mean(values, rows, np.arange(40))
    assert found.error == pytest.approx(means.std(ddof=1) / math.sqrt(8))
    assert found.df == 7
    assert found.p_value() == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    assert found.p_value(greater=True) == pytest.approx(
        stats.ttest_1samp(means, 0, alternative="greater").pvalue
    )


def test_it_covers_the_truth_for_new_listeners_and_new_utterances() -> None:
    """Where one way alone misses it far too often."""
    rng = np.random.default_rng(1)
    rows, columns = (index.ravel() for index in np.indices((10, 12)))
    both = alone = 0
    for _ in range(400):
        listeners, utterances = rng.normal(0, 6, 10), rng.normal(0, 8, 12)
        values = 50 + listeners[rows] + utterances[columns] + rng.normal(0, 8, 120)
        low, high = crossed_mean(values, rows, columns).limits()
        both += low <= 50 <= high
        low, high = crossed_mean(values, rows, np.arange(120)).limits()
        alone += low <= 50 <= high
    assert 0.92 <= both / 400 <= 0.99
    assert alone / 400 < 0.88


def test_edges() -> None:
    assert math.isnan(crossed_mean([], [], []).mean)
    assert math.isnan(crossed_mean([math.nan], ["a"], ["x"]).mean)
    one = crossed_mean([3.0], ["a"], ["x"])
    assert one.mean == 3
    assert all(map(math.isnan, one.limits()))
    assert math.isnan(one.p_value())
    listener = crossed_mean([1.0, 2.0, 3.0], ["a"] * 3, ["x", "y", "z"])
    assert listener.df == 2
    assert listener.error == pytest.approx(1 / math.sqrt(3))
    same = crossed_mean([7.0] * 4, ["a", "a", "b", "b"], ["x", "y"] * 2, least_error=0.5)
    assert same.error == 0.5
    assert same.limits(bounds=(0, 10))[1] == 10
    with pytest.raises(ValueError, match="values"):
        crossed_mean([1.0, 2.0], ["a"], ["x", "y"])
