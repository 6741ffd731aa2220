"""Speaker similarity against the package's own encoder, and its properties."""

from __future__ import annotations

import sys
import types
import warnings

import numpy as np
import pytest

from codecbench.metrics.speaker import MODEL, SpeakerSimilarity, embed
from codecbench.testing.signals import speech_like, with_noise

METRIC = SpeakerSimilarity()


@pytest.fixture(scope="module", autouse=True)
def encoder():
    try:
        MODEL.find()
    except Exception as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("samples", [12_000, 40_000, 47_360, 63_999])
def test_embedding_equals_the_package(samples):
    # The package's own voice detector does not import beside a recent setuptools, and is not used here.
    pytest.importorskip("librosa")
    sys.modules.setdefault("webrtcvad", types.ModuleType("webrtcvad"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from resemblyzer import VoiceEncoder

        own = VoiceEncoder("cpu", verbose=False)
        wave = 0.1 * speech_like(4.0)[:samples]
        np.testing.assert_allclose(embed(wave.tobytes()), own.embed_utterance(wave), atol=2e-5)


def test_level_does_not_matter_and_noise_does():
    speech = speech_like(2.0)
    assert METRIC(speech, speech) == pytest.approx(1.0)
    assert METRIC(speech, np.float32(0.1) * speech) == pytest.approx(1.0, abs=1e-6)
    assert METRIC(speech, with_noise(speech, 20.0)) > METRIC(speech, with_noise(speech, 5.0))


def test_another_voice_is_less_alike():
    one, same, other = (speech_like(3.0, seed, hz) for seed, hz in ((1, 115.0), (2, 115.0), (2, 210.0)))
    assert METRIC(one, same) > METRIC(one, other)
