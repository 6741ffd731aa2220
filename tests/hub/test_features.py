"""The filter bank agrees with the numpy one of transformers, which imitates Kaldi independently."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codecbench_hub.features import log_mel, semantic_features


@pytest.fixture(scope="module")
def oracle():
    from transformers import SeamlessM4TFeatureExtractor

    return SeamlessM4TFeatureExtractor()


@pytest.mark.parametrize("length", [560, 1600, 16_000, 16_161])
def test_equals_the_independent_implementation(oracle, length):
    random = np.random.default_rng(length)
    wave = (0.1 * random.standard_normal(length)).astype(np.float32)
    np.testing.assert_allclose(
        log_mel(torch.from_numpy(wave)).numpy(), oracle._extract_fbank_features(wave), rtol=0, atol=2e-4
    )
    expected = oracle(wave, sampling_rate=16_000, pad_to_multiple_of=None, return_tensors="np")[
        "input_features"
    ][0]
    np.testing.assert_allclose(semantic_features(torch.from_numpy(wave)).numpy(), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("length", [400, 559, 560, 16_000])
def test_number_of_frames(length):
    assert log_mel(torch.zeros(length)).shape == ((length - 400) // 160 + 1, 80)


def test_silence_is_finite():
    assert torch.isfinite(semantic_features(torch.zeros(3_200))).all()
