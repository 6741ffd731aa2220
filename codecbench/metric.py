"""The metric contract: a frozen dataclass whose fields are the recipe and make up the signature.

Metrics take pairs that are mono, finite, of equal length and at the metric's sample rate; the runner sees to
resampling and alignment, `Metric.__call__` validates.  A pair that cannot be scored raises `Unscorable`; no
metric returns a sentinel.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from codecbench import returned
from codecbench.codec import Wave
from codecbench.errors import InvalidInput, Unscorable

RESAMPLER = "soxr-hq"
SILENCE_DBFS = -80.0

PREPARED_SAMPLES = 4_000_000
"""References kept by `Metric.prepared`, in samples counted for each metric: four minutes at 16 kHz."""

_prepared: OrderedDict[tuple[type, str, bytes], Any] = OrderedDict()

NOT_RECIPE = {"recipe": False}
"""Metadata of a field that is no part of the recipe: what `Metric.knowing` fills in for one utterance."""


@dataclass(frozen=True)
class Golden:
    """What a metric gives for known signals; ``codecbench selftest`` measures it on the machine at hand.

    The signals are those of `codecbench.testing.signals`: speech-like, four seconds.

    Parameters
    ----------
    identity, noise, band : float or str
        The score of the signal against itself, with white noise at 20 dB, and without what lies above
        3400 Hz; ``"unscorable"`` where the metric refuses.
    tolerance : float
        How far a score may be off.
    symmetric : bool
        Whether swapping reference and degraded leaves the score as it is.
    delay : tuple of float
        Lowest and highest score for a delay of 100 ms.
    recorded : bool
        Whether the signal is four seconds of a recording from the built-in set, for metrics that find
        nothing to score in speech-like sound: it has no words.
    """

    identity: float | str
    noise: float | str
    band: float | str
    tolerance: float
    symmetric: bool
    delay: tuple[float, float]
    recorded: bool = False


@dataclass(frozen=True)
class Metric(ABC):
    """A full-reference speech quality metric.

    Subclasses are frozen dataclasses: every field is part of the recipe and appears in `signature`, unless
    its metadata is `NOT_RECIPE`.  Waves
    come read-only.  ``distributions`` are the installed packages whose versions belong into the manifest of a
    run.  ``citation`` is a short source for tables, ``bibtex`` its entry for a bibliography.
    ``compares_waveforms`` marks a metric that tells nothing of vocoders, which make the phases anew,
    ``no_reference`` one that looks at the degraded wave alone.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool]
    sample_rate_hz: ClassVar[int]
    value_range: ClassVar[tuple[float, float]]
    compares_waveforms: ClassVar[bool] = False
    no_reference: ClassVar[bool] = False
    library: ClassVar[str] = ""
    distributions: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    minimum_seconds: ClassVar[float] = 0.0
    citation: ClassVar[str] = ""
    bibtex: ClassVar[str] = ""
    golden: ClassVar[Golden | None] = None

    def check(self) -> None:
        """Return quietly if the metric can run here; raise `Unavailable` otherwise, without heavy imports."""

    def open(self) -> None:
        """Load what is heavy or compiles, once a process."""

    def signature(self) -> str:
        """Return e.g. ``pesq-wb|band:wb|fs:16000|resample:soxr-hq|lib:pesq-0.0.4|v:1``."""
        recipe = [
            f"{item.name}:{getattr(self, item.name)}"
            for item in fields(self)
            if item.metadata.get("recipe", True)
        ]
        rate = [f"fs:{self.sample_rate_hz}", f"resample:{RESAMPLER}"]
        library = [f"lib:{self.library}"] if self.library else []
        return "|".join([self.name, *recipe, *rate, *library, f"v:{self.version}"])

    def knowing(self, about: Mapping[str, str]) -> Metric:
        """Return the metric for one utterance; itself unless overridden.

        Parameters
        ----------
        about : Mapping[str, str]
            What the set says of the utterance, by column of its manifest; ``text`` is what was said.
        """
        return self

    def __call__(self, ref: Wave, deg: Wave) -> float:
        """Validate one pair and score it.

        Parameters
        ----------
        ref, deg : float32 [T]
            Reference and degraded speech at ``sample_rate_hz``.

        Raises
        ------
        InvalidInput
            If the shapes are not equal and one-dimensional.
        Unscorable
            If the pair has no defined score; the message is the reason.
        BadReturn
            If `score` gave anything but a number.
        """
        if ref.ndim != 1 or ref.shape != deg.shape:
            raise InvalidInput(
                f"{self.name}: reference {ref.shape} and degraded {deg.shape} must be equal and mono"
            )
        for label, wave in (("reference", ref), ("degraded", deg)):
            if not np.isfinite(wave).all():
                raise Unscorable(f"{label} has NaN or infinite samples")
            if wave.size < self.minimum_seconds * self.sample_rate_hz or wave.size == 0:
                raise Unscorable(f"shorter than {self.minimum_seconds:g} s")
            if level_dbfs(wave) < SILENCE_DBFS:
                raise Unscorable(f"{label} is silent")
        return returned.score(self.score(ref, deg), self.name)

    def weight(self, ref: Wave) -> float:
        """Return what an utterance counts in means over utterances: 1 unless overridden.

        A score that is a rate gives what it divides by, e.g. the number of words in the reference; its mean
        over utterances is then all errors over all words.  It is asked after `score`, with the same ``ref``
        and nothing else, so that every codec has the same weights.  The number is finite and above 0.
        """
        return 1.0

    @abstractmethod
    def score(self, ref: Wave, deg: Wave) -> float:
        """Score one validated pair."""

    def prepare(self, ref: Wave) -> Any:
        """Return what `score` needs of a reference (or of a part of one) alone, ready to be used again.

        Never called by the suite itself: a metric that defines it asks for ``self.prepared(ref)`` in `score`.
        What is returned is used for several degraded waves and must not be changed.
        """
        raise NotImplementedError(f"{self.name} prepares nothing of a reference")

    def prepared(self, ref: Wave) -> Any:
        """Return ``prepare(ref)``, made once for the codecs that are compared on this reference.

        It is found by recipe, what `knowing` filled in, and samples, so it is the same whoever asks; the
        newest ones, of at most `PREPARED_SAMPLES` samples in all, are kept in the process.
        """
        key = (type(self), f"{self.signature()} {self!r}", ref.tobytes())
        if key in _prepared:
            _prepared.move_to_end(key)
            return _prepared[key]
        made = self.prepare(ref)
        _prepared[key] = made
        while sum(len(samples) for _, _, samples in _prepared) > PREPARED_SAMPLES * ref.itemsize:
            _prepared.popitem(last=False)
        return made


def level_dbfs(wave: Wave) -> float:
    """Return the root-mean-square level in dB relative to full scale; -inf for digital silence."""
    power = float(np.mean(np.square(wave, dtype=np.float64))) if wave.size else 0.0
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf
