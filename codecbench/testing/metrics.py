"""Conformance tests of metrics on this machine: libraries, builds and versions differ.

Every metric scores speech-like signals made by `metrics.synthetic`: a pair of identical signals, one with
noise and one band-limited (golden values), the noisy pair swapped, a delay of 100 ms, silence, and a NaN
sample.  The expected values stand on the metric's class (`codecbench.metric.Golden`); a metric without them
gets the checks that need no value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from codecbench import audio, calls, contract, registry
from codecbench.codec import Wave
from codecbench.errors import ContractBroken, Unavailable, Unscorable, told
from codecbench.guard import guarded
from codecbench.metric import Golden, Metric
from codecbench.testing import signals
from codecbench.testing.results import CheckResult, Measurement

UNSCORABLE = "unscorable"


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
    return [result for name in names for result in _check_named(name)]


def _check_named(name: str) -> Iterator[CheckResult]:
    start = time.perf_counter()
    try:
        metric = registry.metric(name)
    except ContractBroken as error:
        yield CheckResult(name, "contract", "can enter a run", str(error), None, False, _since(start))
    except Unavailable as error:
        yield CheckResult(name, "available", "can run here", str(error), None, None, _since(start))
    else:
        yield from check_metric(metric)


def check_metric(metric: Metric) -> Iterator[CheckResult]:
    """Run the checks of one metric."""
    start = time.perf_counter()
    try:
        contract.check_here(metric)
        with guarded(loading=True):
            metric.open()
    except Exception as error:
        here = None if isinstance(error, Unavailable) else False
        yield CheckResult(metric.name, "available", "can run here", told(error), None, here, _since(start))
        return
    for check in checks(metric):
        start = time.perf_counter()
        measured = check.measure()
        passed = check.accepts(measured)
        yield CheckResult(
            metric.name, check.name, check.expected, measured, check.tolerance, passed, _since(start)
        )


def checks(metric: Metric) -> Iterator[Check]:
    """List the checks that apply to a metric; golden values only where its class has some."""
    recorded = metric.golden is not None and metric.golden.recorded
    metric = calls.knowing(metric, {"text": signals.RECORDED_TEXT} if recorded else {})
    speech = signals.recording() if recorded else signals.speech_like()
    noisy = signals.with_noise(speech)
    if metric.golden is not None:
        yield from _golden(metric, metric.golden, speech, noisy)
    silence = np.zeros_like(speech)
    broken = speech.copy()
    broken[broken.size // 2] = np.nan
    yield _refusal(metric, "silent reference", silence, speech)
    yield _refusal(metric, "silent degraded", speech, silence)
    yield _refusal(metric, "nan", speech, broken)


def _golden(metric: Metric, golden: Golden, speech: Wave, noisy: Wave) -> Iterator[Check]:
    band = signals.band_limited(speech)
    yield _value(metric, "identity", (speech, speech), golden.identity, golden.tolerance)
    yield _value(metric, "noise", (speech, noisy), golden.noise, golden.tolerance)
    yield _value(metric, "band", (speech, band), golden.band, golden.tolerance)
    yield _swap(metric, speech, noisy, symmetric=golden.symmetric, tolerance=golden.tolerance)
    yield _delay(metric, speech, *golden.delay)


def measure(metric: Metric, ref: Wave, deg: Wave) -> Measurement:
    """Score a pair given at 16 kHz; ``unscorable`` where the metric refuses, the error where it fails."""
    pair = [audio.resample(wave, signals.RATE_HZ, metric.sample_rate_hz) for wave in (ref, deg)]
    try:
        return calls.score(metric, *pair)
    except Unscorable:
        return UNSCORABLE
    except Exception as error:
        # Whatever a library throws on this machine is a finding to report, not the end of the self-test.
        return told(error)


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
