"""The lag of decoded speech: exact where the wave survives, within 3 ms where only its envelope does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyworld
import scipy.ndimage
import scipy.signal
import soundfile
import soxr
from numpy.typing import NDArray

from codecbench.alignment import Delay, lag, measure, settle, shift, undo

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
    assert measure(noise, silence, RATE).samples is None
    assert lag(silence[:0], noise, RATE) == 0


def test_what_does_not_match_has_no_lag(speech: list[Wave]) -> None:
    draw = np.random.default_rng(4)
    one, other = draw.standard_normal((2, RATE)).astype(np.float32)
    for ref, deg in ((one, other), (speech[0], one), (speech[0], speech[0][::-1].copy()), tuple(speech[:2])):
        found = measure(ref, deg, RATE)
        assert (found.samples, found.inverted) == (None, False)
        assert "matches the reference at no lag" in found.note


def _zeros(samples: int) -> Wave:
    return np.zeros(samples, np.float32)


@pytest.mark.parametrize("late", [160, 1105, 3840, 4800, 6400, 16_000, 32_000, 160_000])
def test_complete_copies_are_found_however_late_and_undone_whole(speech: list[Wave], late: int) -> None:
    for wave in speech:
        for sign in (1, -1):
            deg = np.concatenate([_zeros(late), sign * wave])
            found = measure(wave, deg, RATE)
            assert found == Delay(late, inverted=sign < 0)
            np.testing.assert_array_equal(undo(deg, found, wave.size), wave)


def test_cut_copies_are_found(speech: list[Wave]) -> None:
    for wave in speech:
        assert measure(wave, wave[8000:], RATE) == Delay(-8000)
        assert measure(wave, np.concatenate([_zeros(16_000), wave])[: wave.size], RATE) == Delay(16_000)
        assert measure(wave, wave[16_000:32_000], RATE) == Delay(-16_000)
        assert measure(wave, np.concatenate([wave, wave]), RATE).samples in {0, wave.size}


def test_late_in_a_long_file(speech: list[Wave]) -> None:
    long = np.concatenate([speech[number % 4][: 40_000 - 997 * number] for number in range(16)])
    assert measure(long, np.concatenate([_zeros(320_000), _noisy(long)]), RATE) == Delay(320_000)


def test_a_filter_makes_no_lag(speech: list[Wave]) -> None:
    for order, hz in ((4, 200), (2, 300), (1, 100)):
        filtering = scipy.signal.butter(order, hz, "high", fs=RATE)
        for wave in speech:
            assert measure(wave, scipy.signal.lfilter(*filtering, wave).astype(np.float32), RATE) == Delay(0)


def _tone(*hz: float) -> Wave:
    time = np.arange(2 * RATE) / RATE
    return sum(0.2 * np.sin(2 * np.pi * f * time) for f in hz).astype(np.float32)


def _vowel() -> Wave:
    pulses = (np.arange(2 * RATE) % 128 == 0).astype(float)
    return scipy.signal.lfilter([0.1], [1, -1.6, 0.9], pulses).astype(np.float32)


@pytest.mark.parametrize("wave", [_tone(200), _tone(440), _tone(200, 300), _vowel()])
def test_what_repeats_itself_gets_no_invented_lag(wave: Wave) -> None:
    noise = 0.03 * np.random.default_rng(6).standard_normal(wave.size).astype(np.float32)
    smooth = scipy.signal.filtfilt(np.ones(5) / 5, 1, wave).astype(np.float32)
    for deg in (wave, 0.5 * wave, smooth):
        assert measure(wave, deg, RATE) == Delay(0)
    # In noise one tone fits at every period alike: it may be left without a lag, but gets no other one.
    assert measure(wave, wave + noise, RATE).samples in (0, None)
    assert measure(wave, -wave, RATE) == Delay(0, inverted=True)
    assert measure(wave, np.concatenate([_zeros(1600), wave]), RATE) == Delay(1600)


@pytest.fixture(scope="module")
def long_clips(speech_dir: Path) -> list[Wave]:
    paths = sorted((speech_dir / "test").glob("*.flac"))[::15]
    waves = [soundfile.read(path, dtype="float32")[0] for path in paths]
    return [wave for wave in waves if wave.size > 5 * RATE][:5]


@pytest.mark.parametrize(("ppm", "least", "most"), [(100, 70, 130), (-100, -130, -70), (300, 240, 360)])
def test_clocks_that_differ_are_told(long_clips: list[Wave], ppm: int, least: int, most: int) -> None:
    told = [
        measure(wave, soxr.resample(wave, RATE, RATE * (1 + ppm * 1e-6)), RATE).note for wave in long_clips
    ]
    found = [int(note.split("drifts by ")[1].split(" ppm")[0]) for note in told if "drifts" in note]
    assert len(found) >= 4
    assert all(least <= value <= most for value in found)


@pytest.mark.parametrize("samples", [320, 800, -480])
def test_a_delay_that_jumps_is_told(long_clips: list[Wave], samples: int) -> None:
    told = 0
    for wave in long_clips:
        middle = wave.size // 2
        rest = [_zeros(samples), wave[middle:]] if samples > 0 else [wave[middle - samples :]]
        found = measure(wave, np.concatenate([wave[:middle], *rest]), RATE)
        assert found.samples in {0, samples}
        told += f"jumps by {samples / 16:+.1f} ms" in found.note
    assert told >= 4


def test_steady_speech_is_not_said_to_move(long_clips: list[Wave]) -> None:
    for wave in long_clips:
        for deg in (_noisy(wave), _low_pass(wave), _quantised(wave), _delay(_noisy(wave), 700)):
            assert measure(wave, deg, RATE).note == ""


def test_one_delay_of_many() -> None:
    assert settle([Delay(0), Delay(21, inverted=True), Delay(0), Delay(-1)]) == Delay(0)
    assert settle([Delay(5, inverted=True), Delay(5, inverted=True), Delay(4)]) == Delay(5, inverted=True)
    assert settle([Delay(5, inverted=True), Delay(5)]) == Delay(5)
    # Neither of two that lie far apart is wrong, their middle would be.
    assert settle([Delay(0), Delay(4000)]) == Delay(0)
    assert settle([Delay(7), Delay(None, note="silent")]) == Delay(7)
    mostly_silent = settle([Delay(7), *[Delay(None, note="silent")] * 2])
    assert mostly_silent.note == "no lag was found in 2 of 3 utterances"
    assert settle([]).samples is None


def test_undoing_moves_first_and_cuts_afterwards() -> None:
    wave = np.arange(1, 7, dtype=np.float32)
    assert undo(wave, Delay(2), 4).tolist() == [3, 4, 5, 6]
    assert undo(wave, Delay(-2), 4).tolist() == [0, 0, 1, 2]
    assert undo(wave, Delay(1, inverted=True), 6).tolist() == [-2, -3, -4, -5, -6, 0]
    assert undo(wave, Delay(-9), 4).tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="no lag to undo"):
        undo(wave, Delay(None), 4)


def test_lag_is_quick(speech: list[Wave]) -> None:
    wave = np.tile(speech[0], 4)[: 10 * RATE]
    vocoded = np.random.default_rng(5).permutation(wave)
    lag(wave, vocoded, RATE)
    start = time.process_time()
    for _ in range(5):
        lag(wave, vocoded, RATE)
    assert (time.process_time() - start) / 5 < 0.1  # 23 ms measured; room for a loaded machine
