"""Clips are two to twelve seconds long, end in a pause, in time with the reference and as loud as it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codecbench import audio
from codecbench.listen.clips import RATE_HZ, Clip, Decoded, judged_seconds, loudness, low_pass, stimuli

RATE = 16_000


def noise(seconds: float, level: float = 0.1) -> NDArray[np.float32]:
    generator = np.random.default_rng(1)
    return (level * generator.standard_normal(round(seconds * RATE))).astype(np.float32)


def tone(hz: float, seconds: float, rate: int = RATE_HZ) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize(
    ("seconds", "judged"), [(1.99, None), (2.0, 2.0), (7.25, 7.25), (12.0, 12.0), (12.5, 9.0), (40.0, 9.0)]
)
def test_long_ones_end_in_their_deepest_pause_and_short_ones_are_left_out(
    seconds: float, judged: float | None
) -> None:
    wave = noise(seconds)
    wave[round(2.9 * RATE) : round(3.1 * RATE)] = 0  # too early to be a clip's end
    wave[round(8.9 * RATE) : round(9.1 * RATE)] = 0
    found = judged_seconds(wave, RATE)
    assert found == judged if judged is None or judged != 9.0 else found == pytest.approx(9.0, abs=0.1)


def test_where_there_is_no_pause_it_is_cut_all_the_same() -> None:
    found = judged_seconds(np.full(20 * RATE, 0.1, dtype=np.float32), RATE)
    assert found is not None
    assert 5 <= found <= 12


def test_loudness_is_that_of_bs_1770() -> None:
    # ITU-R BS.1770-5, annex 1: a sine of 997 Hz at full scale in one channel reads -3.01 LKFS.
    assert loudness(tone(997, 3)) == pytest.approx(-3.01, abs=0.1)
    assert loudness(0.1 * tone(997, 3)) == pytest.approx(-23.01, abs=0.1)
    assert loudness(np.zeros(RATE_HZ, dtype=np.float32)) == -np.inf


def test_anchors_keep_what_lies_below_the_cut_off() -> None:
    low, high = tone(2000, 1), tone(5000, 1)
    middle = slice(8000, 40_000)
    assert np.abs(low_pass(low, 48_000, 3500) - low)[middle].max() < 0.05
    assert np.abs(low_pass(high, 48_000, 3500))[middle].max() < 0.002


@pytest.mark.parametrize("cutoff", [2000, 3500, 7000])
def test_anchors_fall_off_within_a_hundredth_of_their_cut_off(cutoff: int) -> None:
    middle = slice(8000, 40_000)
    decibels = {
        hz: 20
        * np.log10(np.std(low_pass(tone(hz, 1), RATE_HZ, cutoff)[middle]) / np.std(tone(hz, 1)[middle]))
        for hz in (cutoff, 1.01 * cutoff, 1.2 * cutoff)
    }
    assert decibels[cutoff] > -0.3
    assert decibels[1.01 * cutoff] < -3
    assert decibels[1.2 * cutoff] < -50


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Return a clip whose conditions are softer by 8 dB, late by 40 ms and inverted, and broken."""
    speech = noise(3) * np.repeat(np.random.default_rng(2).uniform(0.2, 1, 30), RATE // 10).astype(np.float32)
    late = np.roll(-speech, 640)
    waves = {"reference": speech, "soft": 0.4 * speech, "late": late, "broken": 0.001 * speech}
    for name, wave in waves.items():
        audio.save(tmp_path / f"{name}.flac", wave, RATE)
    decoded = {
        "soft": Decoded(tmp_path / "soft.flac", 0.0),
        "late": Decoded(tmp_path / "late.flac", 40.0, inverted=True),
        "broken": Decoded(tmp_path / "broken.flac", None),
    }
    return Clip("u", "s", tmp_path / "reference.flac", decoded, 2.5)


def test_stimuli_are_equally_long_loud_and_in_time(clip: Clip) -> None:
    made = stimuli(clip, {"anchor35": 3500.0}, "reference")
    assert {wave.size for wave in made.waves.values()} == {round(2.5 * RATE_HZ)}
    levels = {name: loudness(wave) for name, wave in made.waves.items()}
    for name in ("soft", "late", "anchor35"):
        assert levels[name] == pytest.approx(levels["reference"], abs=0.05)
    assert made.gains_db["soft"] == pytest.approx(-20 * np.log10(0.4), abs=0.05)
    inner = slice(4800, -4800)
    for name in ("soft", "late"):
        assert np.corrcoef(made.waves[name][inner], made.waves["reference"][inner])[0, 1] > 0.999
    assert made.gains_db["broken"] == 0
    assert made.broken == ("broken",)


def test_where_a_gain_would_clip_all_are_turned_down_together(clip: Clip, tmp_path: Path) -> None:
    wave, rate = audio.load(clip.reference)
    audio.save(clip.reference, wave / np.abs(wave).max(), rate)
    spiky = 0.3 * wave / np.abs(wave).max()
    spiky[20_000] = 0.9
    audio.save(tmp_path / "soft.flac", spiky, rate)
    made = stimuli(clip, {}, "reference")
    assert max(np.abs(wave).max() for wave in made.waves.values()) <= 1
    assert made.gains_db["reference"] < -1
    assert loudness(made.waves["soft"]) == pytest.approx(loudness(made.waves["reference"]), abs=0.05)
    assert np.abs(made.waves["soft"][[0, -1]]).max() == 0  # a loop does not click
