"""Regression gate: may a new system replace an old one?

Scores are judged by their paired differences (`verdicts`).  Rate, delay and failures are counted, not
sampled: of an unchanged codec they are the same to the last byte, so that comparing them costs no false
alarm.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codecbench.analysis.systems import Pair, System, check_comparable, pairs, shared_metrics
from codecbench.analysis.verdicts import BETTER, EQUIVALENT, INCONCLUSIVE, VERDICTS, WORSE, judge
from codecbench.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

COUNTED = {"payload_kbps": 0.01, "delay_ms": 0.01, "failures": 0.0}
"""What is counted, with the growth that is let pass: a share of the rate, ms, utterances."""
UNITS = {"payload_kbps": "kbit/s", "delay_ms": "ms", "failures": "utterances"}


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
    """All checks of a gate; its own verdict is that of the worst one."""

    checks: tuple[Check, ...]

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


def gate(
    base: System, new: System, margins: Mapping[str, float], metrics: Sequence[str] = (), seed: int = 0
) -> Gate:
    """Hold a new system against the one it shall replace.

    Parameters
    ----------
    base, new : System
        What they name, see `codecbench.analysis.systems`.
    margins : mapping of str to float
        The loss that each metric tolerates, see `read_margins`.
    metrics : sequence of str
        Names of metrics; by default those that both were scored with.

    Raises
    ------
    InvalidInput
        If the two do not compare, or a metric has no margin.
    """
    check_comparable([base, new])
    chosen = shared_metrics([base, new], metrics)
    for name in chosen:
        if name not in margins:
            raise InvalidInput(
                f"metric {name!r} has no default margin; give one with --margins FILE.toml holding "
                f"[gate.{name}] margin = NUMBER, or leave it out with --metrics"
            )
    found = pairs(base, new)
    scored = [(pair, name, base.run.manifest["metrics"][name]) for pair in found for name in chosen]
    verdicts = judge(
        [_gains(pair, name, entry) for pair, name, entry in scored],
        [pair.speakers for pair, _, _ in scored],
        [margins[name] for _, name, _ in scored],
        seed,
    )
    checks = []
    for (pair, name, entry), found_so in zip(scored, verdicts, strict=True):
        was, now_is = pair.means(name)
        checks.append(
            Check(
                name, entry["unit"], pair.a_label, pair.b_label, found_so.verdict, was, now_is, found_so.gain,
                found_so.low, found_so.high, found_so.margin, found_so.p_worse, found_so.power,
                found_so.needed, found_so.n, found_so.clusters,
            )
        )  # fmt: skip
    return Gate((*checks, *(check for pair in found for check in _counted(pair, margins))))


def default_margins() -> dict[str, float]:
    """Return the margins that come with the suite: measured ones of metrics, and those of `COUNTED`."""
    shipped = tomllib.loads(files("codecbench.analysis").joinpath("margins.toml").read_text("utf-8"))
    return COUNTED | {name: float(entry["margin"]) for name, entry in shipped["gate"].items()}


def read_margins(path: Path) -> dict[str, float]:
    """Read margins of a TOML file, ``[gate.NAME] margin = NUMBER`` each; raises `InvalidInput`."""
    advice = "write e.g. [gate.pesq-wb] and below it margin = 0.05"
    try:
        found = tomllib.loads(path.read_text("utf-8"))
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
    return difference if entry["higher_is_better"] else -difference


def _counted(pair: Pair, margins: Mapping[str, float]) -> list[Check]:
    """Return the checks of rate, delay and failures."""
    both = ((pair.a["status"] == "ok") & (pair.b["status"] == "ok")).to_numpy()
    rates = [_rate(part[both]) for part in (pair.a, pair.b)]
    delays = [float(part["delay_ms"].max()) for part in (pair.a, pair.b)]
    failures = [float((part["status"] == "failed").sum()) for part in (pair.a, pair.b)]
    limits = dict(margins)
    limits["payload_kbps"] = margins["payload_kbps"] * rates[0]
    measured = dict(zip(COUNTED, (rates, delays, failures), strict=True))
    return [
        _count(pair, name, (was, now_is), limits[name])
        for name, (was, now_is) in measured.items()
        if not math.isnan(was)
    ]


def _count(pair: Pair, name: str, values: tuple[float, float], margin: float) -> Check:
    base, new = values
    gain = base - new
    if math.isnan(gain):
        word = INCONCLUSIVE
    elif abs(gain) <= margin + 1e-12:
        word = EQUIVALENT
    else:
        word = BETTER if gain > 0 else WORSE
    nothing = math.nan
    return Check(
        name, UNITS[name], pair.a_label, pair.b_label, word, base, new, gain, nothing, nothing, margin,
        nothing, nothing, nothing, len(pair.a), int(np.unique(pair.speakers).size),
    )  # fmt: skip


def _rate(records: pd.DataFrame) -> float:
    """Return the payload over all utterances in kbit/s, NaN where it is not known."""
    seconds = float(records["seconds"].sum())
    bits = float(records["payload_bytes"].sum(min_count=1)) * 8
    return bits / seconds / 1000 if seconds else math.nan
