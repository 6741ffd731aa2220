"""STOI and ESTOI against an implementation written here from the papers, golden values, properties."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from pystoi import stoi
from pystoi.utils import resample_oct

from codecbench.errors import Unscorable
from codecbench.metrics.parts import split
from codecbench.metrics.stoi import Estoi, Stoi
from codecbench.testing.signals import band_limited, speech_like, with_noise

RATE, FRAME, HOP, SEGMENT = 10_000, 256, 128, 30


def active_frames(clean, degraded):
    """Overlap-add what is within 40 dB of the loudest frame of the clean signal (Taal 2011, section II)."""
    window = scipy.signal.windows.hann(FRAME + 2, sym=True)[1:-1]
    starts = range(0, clean.size - FRAME, HOP)
    energy = [20 * np.log10(np.linalg.norm(window * clean[s : s + FRAME]) + 1e-16) for s in starts]
    kept = [s for s, e in zip(starts, energy, strict=True) if e > max(energy) - 40]
    out = []
    for wave in (clean, degraded):
        joined = np.zeros((len(kept) - 1) * HOP + FRAME)
        for position, s in enumerate(kept):
            joined[position * HOP : position * HOP + FRAME] += window * wave[s : s + FRAME]
        out.append(joined)
    return out


def third_octaves(wave):
    """Equation 1: magnitudes of 15 one-third octave bands from 150 Hz, [15, M]."""
    window = scipy.signal.windows.hann(FRAME + 2, sym=True)[1:-1]
    power = [
        np.abs(np.fft.rfft(window * wave[s : s + FRAME], 512)) ** 2 for s in range(0, wave.size - FRAME, HOP)
    ]
    bins = np.arange(257) * RATE / 512
    bands = []
    for number in range(15):
        centre = 150 * 2 ** (number / 3)
        low, high = (np.argmin(np.abs(bins - centre * 2**edge)) for edge in (-1 / 6, 1 / 6))
        bands.append(np.sqrt([frame[low:high].sum() for frame in power]))
    return np.array(bands)


def unit(x, axis):
    x = x - x.mean(axis=axis, keepdims=True)
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def paper_scores(ref, deg):
    """Return STOI (Taal 2011, equations 1 to 6) and ESTOI (Jensen 2016, equations 3 to 8)."""
    waves = [resample_oct(wave.astype(np.float64), RATE, 16_000) for wave in (ref, deg)]
    clean, degraded = (third_octaves(wave) for wave in active_frames(*waves))
    plain, extended = [], []
    for end in range(SEGMENT, clean.shape[1] + 1):
        x, y = clean[:, end - SEGMENT : end], degraded[:, end - SEGMENT : end]
        scaled = y * np.linalg.norm(x, axis=1, keepdims=True) / np.linalg.norm(y, axis=1, keepdims=True)
        clipped = np.minimum(scaled, x * (1 + 10 ** (15 / 20)))
        plain.append(np.mean(np.sum(unit(x, 1) * unit(clipped, 1), axis=1)))
        extended.append(np.sum(unit(unit(x, 1), 0) * unit(unit(y, 1), 0)) / SEGMENT)
    return np.mean(plain), np.mean(extended)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("degrade", [with_noise, lambda wave: with_noise(wave, 0.0), band_limited])
def test_equals_the_papers(seed, degrade):
    ref = speech_like(2.5, seed=seed)
    plain, extended = paper_scores(ref, degrade(ref))
    assert Stoi()(ref, degrade(ref)) == pytest.approx(plain, abs=1e-9)
    assert Estoi()(ref, degrade(ref)) == pytest.approx(extended, abs=1e-9)


def test_equals_the_papers_on_speech(speech):
    for ref in speech[:2]:
        plain, extended = paper_scores(ref, with_noise(ref, 10.0))
        assert Stoi()(ref, with_noise(ref, 10.0)) == pytest.approx(plain, abs=1e-9)
        assert Estoi()(ref, with_noise(ref, 10.0)) == pytest.approx(extended, abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(-5, 30), st.floats(0.05, 4.0))
def test_bounds_identity_and_scale(seed, snr_db, gain):
    ref = speech_like(1.5, seed=seed % 7)
    deg = with_noise(ref, snr_db, seed=seed)
    for metric in (Stoi(), Estoi()):
        assert metric(ref, ref) == pytest.approx(1.0, abs=1e-6)
        assert -1.0 <= metric(ref, deg) <= 1.0
        assert metric(ref, np.float32(gain) * deg) == pytest.approx(metric(ref, deg), abs=1e-4)


def test_falls_with_noise():
    ref = speech_like(2.0)
    for metric in (Stoi(), Estoi()):
        scores = [metric(ref, with_noise(ref, snr_db)) for snr_db in (30.0, 20.0, 10.0, 0.0, -10.0)]
        assert scores == sorted(scores, reverse=True)


def test_does_not_align():
    """Real speech: 0.89 at 5 ms, 0.72 at 10 ms, 0.21 at 50 ms; here too a delay must cost."""
    ref = speech_like(3.0)
    scores = [Stoi()(ref[800:], ref[800 - late : ref.size - late]) for late in (0, 80, 160, 800)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.6


@pytest.mark.parametrize("metric", [Stoi(), Estoi()])
def test_too_little_speech_is_a_reason_not_a_warning(metric):
    ref = np.zeros(16_000, np.float32)
    ref[4000:8000] = speech_like(1.0)[4000:8000]
    with pytest.raises(Unscorable, match=r"less than 0\.4 s of speech"):
        metric(ref, with_noise(ref))


def test_extended_is_repeatable_and_leaves_the_global_generator_alone():
    """A band of digital silence is scored by the noise that pystoi adds, which must be the same each time."""
    ref = speech_like(1.5)
    deg = band_limited(ref, 500.0)
    state = np.random.get_state()[1].copy()
    first = Estoi()(ref, deg)
    assert (np.random.get_state()[1] == state).all()
    np.random.random()
    assert Estoi()(ref, deg) == first


def test_long_clips_are_the_mean_of_their_parts():
    ref = speech_like(9.0)
    deg = with_noise(ref, 5.0)
    metric = Stoi(max_seconds=4.0)
    parts = split(ref, 16_000, 4.0)
    assert len(parts) > 2
    expected = sum(Stoi()(ref[p], deg[p]) * (p.stop - p.start) for p in parts) / ref.size
    assert metric(ref, deg) == pytest.approx(expected)
    assert "max_seconds:4.0" in metric.signature()


@pytest.mark.parametrize("metric", [Stoi(), Estoi()])
def test_scores_are_those_of_the_package_to_the_last_bit(metric, speech):
    """Reference and degraded sides are computed apart, and the package's arithmetic is kept."""
    for ref in (speech_like(2.5), *(wave[:50_000] for wave in speech[:3])):
        coarse = np.round(64 * ref) / np.float32(64)  # with digital silence
        for deg in (ref, coarse, with_noise(ref, 5.0), band_limited(ref), ref[::-1].copy()):
            np.random.seed(0)
            whole = stoi(*(wave.astype(np.float64) for wave in (ref, deg)), 16_000, extended=metric.extended)
            assert metric._score_part(ref, deg) == whole
