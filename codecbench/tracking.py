"""Delay tracking through a recording: clocks drift, and jitter buffers jump."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.correlation import wave_peak

WINDOW_S = 0.5
MOST_WINDOWS, FIRST_WINDOWS = 24, 6
REACH_S = 1.0
QUIET_DB = -25.0
"""Windows whose power lies this far below the loudest one's are left out."""
CLEAR, CLEAR_VALUE = 1.8, 0.15
"""How far a window's peak stands out from the next one, and its correlation, to be believed."""
FEWEST, MOST_LOST = 4, 0.5
LEAST_DRIFT_MS, LEAST_JUMP_MS = 0.15, 2.0
"""A low rate's formants move a window's peak by up to 1.4 ms."""

Floats = NDArray[np.float64]


class Tracked(NamedTuple):
    """The median lag in samples of a delay that changes, its polarity, and how it changes in words."""

    lag: int
    inverted: bool
    note: str


def track(ref: Wave, deg: Wave, rate_hz: int, near: int) -> Tracked | None:
    """Follow the delay window by window, within 1 s of ``near`` samples; None where it stays or is unclear.

    Only waves can be followed: in half a second the envelopes say too little.
    """
    times, lags, signs, tried = _follow(ref, deg, rate_hz, near)
    if times.size < FEWEST or times.size < (1 - MOST_LOST) * tried:
        return None
    note = _told(times, lags * 1000 / rate_hz)
    return Tracked(int(statistics.median_low(lags)), bool(np.median(signs) < 0), note) if note else None


def _follow(ref: Wave, deg: Wave, rate_hz: int, near: int) -> tuple[Floats, Floats, Floats, int]:
    """Return seconds, lags and signs of the windows with a clear lag, and how many were tried."""
    length = round(WINDOW_S * rate_hz)
    starts = _loud_windows(ref, length)
    # Speech without its phase shows in a few windows spread over all, and costs no more than these.
    sample = (
        starts[np.unique(np.linspace(0, starts.size - 1, FIRST_WINDOWS).astype(int))]
        if starts.size
        else starts
    )
    clear = [_window(ref, deg, rate_hz, int(start), near) is not None for start in sample]
    if 2 * sum(clear) < len(clear):
        return np.zeros(0), np.zeros(0), np.zeros(0), starts.size
    found = [_window(ref, deg, rate_hz, int(start), near) for start in starts]
    known = np.array([one for one in found if one is not None], dtype=np.float64).reshape(-1, 3)
    return known[:, 0], known[:, 1], known[:, 2], starts.size


def _loud_windows(ref: Wave, length: int) -> NDArray[np.int64]:
    """Return the starts of up to `MOST_WINDOWS` windows with speech."""
    count = min(MOST_WINDOWS, ref.size // length)
    starts = np.linspace(0, ref.size - length, count).astype(np.int64) if count else np.zeros(0, np.int64)
    power = np.array([float(np.mean(np.square(ref[at : at + length]))) for at in starts])
    loud: NDArray[np.int64] = starts[power > 10 ** (QUIET_DB / 10) * power.max(initial=0.0)]
    return loud


def _window(ref: Wave, deg: Wave, rate_hz: int, start: int, near: int) -> tuple[float, int, float] | None:
    """Return second, lag and sign of one window, None where its lag is not clear."""
    length, reach = round(WINDOW_S * rate_hz), round(REACH_S * rate_hz)
    begin, end = max(0, start + near - reach), min(deg.size, start + near + reach + length)
    if end - begin < length:
        return None
    peak = wave_peak(ref[start : start + length], deg[begin:end], rate_hz, 0, end - begin - length)
    if peak.ratio < CLEAR or abs(peak.value) < CLEAR_VALUE:
        return None
    return (start + length / 2) / rate_hz, peak.lag + begin - start, math.copysign(1.0, peak.value)


def _told(times: Floats, lags_ms: Floats) -> str:
    """Say in words how a delay changes; empty where it does not."""
    split, level = _best_step(lags_ms)
    line = _line(times, lags_ms)
    costs = [float(np.abs(lags_ms - fit).sum()) for fit in (np.median(lags_ms), level, line)]
    drift = line[-1] - line[0]
    jump = level[-1] - level[0]
    tolerance = 0.06 * lags_ms.size
    if abs(drift) >= LEAST_DRIFT_MS and costs[2] <= 0.35 * costs[0] and costs[2] <= costs[1] + 1e-9:
        ppm = 1000 * drift / (times[-1] - times[0])
        return f"the delay drifts by {ppm:+.0f} ppm, {drift:+.2f} ms in all: the clocks differ"
    if abs(jump) >= LEAST_JUMP_MS and costs[1] <= max(0.35 * costs[0], tolerance):
        at = (times[split - 1] + times[split]) / 2
        return f"the delay jumps by {jump:+.1f} ms at about {at:.1f} s"
    steps = sum(abs(after - before) >= LEAST_JUMP_MS for before, after in pairwise(lags_ms))
    steady = sum(abs(after - before) < LEAST_JUMP_MS / 4 for before, after in pairwise(lags_ms))
    if steps >= 2 and steady >= steps:
        return f"the delay changes {steps} times, between {lags_ms.min():.1f} and {lags_ms.max():.1f} ms"
    return ""


def _best_step(values: Floats) -> tuple[int, Floats]:
    """Return the place (two values at least on each side) and the levels of the best single step."""
    best = (np.inf, 2, values)
    for split in range(2, values.size - 1):
        level = np.repeat(
            [np.median(values[:split]), np.median(values[split:])], [split, values.size - split]
        )
        cost = float(np.abs(values - level).sum())
        if cost < best[0]:
            best = (cost, split, level)
    return best[1], best[2]


def _line(times: Floats, values: Floats) -> Floats:
    """Return the values of the line of median slope (Theil and Sen)."""
    one, other = np.triu_indices(times.size, 1)
    slope = float(np.median((values[other] - values[one]) / (times[other] - times[one])))
    line: Floats = slope * times + float(np.median(values - slope * times))
    return line
