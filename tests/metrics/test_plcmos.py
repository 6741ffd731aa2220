"""PLCMOS against the package's own code with the same raters, and its properties."""

from __future__ import annotations

import numpy as np
import pytest

from codecbench.metrics.plcmos import Plcmos, features
from codecbench.testing.signals import speech_like, with_noise

pytest.importorskip("onnxruntime")
pytest.importorskip("speechmos")


@pytest.fixture(scope="module")
def package():
    from speechmos.plcmos import PLCMOS

    return PLCMOS()


@pytest.mark.parametrize("samples", [16_000, 16_001, 20_479])
def test_features_equal_the_package(package, samples):
    wave = speech_like(2.0)[:samples]
    wave[:2000] = 0.0  # frames of which no bin has power
    np.testing.assert_allclose(features(wave), package.stft_transform(wave.astype(np.float64)), atol=1e-5)


def test_equals_the_package_with_the_same_raters(package, monkeypatch):
    wave = speech_like(2.0)
    raters = iter(np.random.default_rng(0).standard_normal((15, 1, 64)))
    monkeypatch.setattr(np.random, "normal", lambda size: next(raters).reshape(size))
    assert Plcmos()(wave, wave) == pytest.approx(package.get_mos(wave.astype(np.float64)), abs=1e-4)


def test_has_one_value_and_looks_at_the_decoded_speech_only():
    speech = speech_like(1.0)
    noisy = with_noise(speech)
    assert Plcmos()(speech, noisy) == Plcmos()(noisy, noisy) != Plcmos()(noisy, speech)
