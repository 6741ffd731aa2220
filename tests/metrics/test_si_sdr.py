"""SI-SDR against torchmetrics and its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codecbench.errors import Unscorable
from codecbench.metrics.si_sdr import SiSdr
from codecbench.testing.signals import band_limited, speech_like, with_noise


def rng_pair(seed, size=400):
    rng = np.random.default_rng(seed)
    ref, noise = rng.standard_normal((2, size)).astype(np.float32)
    return ref, ref + np.float32(rng.uniform(0.01, 3.0)) * noise


@pytest.mark.parametrize("zero_mean", [True, False])
@pytest.mark.parametrize("degrade", [with_noise, lambda wave: with_noise(wave, -5.0), band_limited])
def test_equals_torchmetrics(zero_mean, degrade):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.audio")
    ref = speech_like(2.0) + np.float32(0.05)
    deg = degrade(ref)
    expected = functional.scale_invariant_signal_distortion_ratio(
        torch.from_numpy(deg).double(), torch.from_numpy(ref).double(), zero_mean=zero_mean
    )
    assert SiSdr(zero_mean=zero_mean)(ref, deg) == pytest.approx(expected.item(), abs=1e-9)


def test_orthogonal_noise_gives_its_ratio():
    at = np.arange(16_000)
    ref = np.sin(2 * np.pi * 100 * at / 16_000).astype(np.float32)
    deg = ref + np.float32(0.1) * np.sin(2 * np.pi * 300 * at / 16_000).astype(np.float32)
    assert SiSdr()(ref, deg) == pytest.approx(20.0, abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0), st.booleans())
def test_scale_sign_offset_and_swap_change_nothing(seed, gain, negative):
    ref, deg = rng_pair(seed)
    value = SiSdr()(ref, deg)
    signed = np.float32(-gain if negative else gain)
    assert SiSdr()(ref, signed * deg) == pytest.approx(value, abs=1e-3)
    assert SiSdr()(signed * ref, deg) == pytest.approx(value, abs=1e-3)
    assert SiSdr()(ref, deg + np.float32(0.5)) == pytest.approx(value, abs=1e-3)
    assert SiSdr()(deg, ref) == pytest.approx(value, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_follows_from_the_correlation(seed):
    ref, deg = rng_pair(seed)
    squared = float(np.corrcoef(ref.astype(np.float64), deg.astype(np.float64))[0, 1]) ** 2
    assume(1e-6 < squared < 1 - 1e-6)
    assert SiSdr()(ref, deg) == pytest.approx(10 * math.log10(squared / (1 - squared)), abs=1e-6)


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.3, -2.0])
def test_an_identical_signal_is_unbounded(gain):
    ref = speech_like(1.0)
    with pytest.raises(Unscorable, match="unbounded"):
        SiSdr()(ref, np.float32(gain) * ref)


def test_nothing_in_common_is_minus_infinity():
    ref, deg = np.tile(np.float32([1, 1, -1, -1]), 500), np.tile(np.float32([1, -1, -1, 1]), 500)
    with pytest.raises(Unscorable, match="minus infinity"):
        SiSdr()(ref, deg)


def test_a_constant_reference_has_no_score():
    with pytest.raises(Unscorable, match="constant"):
        SiSdr()(np.full(800, 0.5, np.float32), speech_like(0.05))
