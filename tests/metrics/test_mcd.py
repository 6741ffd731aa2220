"""MCD: the mel-cepstrum against its integral, the warp against brute force and package `mcd`, properties."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench.metrics import mcd
from codecbench.metrics.mcd import (
    MelCepstralDistortion,
    MelCepstralDistortionDtw,
    MelCepstralDistortionNarrowband,
    distances,
    mel_cepstrum,
    warp,
)
from codecbench.testing.signals import band_limited, speech_like, with_noise


def all_pole_log_power(seed, bins=257):
    """Log power spectrum of a random stable all-pole filter, like an envelope of speech."""
    rng = np.random.default_rng(seed)
    poles = rng.uniform(0.5, 0.9, 4) * np.exp(1j * rng.uniform(0.1, 3.0, 4))
    denominator = np.real(np.poly(np.concatenate((poles, poles.conj()))))
    _, response = scipy.signal.freqz([1.0], denominator, np.linspace(0.0, np.pi, bins))
    return 2 * np.log(np.abs(response)), denominator


@pytest.mark.parametrize("alpha", [0.0, 0.31, 0.42, 0.455])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mel_cepstrum_equals_its_integral(alpha, seed):
    """c_m is the cosine transform of the log magnitude over the frequency that the all-pass warps."""
    log_power, denominator = all_pole_log_power(seed)
    warped = (np.arange(200_000) + 0.5) * np.pi / 200_000
    # The inverse of the all-pass phase: the same function with the sign of alpha turned.
    plain = warped - 2 * np.arctan(alpha * np.sin(warped) / (1 + alpha * np.cos(warped)))
    _, response = scipy.signal.freqz([1.0], denominator, plain)
    log_magnitude = np.log(np.abs(response))
    expected = [2 * np.mean(log_magnitude * np.cos(m * warped)) for m in range(25)]
    expected[0] /= 2
    np.testing.assert_allclose(mel_cepstrum(log_power[None], 24, alpha)[0], expected, atol=1e-8)


def test_unwarped_difference_is_the_log_spectral_distance():
    """Parseval: with every coefficient and alpha 0, this is the RMS difference of spectra in dB."""
    one, other = (all_pole_log_power(seed)[0] for seed in (3, 4))
    one, other = (log_power - log_power[1:-1].mean() for log_power in (one, other))
    cepstra = [mel_cepstrum(log_power[None], 256, 0.0) for log_power in (one, other)]
    both = np.concatenate((one - other, (one - other)[-2:0:-1]))
    both -= both.mean()
    expected = 10 / math.log(10) * np.sqrt(np.mean(np.square(both)))
    found = distances(*(cepstrum[:, 1:] for cepstrum in cepstra))
    # The last coefficient, at half the rate, counts half in the sum of squares; it is negligible here.
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def paths(n, m):
    """Every monotone, contiguous, complete path through n x m cells."""
    if (n, m) == (1, 1):
        yield [(0, 0)]
        return
    for i, j in ((n - 1, m - 1), (n - 1, m), (n, m - 1)):
        if i and j:
            for path in paths(i, j):
                yield [*path, (n - 1, m - 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 3), st.integers(0, 10_000))
def test_warp_equals_brute_force(n, m, slack, seed):
    rng = np.random.default_rng(seed)
    ref, deg = rng.standard_normal((n, 3)), rng.standard_normal((m, 3))
    weights = rng.integers(0, 2, n).astype(float)
    reach = abs(n - m) + slack
    local = [[float(distances(ref[i : i + 1], deg[j : j + 1])[0]) for j in range(m)] for i in range(n)]
    costs = {
        tuple(path): sum(weights[i] * local[i][j] for i, j in path)
        for path in paths(n, m)
        if all(abs(i - j) <= reach for i, j in path)
    }
    found = warp(ref, deg, weights, reach)
    assert found.cost == pytest.approx(min(costs.values()), abs=1e-12)
    ways = [path for path, cost in costs.items() if cost <= found.cost + 1e-9]
    assert found.weight in {sum(weights[i] for i, _ in path) for path in ways}


def test_warp_equals_package_mcd():
    """Cost of ``mcd.dtw.dtw`` of package mcd 0.4 (its pure-Python module) on this pair.

    On the recordings in that package's source archive (CMU ARCTIC slt a0003 and a0044, mel-cepstra without
    c0, divided by the 1254 reference frames) `distances` gives 5.308880 dB, and `warp` 5.883106 dB, the
    values of its own test; the files are too large to keep here.
    """
    rng = np.random.default_rng(3)
    ref = np.cumsum(rng.standard_normal((40, 24)), axis=0) * 0.1
    rng.standard_normal((35, 24))
    deg = ref[np.linspace(0, 39, 35).astype(int)] + 0.05 * rng.standard_normal((35, 24))
    found = warp(ref, deg, np.ones(40), reach=40)
    assert found.cost == pytest.approx(69.84144438528776, rel=1e-12)
    assert found.weight == 40


PAIRS = [(0, 20.0), (1, 5.0)]


@pytest.mark.parametrize(("seed", "snr_db"), PAIRS)
def test_warping_never_costs_more(seed, snr_db):
    ref = speech_like(2.0, seed=seed)
    deg = with_noise(ref, snr_db)
    aligned, warped = MelCepstralDistortion()(ref, deg), MelCepstralDistortionDtw()(ref, deg)
    assert 0.0 < warped <= aligned


def test_warping_undoes_a_delay():
    ref = speech_like(3.0)
    late = np.concatenate((np.zeros(800, np.float32), ref[:-800]))
    assert MelCepstralDistortion()(ref, late) > 8.0
    assert MelCepstralDistortionDtw()(ref, late) < 0.5


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 100), st.floats(0.05, 1.9))
def test_identity_and_level(seed, gain):
    ref = speech_like(1.0, seed=seed)
    deg = with_noise(ref, 15.0, seed)
    for metric in (MelCepstralDistortion(), MelCepstralDistortionDtw()):
        assert metric(ref, ref) == 0.0
        assert metric(ref, np.float32(gain) * deg) == pytest.approx(metric(ref, deg), rel=0.01)


def test_the_floor_bounds_what_a_band_limit_costs():
    ref = speech_like(2.0)
    deg = band_limited(ref, 4000.0)
    floored = MelCepstralDistortion()(ref, deg)
    assert floored < 12.0 < MelCepstralDistortion(floor_db=-200.0)(ref, deg)
    at_8k = scipy.signal.resample_poly(ref, 1, 2).astype(np.float32)
    of_deg = scipy.signal.resample_poly(deg, 1, 2).astype(np.float32)
    assert MelCepstralDistortionNarrowband()(at_8k, of_deg) < 0.5 * floored


def test_speech_frames_are_those_within_40_db():
    wave = np.zeros(16_000, np.float32)
    wave[4000:8000] = 0.5
    wave[8000:12_000] = 0.5 * 10 ** (-39 / 20)
    wave[12_000:] = 0.5 * 10 ** (-41 / 20)
    frames = MelCepstralDistortion().speech_frames(wave, 201)
    times_s = np.flatnonzero(frames) * 0.005
    assert times_s.min() == pytest.approx(0.25 - 0.0125, abs=0.005)
    assert times_s.max() == pytest.approx(0.75, abs=0.02)
    assert frames[52:148].all()


def test_an_analysis_is_used_again(monkeypatch):
    mcd._mel_cepstra.cache_clear()
    ref = speech_like(1.0, seed=41)  # that no other test has prepared
    for seed, metric in itertools.product((1, 2), (MelCepstralDistortion(), MelCepstralDistortionDtw())):
        metric(ref, with_noise(ref, 10.0, seed))
    assert mcd._mel_cepstra.cache_info().misses == 3


@pytest.mark.parametrize(
    ("metric", "expected"),
    [(MelCepstralDistortion(), (7.44934, 6.65751)), (MelCepstralDistortionDtw(), (6.95357, 6.34305))],
)
def test_golden_on_speech(speech, metric, expected):
    """Measured with pyworld-prebuilt 0.3.6.post1 on Linux x86_64."""
    found = [metric(ref, with_noise(ref, 20.0)) for ref in speech[:2]]
    assert found == pytest.approx(list(expected), abs=0.02)


def test_long_clips_are_scored_in_parts():
    ref = speech_like(6.0)
    deg = with_noise(ref, 10.0)
    assert MelCepstralDistortion(max_seconds=2.5)(ref, deg) == pytest.approx(
        MelCepstralDistortion()(ref, deg), rel=0.1
    )
