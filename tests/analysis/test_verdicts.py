"""Verdicts of a gate: their error rates by simulation, and the words that they come to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codecbench.analysis import verdicts
from codecbench.analysis.verdicts import BETTER, EQUIVALENT, INCONCLUSIVE, WORSE, judge, power

CHECKS = 8


def speech(rng: np.random.Generator, speakers: int, each: int = 1, noise: float = 1.0) -> np.ndarray:
    """Return differences of `CHECKS` correlated metrics without a change, [checks, N]."""
    shared = rng.normal(size=(1, speakers, 1))
    voice = rng.normal(size=(CHECKS, speakers, 1))
    own = rng.laplace(size=(CHECKS, speakers, each))
    return noise * (0.5 * shared + 0.5 * voice + own).reshape(CHECKS, -1)


def words(values: np.ndarray, speakers: int, margin: float) -> list[str]:
    names = np.repeat(np.arange(speakers), values.shape[1] // speakers).astype(str)
    return [item.verdict for item in judge(list(values), [names] * len(values), [margin] * len(values))]


def error_rates(trials: int, speakers: int, each: int, margin: float) -> tuple[float, float]:
    """Return how often a whole gate fails without a change, and how often a loss of one margin is caught."""
    rng = np.random.default_rng(1)
    false, caught = 0, 0
    for _ in range(trials):
        values = speech(rng, speakers, each)
        false += WORSE in words(values, speakers, margin)
        values[0] -= margin
        caught += words(values, speakers, margin)[0] == WORSE
    return false / trials, caught / trials


@pytest.fixture(autouse=True)
def fewer_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw fewer sign patterns: a simulation takes thousands of gates."""
    monkeypatch.setattr(verdicts, "flips_for", lambda _: 1999)


def test_an_unchanged_system_fails_in_at_most_five_percent_and_a_true_loss_is_caught() -> None:
    trials = 60
    false, caught = error_rates(trials, speakers=10, each=2, margin=2.5)
    # Three standard deviations of a share of 5 % above it.
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    assert caught >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("speakers", "each", "margin"), [(10, 1, 2.5), (35, 1, 1.0), (40, 3, 0.8)])
def test_error_rates_over_many_gates(speakers: int, each: int, margin: float) -> None:
    trials = 1000
    false, caught = error_rates(trials, speakers, each, margin)
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    rng = np.random.default_rng(2)
    names = np.repeat(np.arange(speakers), each).astype(str)
    stated = [judge(list(speech(rng, speakers, each)), [names] * CHECKS, [margin] * CHECKS)[0].power
              for _ in range(200)]  # fmt: skip
    assert caught >= np.mean(stated) - 0.05  # what is stated is a lower bound


@pytest.mark.parametrize(
    ("shift", "margin", "word"),
    [(0.0, 1.0, EQUIVALENT), (-1.0, 0.5, WORSE), (1.0, 0.5, BETTER), (0.0, 0.01, INCONCLUSIVE)],
)
def test_each_word_is_given_where_it_belongs(shift: float, margin: float, word: str) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(shift, 0.3, 30)
    (found,) = judge([values], [np.arange(30).astype(str)], [margin])
    assert found.verdict == word
    assert found.gain == pytest.approx(values.mean())
    assert math.isfinite(found.needed) == (word == INCONCLUSIVE)
    assert not math.isfinite(found.needed) or found.needed > 30


def test_the_utterances_needed_do_settle_it() -> None:
    rng = np.random.default_rng(4)
    pool = rng.normal(0, 1, 4000)
    pool -= pool.mean()
    few = pool[:40] - pool[:40].mean()
    (found,) = judge([few], [np.arange(40).astype(str)], [0.2])
    assert found.verdict == INCONCLUSIVE
    n = int(found.needed * 1.2)
    assert judge([pool[:n] - pool[:n].mean()], [np.arange(n).astype(str)], [0.2])[0].verdict == EQUIVALENT


def test_too_few_speakers_can_call_nothing_worse_and_say_so() -> None:
    names = np.array(["a", "b", "c", "d"])
    (found,) = judge([np.full(4, -1.0) + np.arange(4) / 100], [names], [0.1])
    assert (found.verdict, found.power) == (INCONCLUSIVE, 0.0)


def test_no_difference_at_all_is_equivalent_and_missing_scores_are_inconclusive() -> None:
    names = np.arange(10).astype(str)
    same, missing = judge([np.zeros(10), np.full(10, np.nan)], [names, names], [0.1, 0.1])
    assert (same.verdict, same.low, same.high, same.power) == (EQUIVALENT, 0, 0, 1)
    assert (missing.verdict, missing.n) == (INCONCLUSIVE, 0)


def test_more_checks_and_fewer_speakers_lower_the_power() -> None:
    assert power(1.0, 35, 3.0, 1) > power(1.0, 35, 3.0, 24) > power(1.0, 8, 3.0, 24)
