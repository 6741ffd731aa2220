"""ViSQOL v3 in speech mode, MOS-LQO, higher is better.

Conventions: the package visqol-python 3.8.0 with its envelope replaced by that of Google's C++ code
(`upper_envelope`); with it the port agrees with C++ 3.3.3 to 1e-5, without it pairs are off by up to 0.27.
Signals are scored at the level they have, as published scores are; ViSQOL's noise floor is absolute, so the
lattice's score moves with it (``docs/metrics.md``).  With ``level`` a number, both get the gain that brings
the reference to that root mean square in dBFS.  The degraded one is matched to the reference by ViSQOL
itself, as is time.
Clips over ``max_seconds`` are cut at quiet points and the mean is weighted by duration.

Two mappings from the same similarities: ``visqol``, the lattice model (C++'s default since 3.3.3), and
``visqol-poly``, the older polynomial scaled to 5.  They differ by up to 2 MOS and do not compare.  The
similarities are computed once for both.

One process has one engine, which neither pickles nor bears threads.  Compiled code is kept between processes
(`compiled.prepare_numba`); `Visqol.open` compiles and warms up.

References: Chinen, Lim, Skoglund, Gureev, O'Gorman, Hines, QoMEX 2020 (v3); Hines, Skoglund, Kokaram, Harte,
EURASIP JASMP 2015:13.
"""

from __future__ import annotations

import math
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.compiled import prepare_numba
from codecbench.errors import Unavailable, Unscorable
from codecbench.metric import Golden, Metric, level_dbfs
from codecbench.metrics.parts import mean_over, split

LIBRARY_VERSION = "3.8.0"
"""The only version that `upper_envelope` is known to correct."""

INSTALL = "run: pip install 'visqol-python[lattice,accel,fftw]==3.8.0'"
WARM_UP_S = 2.0

SPECTROGRAMS = 500
"""Spectrograms of patches remembered for one reference; fine alignment cuts patches in several ways."""


@dataclass(frozen=True)
class Visqol(Metric):
    """ViSQOL speech mode with the lattice mapping; 4.2 to 4.5 for identical signals."""

    name: ClassVar[str] = "visqol"
    label: ClassVar[str] = "ViSQOL"
    unit: ClassVar[str] = "MOS-LQO"
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (1.0, 5.0)
    library: ClassVar[str] = f"visqol-python-{LIBRARY_VERSION}"
    distributions: ClassVar[tuple[str, ...]] = ("visqol-python", "ai-edge-litert")
    minimum_seconds: ClassVar[float] = 0.7
    citation: ClassVar[str] = "Chinen et al., QoMEX 2020"
    bibtex: ClassVar[str] = """\
@inproceedings{chinen2020visqol,
  author={Chinen, Michael and Lim, Felicia S. C. and Skoglund, Jan and Gureev, Nikita and
    O'Gorman, Feargus and Hines, Andrew},
  title={{ViSQOL} v3: An Open Source Production Ready Objective Speech and Audio Metric},
  booktitle={QoMEX},
  year={2020}}"""
    # What this class gave when the level became `native`: a guard against change, no proof.
    golden: ClassVar[Golden | None] = Golden(
        identity=4.6109, noise=1.22213, band=3.09913, tolerance=0.05, symmetric=False, delay=(4.4, 5.0)
    )

    mode: str = "speech"
    mapping: str = "lattice"
    envelope: str = "cpp"
    level: str | float = "native"
    max_seconds: float = 30.0

    def check(self) -> None:
        """Raise Unavailable if the optional packages are missing or of another version."""
        _check_package()
        if self.mapping == "lattice" and find_spec("ai_edge_litert") is None:
            raise Unavailable("ai-edge-litert, which runs ViSQOL's lattice, is not installed", _remedy())

    def open(self) -> None:
        """Load the engine and compile, or fetch from numba's cache, what it runs."""
        self.check()
        rng = np.random.default_rng(0)
        burst = rng.standard_normal(round(WARM_UP_S * self.sample_rate_hz)).astype(np.float32)
        self.score(burst, burst + rng.standard_normal(burst.size).astype(np.float32))

    def score(self, ref: Wave, deg: Wave) -> float:
        """ViSQOL of one pair.  ref, deg: float32 [T] at 16 kHz.  Raises Unscorable if it finds no speech."""
        if not isinstance(self.level, str):
            gain = np.float32(10.0 ** ((self.level - level_dbfs(ref)) / 20.0))
            ref, deg = gain * ref, gain * deg
        return mean_over(split(ref, self.sample_rate_hz, self.max_seconds), self._score_part, ref, deg)

    def prepare(self, ref: Wave) -> Reference:
        """Return a reference that remembers what ViSQOL finds in it."""
        return Reference(ref.tobytes(), self.sample_rate_hz)

    def _score_part(self, ref: Wave, deg: Wave) -> float | None:
        opinion = _compare(self.prepared(ref), deg.tobytes())
        if opinion is None:
            return None
        if not math.isfinite(opinion.polynomial):
            raise Unscorable(
                "ViSQOL gave no number; the degraded signal is silent where the reference speaks"
            )
        return opinion.lattice if self.mapping == "lattice" else opinion.polynomial


