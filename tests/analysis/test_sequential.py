"""Sequential gates: error rates by simulation, and how soon they stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from codecbench.analysis import verdicts
from codecbench.analysis.gate import Check, Gate
from codecbench.analysis.sequential import Look, looks, sequential
from codecbench.analysis.verdicts import ALPHA, BETTER, EQUIVALENT, INCONCLUSIVE, WORSE, judge

CHECKS = 3
TOTAL = 160
SPEAKERS = 40
SMALL = 1e-3
"""A margin in which no interval lies, so that every look is taken."""


def row(number: int, word: str, check: str = "") -> Check:
    return Check(check or f"m{number}", "", "old", "new", word, *[math.nan] * 9, 0, 0)  # type: ignore[arg-type]


def simulated(rng: np.random.Generator, shift: float, margin: float) -> Callable[[Look], Gate]:
    """Return what looks at a growing sample find: correlated metrics, speakers with a voice of their own."""
    speaker = np.arange(TOTAL) % SPEAKERS  # a turn of every speaker before a second of any
    shared = rng.normal(size=TOTAL)
    voice = rng.normal(size=(CHECKS, SPEAKERS))[:, speaker]
    values = 0.5 * shared + 0.5 * voice + rng.laplace(size=(CHECKS, TOTAL)) + shift

    def gate_at(look: Look) -> Gate:
        n = look.utterances
        found = judge(
            list(values[:, :n]), [speaker[:n].astype(str)] * CHECKS, [margin] * CHECKS, alpha=look.alpha
        )
        return Gate(tuple(row(number, item.verdict) for number, item in enumerate(found)))

    return gate_at


def outcomes(trials: int, shift: float, margin: float, *, seed: int = 1) -> list[tuple[Gate, Look]]:
    rng = np.random.default_rng(seed)
    planned = looks(TOTAL, CHECKS)
    return [sequential(planned, simulated(rng, shift, margin)) for _ in range(trials)]


def bound(trials: int) -> float:
    """Return three standard deviations of a share of 5 % above it."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / trials)


@pytest.fixture(autouse=True)
def fewer_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw fewer sign patterns: a simulation takes hundreds of gates."""
    monkeypatch.setattr(verdicts, "flips_for", lambda _: 1999)


def test_without_a_change_at_most_five_percent_fail_however_often_they_look() -> None:
    trials = 60
    found = outcomes(trials, 0.0, SMALL)
    assert sum(gate.verdict == WORSE for gate, _ in found) / trials <= bound(trials)
    assert sum(look.utterances == TOTAL for _, look in found) >= 0.9 * trials


def test_a_plainly_worse_system_stops_after_a_small_part() -> None:
    found = outcomes(40, -4.0, 0.5)
    assert all(gate.verdict == WORSE for gate, _ in found)
    assert np.mean([look.utterances for _, look in found]) <= TOTAL / 8


def test_a_system_well_inside_the_margin_stops_early_too() -> None:
    found = outcomes(20, 0.0, 4.0)
    assert all(gate.verdict == EQUIVALENT for gate, _ in found)
    assert np.mean([look.utterances for _, look in found]) <= TOTAL / 3


@pytest.mark.slow
def test_error_rates_over_many_gates() -> None:
    trials = 600
    false = sum(gate.verdict == WORSE for gate, _ in outcomes(trials, 0.0, SMALL))
    assert false / trials <= bound(trials)
    # A loss of just the margin is let pass as equivalent no more often, in any one check.
    passed = sum(gate.checks[0].verdict == EQUIVALENT for gate, _ in outcomes(trials, -0.6, 0.6, seed=2))
    assert passed / trials <= bound(trials)
    # The simulation would show it: looks of 5 % each fail far more often.
    rng = np.random.default_rng(3)
    every = [Look(look.utterances, ALPHA) for look in looks(TOTAL, CHECKS)]
    careless = sum(sequential(every, simulated(rng, 0.0, SMALL))[0].verdict == WORSE for _ in range(trials))
    assert careless / trials > bound(trials)


@pytest.mark.parametrize(("total", "checks"), [(5, 3), (12, 10), (35, 10), (134, 10), (161, 20), (5000, 30)])
def test_looks_double_up_to_the_whole_and_share_the_error_rate(total: int, checks: int) -> None:
    planned = looks(total, checks)
    sizes = [look.utterances for look in planned]
    assert sizes[-1] == total
    assert sum(look.alpha for look in planned) == pytest.approx(ALPHA)
    assert all(after <= 2 * before for before, after in pairwise(sizes))
    # With a speaker each the first look can find a loss in one of these checks.
    assert len(sizes) == 1 or 2.0 ** -sizes[0] * checks <= planned[0].alpha
    assert len(sizes) <= 5


def test_what_is_settled_stays_and_only_what_is_open_goes_on() -> None:
    said = iter([(INCONCLUSIVE, EQUIVALENT), (INCONCLUSIVE, INCONCLUSIVE), (BETTER, WORSE), (WORSE, WORSE)])
    planned = tuple(Look(n, 0.01) for n in (10, 20, 40, 80))
    gate, last = sequential(planned, lambda _: Gate(tuple(row(n, w) for n, w in enumerate(next(said)))))
    assert [check.verdict for check in gate.checks] == [BETTER, EQUIVALENT]
    assert last == planned[2]


@pytest.mark.parametrize(("check", "last"), [("failures", 10), ("payload_kbps", 20)])
def test_a_failure_ends_it_and_a_rate_of_few_utterances_does_not(check: str, last: int) -> None:
    planned = (Look(10, 0.025), Look(20, 0.025))
    gate, look = sequential(planned, lambda _: Gate((row(0, INCONCLUSIVE), row(1, WORSE, check))))
    assert (gate.verdict, look.utterances) == (WORSE, last)
