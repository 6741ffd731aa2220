"""Check on this machine that each metric gives the values it should: libraries, builds and versions differ.

Every metric scores speech-like signals made by `metrics.synthetic`: a pair of identical signals, one with
noise and one band-limited (golden values), the noisy pair swapped, a delay of 100 ms, silence, and a NaN
sample.  The expected values lie in ``metrics/golden.json``; metrics of other packages, which are not in it,
get the checks that need no value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from codecbench import audio, registry
from codecbench.codec import Wave
from codecbench.errors import Unavailable, Unscorable
from codecbench.metric import Metric
from codecbench.testing import signals

UNSCORABLE = "unscorable"

Measurement = float | str
"""A score, or why there is none."""


@dataclass(frozen=True)
class CheckResult:
    """One check of one metric.

    ``passed`` is None where the metric cannot run here; ``measured`` then says why.  ``tolerance`` is None
    where the expectation is not a number.
    """

    metric: str
    check: str
    expected: Measurement
    measured: Measurement
    tolerance: float | None
    passed: bool | None
    seconds: float


@dataclass(frozen=True)
class Check:
    """What to score and what should come out; ``expected`` is printed, ``accepts`` decides."""

    name: str
    measure: Callable[[], Measurement]
    expected: Measurement
    accepts: Callable[[Measurement], bool]
    tolerance: float | None = None


def selftest(metric_names: Iterable[str] | None = None) -> list[CheckResult]:
    """Check metrics, all registered ones by default.

    Parameters
    ----------
    metric_names : iterable of str or None
        Names as in ``codecbench list``.

    Returns
    -------
    list of CheckResult
        One for each check, in order of metric; a single one for a metric that cannot run here.

    Raises
    ------
    InvalidInput
        If a name is unknown.
    """
    names = registry.names(registry.METRICS) if metric_names is None else metric_names
    return [result for name in names for result in check_metric(registry.metric(name))]


def check_metric(metric: Metric) -> Iterator[CheckResult]:
    """Run the checks of one metric."""
    start = time.perf_counter()
    try:
        metric.check()
        metric.open()
    except Unavailable as error:
        yield CheckResult(metric.name, "available", "can run here", str(error), None, None, _since(start))
        return
    for check in checks(metric, golden().get(metric.name, {})):
        start = time.perf_counter()
        measured = check.measure()
        passed = check.accepts(measured)
        yield CheckResult(
            metric.name, check.name, check.expected, measured, check.tolerance, passed, _since(start)
        )


@cache
def golden() -> Mapping[str, Mapping[str, Any]]:
    """Return the expectations of each metric, by name."""
    text = files("codecbench.metrics").joinpath("golden.json").read_text(encoding="utf-8")
    metrics: Mapping[str, Mapping[str, Any]] = json.loads(text)["metrics"]
    return metrics


def checks(metric: Metric, expected: Mapping[str, Any]) -> Iterator[Check]:
    """List the checks that apply to a metric, given its entry of ``golden.json``."""
    speech = signals.speech_like()
    noisy = signals.with_noise(speech)
    degraded = {"identity": speech, "noise": noisy, "band": signals.band_limited(speech)}
    for name, deg in degraded.items():
        if name in expected:
            yield _value(metric, name, (speech, deg), expected[name], expected["tolerance"])
    if "symmetric" in expected:
        yield _swap(metric, speech, noisy, symmetric=expected["symmetric"], tolerance=expected["tolerance"])
    if "delay" in expected:
        yield _delay(metric, speech, *expected["delay"])
    silence = np.zeros_like(speech)
    broken = speech.copy()
    broken[broken.size // 2] = np.nan
    yield _refusal(metric, "silent reference", silence, speech)
    yield _refusal(metric, "silent degraded", speech, silence)
    yield _refusal(metric, "nan", speech, broken)


def measure(metric: Metric, ref: Wave, deg: Wave) -> Measurement:
    """Score a pair given at 16 kHz; ``unscorable`` where the metric refuses, the error where it fails."""
    pair = [audio.resample(wave, signals.RATE_HZ, metric.sample_rate_hz) for wave in (ref, deg)]
    try:
        return metric(*pair)
    except Unscorable:
        return UNSCORABLE
    except Exception as error:
        # Whatever a library throws on this machine is a finding to report, not the end of the self-test.
        return f"{type(error).__name__}: {error}"


def _value(
    metric: Metric, name: str, pair: tuple[Wave, Wave], expected: Measurement, tolerance: float
) -> Check:
    if isinstance(expected, str):
        return Check(name, lambda: measure(metric, *pair), expected, lambda found: found == expected)
    return Check(
        name,
        lambda: measure(metric, *pair),
        expected,
        lambda found: not isinstance(found, str) and abs(found - expected) <= tolerance,
        tolerance,
    )


def _swap(metric: Metric, ref: Wave, deg: Wave, *, symmetric: bool, tolerance: float) -> Check:
    """A metric that treats both signals alike must score them alike when swapped; another must not."""

    def difference() -> Measurement:
        forward, backward = measure(metric, ref, deg), measure(metric, deg, ref)
        if isinstance(forward, str) or isinstance(backward, str):
            return forward if isinstance(forward, str) else backward
        return abs(forward - backward)

    def accepts(found: Measurement) -> bool:
        return not isinstance(found, str) and (found <= tolerance) is symmetric

    return Check("swap", difference, "no change" if symmetric else "a change", accepts, tolerance)


def _delay(metric: Metric, speech: Wave, low: float, high: float) -> Check:
    late = signals.delayed(speech)
    return Check(
        "delay 100 ms",
        lambda: measure(metric, speech, late),
        f"{low:g} to {high:g}",
        lambda found: not isinstance(found, str) and low <= found <= high,
    )


def _refusal(metric: Metric, name: str, ref: Wave, deg: Wave) -> Check:
    return Check(name, lambda: measure(metric, ref, deg), UNSCORABLE, lambda found: found == UNSCORABLE)


def _since(start: float) -> float:
    return time.perf_counter() - start
