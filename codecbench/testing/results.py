"""Test results of a plugin, and how they are told."""

from __future__ import annotations

from dataclasses import dataclass

Measurement = float | str
"""A number, or in words what happened."""


@dataclass(frozen=True)
class CheckResult:
    """One check of one plugin.

    ``passed`` is None where the plugin cannot run here; ``measured`` then says why.  ``tolerance`` is None
    where the expectation is not a number.
    """

    name: str
    check: str
    expected: Measurement
    measured: Measurement
    tolerance: float | None
    passed: bool | None
    seconds: float
