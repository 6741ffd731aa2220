"""Clips for listening tests: two to twelve seconds, cut at a pause, in time and as loud as the reference.

References: ITU-R BS.1534-3, 2015 (about 10 s, not over 12 s; anchors are low-passed at 3.5 and 7 kHz);
ITU-R BS.1770-5, 2023 (loudness, by pyloudnorm).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from codecbench import audio
from codecbench.alignment import Delay, undo
from codecbench.codec import Wave

if TYPE_CHECKING:
    import pyloudnorm

RATE_HZ = 48_000
SHORTEST_S, LONGEST_S = 2.0, 12.0
EARLIEST_CUT_S = 5.0
FADE_S = 0.01
FRAME_S, PAUSE_S = 0.02, 0.1
MOST_GAIN_DB = 12.0
"""A stimulus that lies further from the reference's loudness is left as it is: it is broken, not soft."""
PEAK = 0.999
ANCHORS_HZ = (3500.0, 7000.0)
"""The low-range and mid-range anchors of BS.1534-3."""
LITTLE_LOSS = 0.8
"""An anchor's cut-off over this share of the material's bandwidth hardly takes anything away."""


@dataclass(frozen=True)
class Decoded:
    """A decoded file, by how much it is late (None where that is not known), and whether it is inverted."""

    path: Path
    lag_ms: float | None
    inverted: bool = False


@dataclass(frozen=True)
class Clip:
    """The first seconds of an utterance, and its decoded files by condition."""

    utterance: str
    speaker: str
    reference: Path
    decoded: Mapping[str, Decoded]
    seconds: float
    is_cut: bool = False


@dataclass(frozen=True)
class Stimuli:
    """What is heard in a trial, each float32 [T] at `RATE_HZ`, by how much each was made louder, and which
    were not aligned because they lie too far from the reference.
    """

    waves: Mapping[str, Wave]
    gains_db: Mapping[str, float]
    broken: tuple[str, ...]


def judged_seconds(wave: Wave, rate_hz: int) -> float | None:
    """Return how many seconds of an utterance are judged; None where it is too short.

    A longer one than twelve seconds ends in its deepest pause after the fifth second.
    """
    seconds = wave.size / rate_hz
    if seconds < SHORTEST_S:
        return None
    if seconds <= LONGEST_S:
        return seconds
    frame = round(FRAME_S * rate_hz)
    frames = wave[: round(LONGEST_S * rate_hz) // frame * frame].reshape(-1, frame).astype(np.float64)
    span = round(PAUSE_S / FRAME_S)
    power = np.convolve((frames**2).mean(axis=1), np.full(span, 1 / span), mode="valid")
    first = round(EARLIEST_CUT_S / FRAME_S)
    quietest = first + int(np.argmin(power[first:]))
    return (quietest + span / 2) * FRAME_S


def stimuli(clip: Clip, anchors_hz: Mapping[str, float], reference: str) -> Stimuli:
    """Return the reference, the anchors and the conditions of a clip, equally long and loud.

    Where a gain would clip, all stimuli of the trial are turned down together.
    """
    original, rate_hz = audio.load(clip.reference)
    whole = {reference: _at_rate(original, rate_hz)}
    whole |= {name: low_pass(whole[reference], RATE_HZ, hz) for name, hz in anchors_hz.items()}
    for name, decoded in clip.decoded.items():
        whole[name] = audio.fit(_in_time(decoded), whole[reference].size)
    waves = {name: _cut(wave, clip.seconds) for name, wave in whole.items()}
    target = loudness(waves[reference])
    gains = {name: _gain(loudness(wave), target) for name, wave in waves.items()}
    scaled = {name: wave * _linear(gains[name] or 0.0) for name, wave in waves.items()}
    peak = max(float(np.abs(wave).max()) for wave in scaled.values())
    common = min(1.0, PEAK / peak) if peak else 1.0
    return Stimuli(
        {name: np.asarray(wave * common, dtype=np.float32) for name, wave in scaled.items()},
        {name: round((gain or 0.0) + 20 * math.log10(common), 2) for name, gain in gains.items()},
        tuple(name for name, gain in gains.items() if gain is None),
    )


def loudness(wave: Wave) -> float:
    """Return the integrated loudness of a wave at `RATE_HZ` in LUFS (BS.1770); -inf where it is silent."""
    if not wave.any():
        return -math.inf
    return float(_meter().integrated_loudness(wave.astype(np.float64)))


def low_pass(wave: Wave, rate_hz: int, cutoff_hz: float) -> Wave:
    """Return the wave without what lies above a cut-off, as BS.1534's anchors ask; no delay."""
    sections = signal.ellip(10, 0.1, 60, min(cutoff_hz, 0.49 * rate_hz), fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, wave, padlen=min(300, wave.size - 1)), dtype=np.float32)


def anchor_name(cutoff_hz: float) -> str:
    """Return the name of an anchor: ``anchor35`` for 3.5 kHz, as webMUSHRA has it."""
    return f"anchor{cutoff_hz / 100:g}"


@lru_cache(maxsize=1)
def _meter() -> pyloudnorm.Meter:
    import pyloudnorm

    return pyloudnorm.Meter(RATE_HZ)


def _gain(own: float, target: float) -> float | None:
    """Return the gain in dB to the target; None where there is none to be had or it is too large."""
    if not math.isfinite(own) or not math.isfinite(target) or abs(target - own) > MOST_GAIN_DB:
        return None
    return target - own


def _linear(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _in_time(decoded: Decoded) -> Wave:
    """Return a decoded wave as it would be without its delay."""
    wave, rate_hz = audio.load(decoded.path)
    delay = Delay(round((decoded.lag_ms or 0.0) * rate_hz / 1000), decoded.inverted)
    return _at_rate(undo(wave, delay, wave.size), rate_hz)


def _at_rate(wave: Wave, rate_hz: int) -> Wave:
    return audio.resample(wave, rate_hz, RATE_HZ)


def _cut(wave: Wave, seconds: float) -> Wave:
    """Return the first seconds of a wave, faded at both ends so that a loop does not click."""
    part = np.array(wave[: round(seconds * RATE_HZ)], dtype=np.float32)
    ramp = np.sin(np.linspace(0, np.pi / 2, min(round(FADE_S * RATE_HZ), part.size // 2))) ** 2
    part[: ramp.size] *= ramp.astype(np.float32)
    part[part.size - ramp.size :] *= ramp[::-1].astype(np.float32)
    return part