@dataclass(frozen=True)
class VisqolPolynomial(Visqol):
    """ViSQOL speech mode with the polynomial mapping; 5 for identical signals."""

    name: ClassVar[str] = "visqol-poly"
    label: ClassVar[str] = "ViSQOL (polynomial)"
    golden: ClassVar[Golden | None] = Golden(
        identity=5.0, noise=3.19888, band=4.32841, tolerance=0.005, symmetric=True, delay=(4.9, 5.0)
    )

    mapping: str = "polynomial"


class Opinion(NamedTuple):
    """Mean opinion scores of one pair after both mappings; the lattice's is NaN where it cannot run."""

    lattice: float
    polynomial: float


def upper_envelope(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Envelope that Google's C++ code aligns by, float64 [n], of a signal [n].

    It was meant as the Hilbert envelope, but the inverse transform is a real one: what comes out is about
    twice the rectified signal, of the signal zero-padded to a power of two (at least 32), without the
    component at half the sample rate unless nothing was padded.
    """
    mean = float(np.mean(signal))
    length = max(32, 1 << (signal.size - 1).bit_length())
    spectrum = np.fft.rfft(signal - mean, length)
    spectrum[1:-1] *= 2.0
    if signal.size != length:
        spectrum[-1] = 0.0
    return np.asarray(np.abs(np.fft.irfft(spectrum, length)[: signal.size]) + mean, dtype=np.float64)


@dataclass(frozen=True)
class Reference:
    """A reference, float32 [T] as bytes, and what the package's own objects have found in it.

    It takes the place of their spectrogram builder and their patch creator, asks these once for what depends
    on the reference alone (its spectrogram, those of its patches, where its voice activity detector finds
    speech: more than half of ViSQOL's time) and passes on what concerns the degraded wave.
    """

    samples: bytes
    rate_hz: int
    _spectrograms: dict[bytes, Any] = field(default_factory=dict, compare=False)
    _patches: list[list[int]] = field(default_factory=list, compare=False)

    def compare(self, deg: bytes) -> Any:
        """Return the package's result for a degraded wave; raises IndexError if it finds no speech."""
        manager = _engine()
        manager.spect_builder = manager.patch_creator = self
        from visqol.audio_utils import AudioSignal

        waves = (np.frombuffer(samples, dtype=np.float32) for samples in (self.samples, deg))
        return manager.run_from_signals(*(AudioSignal(wave, self.rate_hz) for wave in waves))

    @cached_property
    def _wave(self) -> bytes:
        """The reference as the package has it, float64, in which cut-out samples are looked for."""
        return np.frombuffer(self.samples, dtype=np.float32).astype(np.float64).tobytes()

    def build(self, signal: Any, window: Any) -> Any:
        """Return a signal's spectrogram; remembered if the signal is the reference or cut out of it."""
        builder, _ = _analysis()
        samples = signal.data.tobytes()
        if samples not in self._wave:
            return builder.build(signal, window)
        if samples not in self._spectrograms:
            if len(self._spectrograms) >= SPECTROGRAMS:
                self._spectrograms.clear()
            self._spectrograms[samples] = builder.build(signal, window)
        return self._spectrograms[samples]

    def create_ref_patch_indices(self, spectrogram: Any, signal: Any, window: Any) -> list[int]:
        """Return where the reference's patches with speech begin; of the spectrogram only the size counts."""
        if not self._patches:
            _, creator = _analysis()
            self._patches.append(creator.create_ref_patch_indices(spectrogram, signal, window))
        return list(self._patches[0])

    def create_patches_from_indices(self, spectrogram: Any, indices: list[int]) -> Any:
        """Cut the reference's spectrogram, whose floor depends on the degraded one, into patches."""
        _, creator = _analysis()
        return creator.create_patches_from_indices(spectrogram, indices)


@lru_cache(maxsize=4)
def _compare(ref: Reference, deg: bytes) -> Opinion | None:
    """Compare with a float32 wave; None if the reference has no speech.  Remembered for the other mapping."""
    _engine()  # first: it prepares what the package needs
    from visqol.quality_mapper import SpeechSimilarityToQualityMapper
    from visqol.visqol_core import alter_for_similarity_extremes

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            result = ref.compare(deg)
    except IndexError:
        # Its voice activity detector left no patch to compare.
        return None
    polynomial = SpeechSimilarityToQualityMapper().predict_quality(result.fvnsim)
    lattice = result.moslqo if _lattice_runs() else math.nan
    return Opinion(lattice, alter_for_similarity_extremes(result.vnsim, polynomial))


@cache
def _engine() -> Any:
    """Make the process's only VisqolManager, with the corrected envelope."""
    _check_package()
    prepare_numba()
    import visqol.alignment
    from visqol.visqol_manager import VisqolManager

    if not hasattr(visqol.alignment, "upper_envelope"):
        raise Unavailable("visqol-python is damaged: visqol.alignment has no upper_envelope", INSTALL)
    visqol.alignment.upper_envelope = upper_envelope
    manager = VisqolManager()
    with _without_chatter():
        manager.init(use_speech_mode=True, use_lattice_model=_lattice_runs())
    return manager


@cache
def _analysis() -> tuple[Any, Any]:
    """Make the spectrogram builder and the patch creator of speech mode."""
    from visqol import visqol_manager as package
    from visqol.gammatone import GammatoneSpectrogramBuilder
    from visqol.patch_creator import VadPatchCreator

    builder = GammatoneSpectrogramBuilder(package.NUM_BANDS_SPEECH, package.MINIMUM_FREQ, speech_mode=True)
    return builder, VadPatchCreator(package.PATCH_SIZE_SPEECH)


def _lattice_runs() -> bool:
    return find_spec("ai_edge_litert") is not None


def _check_package() -> None:
    try:
        found = version("visqol-python")
    except PackageNotFoundError:
        raise Unavailable("the package visqol-python is not installed", _remedy()) from None
    if found != LIBRARY_VERSION:
        raise Unavailable(f"visqol-python is {found}, but the correction is for {LIBRARY_VERSION}", INSTALL)


def _remedy() -> str:
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return (
            "no ai-edge-litert is built for Intel Macs: pip install visqol-python==3.8.0 and use visqol-poly"
        )
    return f"{INSTALL} (it needs a C++ compiler)"


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Silence the file descriptor of stderr, on which LiteRT announces its delegate."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
