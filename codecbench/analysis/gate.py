"""Regression gate: may a new system replace an old one?

Scores and speed are judged by their paired differences (`verdicts`), all else is counted (`counted`).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codecbench.analysis.counted import COUNTED, LIMITS, SPEED, NotCompared, log_speed
from codecbench.analysis.systems import Pair, System, check_comparable, pairs, shared_metrics
from codecbench.analysis.verdicts import (
    ALPHA,
    BETTER,
    EQUIVALENT,
    INCONCLUSIVE,
    VERDICTS,
    WORSE,
    Verdict,
    judge,
)
from codecbench.errors import InvalidInput
from codecbench.files import read_toml

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Check:
    """One row of a gate.

    ``gain`` is positive where the new system is better, in ``unit``; what is counted has no interval, power
    or p-value (NaN).
    """

    check: str
    unit: str
    base: str
    new: str
    verdict: str
    base_value: float
    new_value: float
    gain: float
    low: float
    high: float
    margin: float
    p_worse: float
    power: float
    needed: float
    n: int
    speakers: int


@dataclass(frozen=True)
class Gate:
    """All checks of a gate; its own verdict is that of the worst one.

    ``not_compared`` says of what was not judged why, a line each; ``alpha`` is the error rate that it was
    judged at.
    """

    checks: tuple[Check, ...]
    not_compared: tuple[str, ...] = ()
    alpha: float = ALPHA

    @property
    def level(self) -> float:
        """The level of the intervals of its checks."""
        return 1 - 2 * self.alpha

    @property
    def verdict(self) -> str:
        """Return ``worse`` where any check is, else ``inconclusive`` where any is, else the rest's."""
        found = {check.verdict for check in self.checks}
        if found & {WORSE, INCONCLUSIVE}:
            return WORSE if WORSE in found else INCONCLUSIVE
        return BETTER if BETTER in found else EQUIVALENT

    def table(self) -> pd.DataFrame:
        """Return a row a check, the worst first."""
        import pandas as pd

        rows = sorted(self.checks, key=lambda check: -VERDICTS.index(check.verdict))
        return pd.DataFrame([vars(check) for check in rows], columns=list(Check.__annotations__))


@dataclass(frozen=True)
class _Sample:
    """What is to be judged by paired differences; ``shown`` turns a gain into that of the table."""

    check: str
    unit: str
    pair: Pair
    gains: NDArray[np.float64]
    margin: float
    values: tuple[float, float]
    shown: Callable[[float], float] = float

    def row(self, found: Verdict) -> Check:
        gain, low, high = map(self.shown, (found.gain, found.low, found.high))
        return Check(
            self.check, self.unit, self.pair.a_label, self.pair.b_label, found.verdict, *self.values,
            gain, low, high, -self.shown(-found.margin), found.p_worse, found.power, found.needed, found.n,
            found.clusters,
        )  # fmt: skip


def gate(
    base: System,
    new: System,
    margins: Mapping[str, float],
    metrics: Sequence[str] = (),
    *,
    seed: int = 0,
    required: Collection[str] = (),
    alpha: float = ALPHA,
) -> Gate:
    """Hold a new system against the one it shall replace.

    Parameters
    ----------
    base, new : System
        What they name, see `codecbench.analysis.systems`.
    margins : mapping of str to float
        The loss that each check tolerates, see `default_margins` and `read_margins`.
    metrics : sequence of str
        Names of metrics; by default those that both were scored with and that have a margin.
    required : collection of str
        Checks besides the metrics that must not be left out.
    alpha : float
        See `verdicts.judge`; a look of `sequential` spends less than the whole.

    Raises
    ------
    InvalidInput
        If the two do not compare, a metric named has no margin, or what is required cannot be compared.
    """
    check_comparable([base, new])
    found = pairs(base, new)
    chosen, reasons = _metrics_with_margins([base, new], metrics, margins)
    samples = [
        _Sample(name, entry["unit"], pair, _gains(pair, name, entry), margins[name], pair.means(name))
        for pair in found
        for name in chosen
        for entry in [base.run.manifest["metrics"][name]]
    ]
    counts = []
    for pair, name in product(found, LIMITS):
        try:
            if name in SPEED:
                samples.append(_speed(pair, name, margins[name]))
            else:
                counts += _count(pair, name, margins[name])
        except NotCompared as why:
            reason = f"{name} is not compared: {why}"
            if name in required:
                raise InvalidInput(f"{reason}; or take gate.{name} out of the margins") from None
            reasons.append(reason)
    verdicts = judge(
        [item.gains for item in samples], [item.pair.speakers for item in samples],
        [item.margin for item in samples], seed=seed, alpha=alpha,
    )  # fmt: skip
    rows = [item.row(verdict) for item, verdict in zip(samples, verdicts, strict=True)]
    return Gate((*rows, *counts), tuple(dict.fromkeys(reasons)), alpha)


