"""The lag of decoded speech: exact where the wave survives, within 3 ms where only its envelope does."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import pyworld
import scipy.ndimage
import scipy.signal
import soxr
from numpy.typing import NDArray

from codecbench.alignment import lag, shift

RATE = 16_000
Wave = NDArray[np.float32]
DELAYS = (0, 1, -1, 7, -160, 400, 1600, -1600)


def _delay(wave: Wave, samples: int) -> Wave:
    return shift(wave, -samples)


def _noisy(wave: Wave) -> Wave:
    noise = np.random.default_rng(0).standard_normal(wave.size)
    return (wave + noise * np.sqrt(np.mean(wave**2))).astype(np.float32)  # 0 dB


def _low_pass(wave: Wave) -> Wave:
    sections = scipy.signal.butter(4, 1000, fs=RATE, output="sos")
    return scipy.signal.sosfiltfilt(sections, wave).astype(np.float32)


def _resampled(wave: Wave) -> Wave:
    there = soxr.resample(wave, RATE, 44_100)
    return soxr.resample(there, 44_100, RATE)[: wave.size]


def _quantised(wave: Wave) -> Wave:
    return (np.round(wave * 16) / 16).astype(np.float32)


KEEPS_THE_WAVE: list[Callable[[Wave], Wave]] = [
    lambda wave: wave,
    lambda wave: -wave,
    lambda wave: 0.01 * wave,
    _noisy,
    _low_pass,
    _resampled,
    _quantised,
]


LOSES_A_SAMPLE = (_noisy, _low_pass, _quantised)


@pytest.mark.parametrize(
    "degrade", KEEPS_THE_WAVE, ids=["same", "inverted", "quiet", "noise", "low-pass", "resampled", "4 bits"]
)
def test_waveform_lag_is_exact(speech: list[Wave], degrade: Callable[[Wave], Wave]) -> None:
    for wave in speech:
        for delay in DELAYS:
            found = lag(wave, _delay(degrade(wave), delay), RATE)
            assert found == delay or (abs(delay) == 1 and found == 0 and degrade in LOSES_A_SAMPLE)


def _world(wave: Wave) -> Wave:
    """Analysis and resynthesis by the WORLD vocoder: pulses and noise, none of the original phase."""
    samples = wave.astype(np.float64)
    f0, times = pyworld.dio(samples, RATE)
    envelope = pyworld.cheaptrick(samples, f0, times, RATE)
    aperiodicity = pyworld.d4c(samples, f0, times, RATE)
    made = pyworld.synthesize(f0, envelope, aperiodicity, RATE)[: wave.size]
    return np.pad(made, (0, wave.size - made.size)).astype(np.float32)


def _random_phase(wave: Wave) -> Wave:
    """The magnitudes of the short-time spectrum with phases drawn at random."""
    *_, spectrum = scipy.signal.stft(wave, RATE, nperseg=512, noverlap=384)
    phases = np.exp(2j * np.pi * np.random.default_rng(1).random(spectrum.shape))
    return scipy.signal.istft(np.abs(spectrum) * phases, RATE, nperseg=512, noverlap=384)[1][
        : wave.size
    ].astype(np.float32)


def _noise_vocoder(wave: Wave) -> Wave:
    """Spectra every 20 ms smoothed over 225 Hz, excited by noise: coarser than any neural codec."""
    *_, spectrum = scipy.signal.stft(wave, RATE, nperseg=640, noverlap=320)
    smooth = scipy.ndimage.uniform_filter1d(np.abs(spectrum), 9, axis=0)
    phases = np.exp(2j * np.pi * np.random.default_rng(2).random(spectrum.shape))
    return scipy.signal.istft(smooth * phases, RATE, nperseg=640, noverlap=320)[1][: wave.size].astype(
        np.float32
    )


@pytest.fixture(scope="module", params=[_world, _random_phase, _noise_vocoder])
def pairs(request: pytest.FixtureRequest, speech: list[Wave]) -> list[tuple[Wave, Wave]]:
    return [(wave, request.param(wave)) for wave in speech]


def test_vocoded_speech_is_not_late(pairs: list[tuple[Wave, Wave]]) -> None:
    for wave, vocoded in pairs:
        assert abs(lag(wave, vocoded, RATE)) <= RATE // 1000


@pytest.mark.parametrize("delay", [-1600, -320, 320, 800, 3200])
def test_delayed_vocoded_speech(pairs: list[tuple[Wave, Wave]], delay: int) -> None:
    for wave, vocoded in pairs:
        assert abs(lag(wave, _delay(vocoded, delay), RATE) - delay) <= 3 * RATE // 1000


def test_waves_alone_would_mislead(speech: list[Wave]) -> None:
    """Why the envelopes are needed: the plain cross-correlation of vocoded speech peaks anywhere."""
    misled = 0
    for wave in speech:
        correlation = scipy.signal.correlate(_random_phase(wave), wave, method="fft")
        middle = wave.size - 1
        window = np.abs(correlation[middle - 4000 : middle + 4001])
        misled += abs(int(np.argmax(window)) - 4000) > RATE // 1000
    assert misled >= 2


@pytest.mark.parametrize("rate_hz", [8_000, 24_000, 48_000])
def test_other_rates(speech: list[Wave], rate_hz: int) -> None:
    wave = soxr.resample(speech[0], RATE, rate_hz)
    delay = rate_hz // 40
    assert lag(wave, _delay(wave, delay), rate_hz) == delay
    vocoded = soxr.resample(_random_phase(speech[0]), RATE, rate_hz)
    assert abs(lag(wave, _delay(vocoded, delay), rate_hz) - delay) <= 3 * rate_hz // 1000


def test_lag_beyond_the_reach_is_not_found(speech: list[Wave]) -> None:
    delayed = _delay(speech[0], 800)
    assert lag(speech[0], delayed, RATE, max_ms=50.0) == 800
    assert abs(lag(speech[0], delayed, RATE, max_ms=20.0)) <= 320


@pytest.mark.parametrize("size", [1, 2, 5, 100, 1000])
def test_short_silent_and_unequal_waves(size: int) -> None:
    noise = np.random.default_rng(3).standard_normal(size).astype(np.float32)
    silence = np.zeros(size, dtype=np.float32)
    assert lag(noise, noise, RATE) == 0
    assert lag(silence, noise, RATE) == lag(noise, silence, RATE) == lag(silence, silence, RATE) == 0
    assert lag(noise, np.append(noise, noise), RATE) == 0
    assert lag(silence[:0], noise, RATE) == 0


def test_unrelated_noise_stays_within_reach() -> None:
    draw = np.random.default_rng(4)
    one, other = draw.standard_normal((2, RATE)).astype(np.float32)
    assert abs(lag(one, other, RATE)) <= RATE // 4


def test_lag_is_quick(speech: list[Wave]) -> None:
    wave = np.tile(speech[0], 4)[: 10 * RATE]
    vocoded = np.random.default_rng(5).permutation(wave)
    lag(wave, vocoded, RATE)
    start = time.process_time()
    for _ in range(5):
        lag(wave, vocoded, RATE)
    assert (time.process_time() - start) / 5 < 0.1  # 23 ms measured; room for a loaded machine
