"""Fundamental frequency by WORLD: DIO and its refinement StoneMask (Morise, Yokomori, Ozawa, IEICE 2016)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOW_HZ, HIGH_HZ = 71.0, 800.0
"""The library's own range of search."""


def fundamental(
    wave: NDArray[np.float64], rate_hz: int, frame_ms: float, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return F0 in Hz, 0 where unvoiced, and the times of its frames in seconds, float64 [T] each."""
    import pyworld

    rough, times = pyworld.dio(wave, rate_hz, low_hz, high_hz, frame_period=frame_ms)
    return pyworld.stonemask(wave, rough, times, rate_hz), times
