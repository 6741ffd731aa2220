"""The error rates of `codecbench.metrics.words` and `transcript_words` with larger recognisers.

Conventions: as there, but for the model: Whisper base.en, small.en or medium.en (MIT) in the conversions of
Systran for faster-whisper, pinned in `codecbench.metrics.whisper`.  A larger recogniser makes fewer errors of
its own on the recording, and forgives a codec more; rates of two models do not compare, and their signatures
differ.  The files are fetched by ``codecbench weights fetch whisper-base.en`` and the like, and no group of
metrics holds these rates: each is asked for by name.

Reference: Radford et al., ICML 2023 (Whisper).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codecbench.metric import Golden
from codecbench.metrics.transcript_words import TranscriptCharacterError, TranscriptWordError
from codecbench.metrics.whisper import BASE, MEDIUM, SMALL, Whisper
from codecbench.metrics.words import CharacterError, WordError
from codecbench.weights import WeightsSource

FETCHED = ("faster-whisper", "ctranslate2")


@dataclass(frozen=True)
class _Base:
    distributions: ClassVar[tuple[str, ...]] = FETCHED
    recogniser: ClassVar[Whisper] = BASE
    weights: ClassVar[WeightsSource] = BASE.source

    model: str = BASE.id


@dataclass(frozen=True)
class WordErrorBase(_Base, WordError):
    """`WordError` by Whisper base.en."""

    name: ClassVar[str] = "dwer-base"
    label: ClassVar[str] = "dWER (base.en)"
    golden: ClassVar[Golden | None] = WordError.golden


@dataclass(frozen=True)
class CharacterErrorBase(_Base, CharacterError):
    """`CharacterError` by Whisper base.en."""

    name: ClassVar[str] = "dcer-base"
    label: ClassVar[str] = "dCER (base.en)"
    golden: ClassVar[Golden | None] = CharacterError.golden


@dataclass(frozen=True)
class TranscriptWordErrorBase(_Base, TranscriptWordError):
    """`TranscriptWordError` by Whisper base.en."""

    name: ClassVar[str] = "wer-base"
    label: ClassVar[str] = "WER (base.en)"
    golden: ClassVar[Golden | None] = TranscriptWordError.golden


@dataclass(frozen=True)
class TranscriptCharacterErrorBase(_Base, TranscriptCharacterError):
    """`TranscriptCharacterError` by Whisper base.en."""

    name: ClassVar[str] = "cer-base"
    label: ClassVar[str] = "CER (base.en)"
    golden: ClassVar[Golden | None] = TranscriptCharacterError.golden


@dataclass(frozen=True)
class _Small:
    distributions: ClassVar[tuple[str, ...]] = FETCHED
    recogniser: ClassVar[Whisper] = SMALL
    weights: ClassVar[WeightsSource] = SMALL.source

    model: str = SMALL.id


@dataclass(frozen=True)
class WordErrorSmall(_Small, WordError):
    """`WordError` by Whisper small.en."""

    name: ClassVar[str] = "dwer-small"
    label: ClassVar[str] = "dWER (small.en)"
    golden: ClassVar[Golden | None] = WordError.golden


@dataclass(frozen=True)
class CharacterErrorSmall(_Small, CharacterError):
    """`CharacterError` by Whisper small.en."""

    name: ClassVar[str] = "dcer-small"
    label: ClassVar[str] = "dCER (small.en)"
    golden: ClassVar[Golden | None] = CharacterError.golden


@dataclass(frozen=True)
class TranscriptWordErrorSmall(_Small, TranscriptWordError):
    """`TranscriptWordError` by Whisper small.en."""

    name: ClassVar[str] = "wer-small"
    label: ClassVar[str] = "WER (small.en)"
    golden: ClassVar[Golden | None] = TranscriptWordError.golden


@dataclass(frozen=True)
class TranscriptCharacterErrorSmall(_Small, TranscriptCharacterError):
    """`TranscriptCharacterError` by Whisper small.en."""

    name: ClassVar[str] = "cer-small"
    label: ClassVar[str] = "CER (small.en)"
    golden: ClassVar[Golden | None] = TranscriptCharacterError.golden


@dataclass(frozen=True)
class _Medium:
    distributions: ClassVar[tuple[str, ...]] = FETCHED
    recogniser: ClassVar[Whisper] = MEDIUM
    weights: ClassVar[WeightsSource] = MEDIUM.source

    model: str = MEDIUM.id


@dataclass(frozen=True)
class WordErrorMedium(_Medium, WordError):
    """`WordError` by Whisper medium.en."""

    name: ClassVar[str] = "dwer-medium"
    label: ClassVar[str] = "dWER (medium.en)"
    golden: ClassVar[Golden | None] = WordError.golden


@dataclass(frozen=True)
class CharacterErrorMedium(_Medium, CharacterError):
    """`CharacterError` by Whisper medium.en."""

    name: ClassVar[str] = "dcer-medium"
    label: ClassVar[str] = "dCER (medium.en)"
    golden: ClassVar[Golden | None] = CharacterError.golden


@dataclass(frozen=True)
class TranscriptWordErrorMedium(_Medium, TranscriptWordError):
    """`TranscriptWordError` by Whisper medium.en."""

    name: ClassVar[str] = "wer-medium"
    label: ClassVar[str] = "WER (medium.en)"
    golden: ClassVar[Golden | None] = TranscriptWordError.golden


@dataclass(frozen=True)
class TranscriptCharacterErrorMedium(_Medium, TranscriptCharacterError):
    """`TranscriptCharacterError` by Whisper medium.en."""

    name: ClassVar[str] = "cer-medium"
    label: ClassVar[str] = "CER (medium.en)"
    golden: ClassVar[Golden | None] = TranscriptCharacterError.golden
