"""Segmentation of long clips for metrics whose memory grows with the clip, or whose library cannot take it.

The clip is cut into parts of nearly equal length, each cut moved to the quietest place of the reference
within two seconds, and the score is the mean over the parts weighted by duration.  Clips within the limit are
scored whole, so the score of an ordinary utterance is the library's own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import SILENCE_DBFS, level_dbfs

REACH_S = 2.0
"""How far a cut may move from its even place, in seconds."""

QUIET_S = 0.1
"""Length of the stretch whose power decides what is quiet, in seconds."""


def split(ref: Wave, rate_hz: int, max_seconds: float) -> list[slice]:
    """Cut a reference at quiet points into parts of at most ``max_seconds``.

    Parameters
    ----------
    ref : Wave
        float32 [T].
    rate_hz : int
        Sample rate.
    max_seconds : float
        Longest part allowed.

    Returns
    -------
    list of slice
        Consecutive slices that cover [0, T); a single one where the clip is short enough.
    """
    if ref.size <= max_seconds * rate_hz:
        return [slice(0, ref.size)]
    reach_s = min(REACH_S, max_seconds / 8)
    count = math.ceil(ref.size / ((max_seconds - 2 * reach_s) * rate_hz))
    return _cut(ref, count, round(reach_s * rate_hz), round(QUIET_S * rate_hz))


def halve(ref: Wave, part: slice, rate_hz: int) -> list[slice]:
    """Cut one part of a reference in two at a quiet point near its middle."""
    wave = ref[part]
    halves = _cut(wave, 2, min(round(REACH_S * rate_hz), wave.size // 8), round(QUIET_S * rate_hz))
    return [slice(part.start + half.start, part.start + half.stop) for half in halves]


def mean_over(
    parts: Sequence[slice], score: Callable[[Wave, Wave], float | None], ref: Wave, deg: Wave
) -> float:
    """Average a score over parts, weighted by duration.

    Parameters
    ----------
    parts : sequence of slice
        From `split`.
    score : callable
        Scores one part; gives None where the reference has no speech there, and the part is left out.
    ref, deg : Wave
        float32 [T].

    Raises
    ------
    Unscorable
        If no part of the reference has speech, or ``score`` raises it for a part.
    """
    total, weight = 0.0, 0
    for part in parts:
        if level_dbfs(ref[part]) < SILENCE_DBFS:
            continue
        value = score(ref[part], deg[part])
        if value is not None:
            total += value * (part.stop - part.start)
            weight += part.stop - part.start
    if weight == 0:
        raise Unscorable("no speech found in the reference")
    return total / weight


def _cut(ref: Wave, count: int, reach: int, quiet: int) -> list[slice]:
    power = _smoothed_power(ref, quiet)
    edges = [0]
    for number in range(1, count):
        even = round(number * ref.size / count)
        low = max(even - reach, 0)
        edges.append(low + int(np.argmin(power[low : even + reach])))
    edges.append(ref.size)
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def _smoothed_power(wave: Wave, width: int) -> NDArray[np.float64]:
    """Mean power of the ``width`` samples around each sample, float64 [T]."""
    total = np.concatenate(([0.0], np.cumsum(np.square(wave, dtype=np.float64))))
    at = np.arange(wave.size)
    low, high = np.maximum(at - width // 2, 0), np.minimum(at + width // 2 + 1, wave.size)
    return np.asarray((total[high] - total[low]) / (high - low), dtype=np.float64)
