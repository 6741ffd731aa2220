"""Sequential gate: a sample that grows until the verdict is settled, at the error rate of one look.

The sample is looked at a few times, at sizes stated beforehand, each twice the one before.  Every look spends
an equal share of `ALPHA`: at 5 % and five looks each gate is judged at 1 %, and each interval is one of 98 %.
Equal shares are Pocock's spending ([1]_, [2]_), which lets a plainly worse system stop at the first look;
O'Brien and Fleming's would ask for p-values there that the signs of so few speakers cannot give.  The shares
add up by Boole's inequality and not by the joint normal distribution of the looks: that costs some power at
the last look, and nothing need be assumed of sign-flip tests, of Holm's correction and of speakers that occur
more than once.

References
----------
.. [1] S. J. Pocock, "Group sequential methods in the design and analysis of clinical trials", Biometrika
   64(2), 1977.
.. [2] K. K. G. Lan and D. L. DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70(3),
   1983.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from codecbench.analysis.counted import COUNTED
from codecbench.analysis.gate import Check, Gate
from codecbench.analysis.verdicts import ALPHA, INCONCLUSIVE, WORSE

MOST_LOOKS = 5
FINAL = frozenset({"failures", "delay_ms"})
"""What is counted and does not get less by more utterances."""


@dataclass(frozen=True)
class Look:
    """How many utterances are looked at, and the error rate that this look may spend."""

    utterances: int
    alpha: float


def looks(total: int, checks: int) -> tuple[Look, ...]:
    """Return the looks at ``total`` utterances, the last one at all of them.

    The first is at as many as a p-value needs to survive the correction over these checks if each has a
    speaker of its own, or at one in sixteen where that is more.
    """
    least = math.ceil(math.log2(checks * MOST_LOOKS / ALPHA))
    size = max(least, math.ceil(total / 2 ** (MOST_LOOKS - 1)))
    sizes = []
    while size < total:
        sizes.append(size)
        size *= 2
    sizes.append(total)
    return tuple(Look(size, ALPHA / len(sizes)) for size in sizes)


def sequential(planned: Sequence[Look], gate_at: Callable[[Look], Gate]) -> tuple[Gate, Look]:
    """Look until the gate is settled; return it and the last look.

    Parameters
    ----------
    planned : sequence of Look
        See `looks`.
    gate_at : callable
        Judges what a look sees, at its error rate.

    Returns
    -------
    tuple of Gate and Look
        A sampled check keeps the first verdict that is not inconclusive, with the figures of that look.  The
        gate is settled when one of them is worse, or all have a verdict.
    """
    look = planned[0]
    gate = gate_at(look)
    for after in planned[1:]:
        if _is_settled(gate):
            break
        look, gate = after, _followed(gate, gate_at(after))
    return gate, look


def _is_settled(gate: Gate) -> bool:
    sampled = [check.verdict for check in gate.checks if check.check not in COUNTED]
    final = [check.verdict for check in gate.checks if check.check in FINAL]
    return WORSE in {*sampled, *final} or INCONCLUSIVE not in sampled


def _followed(before: Gate, now: Gate) -> Gate:
    """Return a later look's gate in which what was settled before stays as it was."""
    settled = {_place(check): check for check in before.checks
               if check.check not in COUNTED and check.verdict != INCONCLUSIVE}  # fmt: skip
    return replace(now, checks=tuple(settled.get(_place(check), check) for check in now.checks))


def _place(check: Check) -> tuple[str, str, str]:
    return check.check, check.base, check.new
