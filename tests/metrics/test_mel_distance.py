"""Log-mel distance against transformers' filter bank and spectrogram, and its properties."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench import metric
from codecbench.metrics import mel_distance
from codecbench.metrics.mel_distance import MelDistance, slaney_filters
from codecbench.testing.signals import band_limited, speech_like, with_noise


@pytest.fixture(scope="module")
def audio_utils():
    return pytest.importorskip("transformers.audio_utils")


@pytest.mark.parametrize(("n_fft", "mels", "rate"), [(512, 80, 16_000), (1024, 80, 22_050), (512, 40, 8000)])
def test_filters_equal_transformers(audio_utils, n_fft, mels, rate):
    expected = audio_utils.mel_filter_bank(
        n_fft // 2 + 1, mels, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney"
    )
    np.testing.assert_allclose(slaney_filters(n_fft, mels, rate), expected, atol=1e-12)


def transformers_distance(audio_utils, ref, deg):
    bank = audio_utils.mel_filter_bank(257, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    logs = []
    for wave in (ref, deg):
        padded = np.pad(wave.astype(np.float64), (192, 320 + -wave.size % 128 - 128))
        logs.append(
            audio_utils.spectrogram(
                padded,
                audio_utils.window_function(512, "hann", periodic=True),
                frame_length=512,
                hop_length=128,
                fft_length=512,
                power=1.0,
                center=False,
                mel_filters=bank,
                mel_floor=1e-5,
                log_mel="log",
                dtype=np.float64,
            )
        )
    return np.abs(logs[0] - logs[1]).mean()


@pytest.mark.parametrize("samples", [16_000, 16_001, 20_479, 513])
def test_distance_equals_transformers(audio_utils, samples):
    ref = speech_like(2.0)[2000 : 2000 + samples]
    for deg in (with_noise(ref), band_limited(ref)):
        expected = transformers_distance(audio_utils, ref, deg)
        assert MelDistance()(ref, deg) == pytest.approx(expected, abs=1e-7)


def test_block_size_does_not_matter(monkeypatch):
    ref = speech_like(2.0)
    whole = MelDistance()(ref, with_noise(ref))
    monkeypatch.setattr(mel_distance, "BLOCK_FRAMES", 7)
    monkeypatch.setattr(metric, "_prepared", OrderedDict())
    assert MelDistance()(ref, with_noise(ref)) == pytest.approx(whole, rel=1e-12)


def test_a_gain_is_its_logarithm():
    ref = with_noise(speech_like(1.0), 10.0)
    assert MelDistance()(ref, np.float32(2.0) * ref) == pytest.approx(math.log(2.0), abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100), st.floats(0.0, 40.0), st.floats(0.0, 40.0))
def test_is_a_distance(seed, one_db, other_db):
    ref = speech_like(0.5, seed=seed)
    one, other = with_noise(ref, one_db, 1), with_noise(ref, other_db, 2)
    metric = MelDistance()
    assert metric(ref, ref) == 0.0
    assert metric(ref, one) == pytest.approx(metric(one, ref))
    assert metric(ref, other) <= metric(ref, one) + metric(one, other) + 1e-12
