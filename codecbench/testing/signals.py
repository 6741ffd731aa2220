"""Speech-like signals for checking metrics where no recording may be at hand.

A formant synthesiser: vowels are glottal pulses through resonators, fricatives are high-passed noise,
syllables come in phrases with pauses between.  It is not intelligible, but metrics find voice, pitch,
spectral envelopes and silence in it.  The same arguments give the same samples, up to rounding, on every
machine.

Reference: Klatt, JASA 67(3), 1980 (cascade formant synthesis, eq. 1-3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from codecbench import audio
from codecbench.codec import Wave
from codecbench.data.folders import load_dataset

RATE_HZ = 16_000

VOWELS_HZ = (
    (270.0, 2290.0, 3010.0, 3700.0),
    (530.0, 1840.0, 2480.0, 3600.0),
    (730.0, 1090.0, 2440.0, 3500.0),
    (570.0, 840.0, 2410.0, 3400.0),
    (300.0, 870.0, 2240.0, 3300.0),
)
"""First four formants of five vowels (Peterson and Barney, JASA 24(2), 1952, men; the fourth is typical)."""

BANDWIDTHS_HZ = (60.0, 90.0, 150.0, 250.0)
SYLLABLES_A_PHRASE = 5
PEAK = 0.5
END_PAUSE = RATE_HZ * 15 // 100
"""Silence at the end, samples; a delay of 100 ms then loses no speech."""


def speech_like(seconds: float = 4.0, seed: int = 0, pitch_hz: float = 115.0) -> Wave:
    """Return syllables in phrases, float32 [seconds * 16000], peak 0.5."""
    rng = np.random.default_rng(seed)
    length = round(seconds * RATE_HZ)
    pieces = [np.zeros(RATE_HZ // 10)]
    while sum(piece.size for piece in pieces) < length:
        for position in range(SYLLABLES_A_PHRASE):
            pieces.append(_fricative(rng))
            pieces.append(_vowel(rng, pitch_hz * (1.1 - 0.05 * position)))
        pieces.append(np.zeros(RATE_HZ // 4))
    wave = lfilter([1.0, -1.0], [1.0, -0.99], np.concatenate(pieces)[:length])
    wave[-END_PAUSE:] = 0.0
    wave += 1e-4 * rng.standard_normal(length)
    return np.asarray(wave * (PEAK / np.abs(wave).max()), dtype=np.float32)


RECORDED_TEXT = "for a full hour he had paced up and down waiting but he could"
"""What is said in the four seconds of `recording`, by LibriSpeech's transcript of the utterance."""


def recording(seconds: float = 4.0) -> Wave:
    """Return the beginning of the built-in set's first utterance, float32 [seconds * 16000]."""
    first = load_dataset("demo").utterances[0]
    return audio.fit(audio.load_at(first.path, RATE_HZ), round(seconds * RATE_HZ))


def with_noise(wave: Wave, snr_db: float = 20.0, seed: int = 1) -> Wave:
    """Add white noise at a signal-to-noise ratio over the whole wave."""
    noise = np.random.default_rng(seed).standard_normal(wave.size)
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    return np.asarray(wave + noise * np.sqrt(power / 10.0 ** (snr_db / 10.0)), dtype=np.float32)


def band_limited(wave: Wave, cutoff_hz: float = 3400.0) -> Wave:
    """Remove everything above a frequency."""
    spectrum = np.fft.rfft(wave.astype(np.float64))
    spectrum[np.fft.rfftfreq(wave.size, 1.0 / RATE_HZ) > cutoff_hz] = 0.0
    return np.asarray(np.fft.irfft(spectrum, wave.size), dtype=np.float32)


def delayed(wave: Wave, milliseconds: float = 100.0) -> Wave:
    """Delay a wave, keeping its length."""
    samples = round(milliseconds * RATE_HZ / 1000)
    return np.concatenate((np.zeros(samples, dtype=np.float32), wave[: wave.size - samples]))


def _vowel(rng: np.random.Generator, pitch_hz: float) -> NDArray[np.float64]:
    size = int(rng.integers(RATE_HZ * 12 // 100, RATE_HZ * 24 // 100))
    glide = pitch_hz * (1.0 + 0.08 * np.sin(np.linspace(0.0, np.pi, size)))
    phase = np.cumsum(glide / RATE_HZ)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    voice = lfilter([1.0], [1.0, -0.96], pulses) + 0.01 * rng.standard_normal(size)
    formants = VOWELS_HZ[int(rng.integers(len(VOWELS_HZ)))]
    for centre_hz, bandwidth_hz in zip(formants, BANDWIDTHS_HZ, strict=True):
        voice = _resonate(voice, centre_hz, bandwidth_hz)
    return _shaped(voice, 0.6 + 0.4 * float(rng.random()))


def _fricative(rng: np.random.Generator) -> NDArray[np.float64]:
    size = int(rng.integers(RATE_HZ * 5 // 100, RATE_HZ * 10 // 100))
    noise = lfilter([1.0, -0.95], [1.0], rng.standard_normal(size))
    return _shaped(_resonate(noise, 2500.0 + 3500.0 * float(rng.random()), 900.0), 0.15)


def _resonate(wave: NDArray[np.float64], centre_hz: float, bandwidth_hz: float) -> NDArray[np.float64]:
    """Pass through one two-pole resonator with unit gain at 0 Hz."""
    radius = np.exp(-np.pi * bandwidth_hz / RATE_HZ)
    poles = [1.0, -2.0 * radius * np.cos(2.0 * np.pi * centre_hz / RATE_HZ), radius * radius]
    return np.asarray(lfilter([sum(poles)], poles, wave), dtype=np.float64)


def _shaped(wave: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """Fade in and out over 20 ms, scale to a peak."""
    ramp = np.sin(0.5 * np.pi * np.linspace(0.0, 1.0, RATE_HZ // 50)) ** 2
    wave[: ramp.size] *= ramp
    wave[-ramp.size :] *= ramp[::-1]
    return np.asarray(wave * (peak / np.abs(wave).max()), dtype=np.float64)
