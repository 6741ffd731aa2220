"""DNSMOS against the package's own code, which computes the log-mel model too, and its properties."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from codecbench.metrics.dnsmos import (
    MODEL,
    POLYNOMIALS,
    WINDOW,
    Dnsmos,
    DnsmosBackground,
    DnsmosSignal,
    predict,
)
from codecbench.testing.signals import speech_like, with_noise

pytest.importorskip("onnxruntime")
pytest.importorskip("speechmos")


def test_equals_the_package(monkeypatch):
    for absent in ("librosa", "requests"):
        module = types.ModuleType(absent)
        module.session = None
        monkeypatch.setitem(sys.modules, absent, module)
    monkeypatch.delitem(sys.modules, "speechmos.dnsmos", raising=False)
    from speechmos import dnsmos

    class WithoutP808(dnsmos.DNSMOS):
        def __init__(self):
            super().__init__(str(MODEL.find()), str(MODEL.find().parent / "model_v8.onnx"))

        def audio_melspec(self, audio, **_):
            return np.zeros((900, 120))

    wave = speech_like(10.5)
    expected = WithoutP808()(wave, 16_000, False)
    found = dict(zip(POLYNOMIALS, predict(wave.tobytes()), strict=True))
    assert found == pytest.approx({name: float(expected[f"{name}_mos"]) for name in POLYNOMIALS}, abs=1e-4)


def test_the_three_scales_come_of_one_evaluation():
    speech = speech_like(9.1)
    noisy = with_noise(speech)
    sig, bak, ovrl = (metric()(speech, noisy) for metric in (DnsmosSignal, DnsmosBackground, Dnsmos))
    assert (sig, bak, ovrl) == tuple(predict(noisy.tobytes()))
    assert bak < DnsmosBackground()(speech, speech)


def test_a_short_clip_counts_as_its_repetition():
    speech = speech_like(WINDOW / 16_000 / 2)
    assert predict(speech.tobytes()) == pytest.approx(predict(np.tile(speech, 2).tobytes()))


def test_beyond_full_scale_is_clipped():
    speech = 4.0 * speech_like(9.1)
    np.testing.assert_array_equal(predict(speech.tobytes()), predict(np.clip(speech, -1, 1).tobytes()))
