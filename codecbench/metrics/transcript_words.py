"""Word and character error rate (WER, CER) of a recogniser against a transcript, in percent, lower is better.

Conventions: recogniser, normaliser, counting and weights of `codecbench.metrics.words`; what was said is the
set's transcript of the utterance (column ``text`` of its manifest, or LibriSpeech's ``.trans.txt``), not what
the recogniser understands in the reference.  Its own errors on clean speech are in the rate: the row of the
codec ``pcm`` is what the recordings themselves get.  Numbers are not spelled out, nor abbreviations and
spellings made one, so that rates lie above those of normalisers that do so.

References: Levenshtein, Soviet Physics Doklady 10(8), 1966; Radford et al., ICML 2023 (Whisper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import NOT_RECIPE, Golden
from codecbench.metrics.words import WordError


@dataclass(frozen=True)
class TranscriptWordError(WordError):
    """Words recognised otherwise than the transcript says; `knowing` brings the transcript."""

    name: ClassVar[str] = "wer"
    label: ClassVar[str] = "WER"
    golden: ClassVar[Golden | None] = WordError.golden

    against: str = "transcript"
    text: str = field(default="", metadata=NOT_RECIPE)

    def knowing(self, about: Mapping[str, str]) -> TranscriptWordError:
        """Return the metric for an utterance whose transcript is ``about["text"]``."""
        return replace(self, text=about.get("text", ""))

    def said(self, ref: Wave) -> Sequence[str]:
        """Return the transcript in `units`; raises Unscorable if there is none.  ref is not used."""
        units = self.units(self.text)
        if not units:
            raise Unscorable(
                "the set has no transcript of it; "
                f"give its manifest.csv a column 'text', or take d{self.name}"
            )
        return units


@dataclass(frozen=True)
class TranscriptCharacterError(TranscriptWordError):
    """Characters recognised otherwise than the transcript says."""

    name: ClassVar[str] = "cer"
    label: ClassVar[str] = "CER"
    golden: ClassVar[Golden | None] = TranscriptWordError.golden
    by_character: ClassVar[bool] = True