def _metrics_with_margins(
    systems: Sequence[System], names: Sequence[str], margins: Mapping[str, float]
) -> tuple[list[str], list[str]]:
    """Return the metrics to judge, and why others are not."""
    shared = shared_metrics(systems, names)
    advice = "give one with --margins FILE.toml holding [gate.{0}] margin = NUMBER"
    without = [name for name in shared if name not in margins]
    if without and (names or len(without) == len(shared)):
        name = without[0]
        raise InvalidInput(
            f"metric {name!r} has no default margin; {advice.format(name)}, or leave it out with --metrics"
        )
    told = [f"{name} is not judged: it has no default margin; {advice.format(name)}" for name in without]
    return [name for name in shared if name in margins], told


def default_margins() -> dict[str, float]:
    """Return the margins that come with the suite: measured ones of metrics, and `LIMITS`."""
    shipped = tomllib.loads(files("codecbench.analysis").joinpath("margins.toml").read_text("utf-8"))
    return LIMITS | {name: float(entry["margin"]) for name, entry in shipped["gate"].items()}


def read_margins(path: Path) -> dict[str, float]:
    """Read margins of a TOML file, ``[gate.NAME] margin = NUMBER`` each; raises `InvalidInput`."""
    advice = "write e.g. [gate.pesq-wb] and below it margin = 0.05"
    try:
        found = read_toml(path)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); {advice}") from None
    except ValueError as error:
        raise InvalidInput(f"{path}: not TOML ({error}); {advice}") from None
    entries = found.get("gate")
    if not isinstance(entries, dict) or not entries:
        raise InvalidInput(f"{path}: it has no table gate; {advice}")
    margins = {}
    for name, entry in entries.items():
        value = entry.get("margin") if isinstance(entry, dict) else None
        least_is_zero = name in COUNTED
        known = float(value) if isinstance(value, int | float) and value is not True else math.nan
        if not (0 if least_is_zero else 1e-12) <= known < math.inf:
            raise InvalidInput(f"{path}: gate.{name} has no margin that is a number above 0; {advice}")
        margins[name] = known
    return margins


def _gains(pair: Pair, metric: str, entry: Mapping[str, Any]) -> NDArray[np.float64]:
    base, new = pair.scores(metric)
    difference: NDArray[np.float64] = new - base
    # A rate of errors counts by words: weights with a mean of 1 make the mean that of the pooled rate.
    weights = pair.weights(metric)
    if (scored := np.isfinite(difference)).any():
        difference = difference * weights / weights[scored].mean()
    return difference if entry["higher_is_better"] else -difference


def _speed(pair: Pair, name: str, margin: float) -> _Sample:
    """Return a real-time factor as the ratio new over old, the old one being 1."""
    gains = log_speed(pair, name)
    mean = float(np.nanmean(gains))
    return _Sample(
        name,
        "x old",
        pair,
        gains,
        math.log1p(margin),
        (1.0, math.exp(-mean)),
        lambda gain: -math.expm1(-gain),
    )


def _count(pair: Pair, name: str, limit: float) -> list[Check]:
    """Return the check of a quantity, none where it is not known of the old system."""
    quantity = COUNTED[name]
    base, new = quantity.of(pair)
    if math.isnan(base):
        return []
    margin = limit * base if quantity.is_share else limit
    gain = new - base if quantity.higher_is_better else base - new
    if math.isnan(gain):
        word = INCONCLUSIVE
    elif abs(gain) <= margin + 1e-12:
        word = EQUIVALENT
    else:
        word = BETTER if gain > 0 else WORSE
    nothing = math.nan
    return [
        Check(
            name, quantity.unit, pair.a_label, pair.b_label, word, base, new, gain, nothing, nothing, margin,
            nothing, nothing, nothing, len(pair.a), int(np.unique(pair.speakers).size),
        )
    ]  # fmt: skip
