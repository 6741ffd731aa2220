"""Two systems side by side: rates of errors count by words, in tables and gates as in summaries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from codecbench.analysis.gate import _gains
from codecbench.analysis.paired import compare
from codecbench.analysis.systems import Pair


@pytest.fixture
def pair() -> Pair:
    """Return 10 of 100 words wrong against 5, and 2 of 2 against 1; one more utterance that only a scored."""
    speakers = np.array(["x", "y", "z"])
    a = pd.DataFrame(
        {"dwer": [10.0, 100.0, 50.0], "weight:dwer": [100.0, 2.0, 10.0], "stoi": [0.5, 0.7, 0.9]}
    )
    b = pd.DataFrame(
        {"dwer": [5.0, 50.0, np.nan], "weight:dwer": [100.0, 2.0, np.nan], "stoi": [0.6, 0.7, 0.9]}
    )
    return Pair("a", "b", a, b, speakers)


def test_means_are_those_of_all_words_that_both_were_scored_on(pair: Pair) -> None:
    assert pair.means("dwer") == pytest.approx((100 * 12 / 102, 100 * 6 / 102))
    assert pair.means("stoi") == pytest.approx((0.7, 2.2 / 3))


def test_differences_are_weighed_likewise(pair: Pair) -> None:
    a, b = pair.scores("dwer")
    found = compare(b, a, pair.speakers, weights=pair.weights("dwer"))
    assert found.difference == pytest.approx(-100 * 6 / 102)
    assert (found.n, found.clusters) == (2, 2)


def test_a_gate_judges_the_pooled_rate(pair: Pair) -> None:
    gains = _gains(pair, "dwer", {"higher_is_better": False})
    assert np.nanmean(gains) == pytest.approx(100 * 6 / 102)
    np.testing.assert_allclose(_gains(pair, "stoi", {"higher_is_better": True}), [0.1, 0.0, 0.0], atol=1e-12)
