"""Fundamental frequency (F0) error: pitch in cents where both signals are voiced, and the voicing error.

Conventions: SwiftF0 (package swift-f0 0.3.0) every 16 ms, between 50 and 550 Hz, a frame voiced at a
confidence of 0.5.  ``f0-rmse`` is the root mean square of ``1200 log2(f_deg / f_ref)`` over frames that are
voiced in both; octave errors are in it.  ``f0-voicing`` is the share of all frames that are voiced in one
signal only, in percent.  Both expect aligned pairs.  Extractors disagree: ``extractor="world"`` takes DIO and
StoneMask instead.

References: Nieradzik, arXiv:2508.18440, 2025 (SwiftF0); Chu and Alwan, ICASSP 2009 (voicing decision error);
Morise, Yokomori, Ozawa, IEICE 2016 (WORLD).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import InvalidInput, Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.shipped import Shipped, need
from codecbench.metrics.world import fundamental

MODEL = Shipped("swift_f0", "model.onnx", "6385e8c2ebc3872e82c9ff5946228de44cd3be77a750ea53698b7dbfe94b0a22")
RATE_HZ, FRAME_MS = 16_000, 16.0
FEWEST_FRAMES = 10
"""Frames voiced in both below which there is no pitch to compare: 160 ms."""


@dataclass(frozen=True)
class F0Error(Metric):
    """F0 error in cents over frames voiced in both; 0 for identical signals."""

    name: ClassVar[str] = "f0-rmse"
    label: ClassVar[str] = "F0 RMSE"
    unit: ClassVar[str] = "cents"
    higher_is_better: ClassVar[bool] = False
    sample_rate_hz: ClassVar[int] = RATE_HZ
    value_range: ClassVar[tuple[float, float]] = (0.0, 4200.0)
    library: ClassVar[str] = "swift-f0-0.3.0"
    distributions: ClassVar[tuple[str, ...]] = ("swift-f0", "onnxruntime")
    minimum_seconds: ClassVar[float] = 0.3
    citation: ClassVar[str] = "Nieradzik, arXiv:2508.18440, 2025"
    bibtex: ClassVar[str] = """\
@misc{nieradzik2025swiftf0,
  author={Nieradzik, Lars},
  title={{SwiftF0}: Fast and Accurate Monophonic Pitch Detection},
  year={2025},
  eprint={2508.18440},
  archivePrefix={arXiv}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=4.45471, band=5.46342, tolerance=0.5, symmetric=True, delay=(0.0, 400.0)
    )

    extractor: str = "swift-f0"
    low_hz: float = 50.0
    high_hz: float = 550.0
    confidence: float = 0.5
    model: str = MODEL.id

    def check(self) -> None:
        """Raise Unavailable if the extractor is missing."""
        if self.extractor == "swift-f0":
            need("onnxruntime")
            MODEL.find()

    def open(self) -> None:
        """Load the extractor."""
        if self.extractor == "swift-f0":
            _detector()

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the error of one pair.  ref, deg: float32 [T] at 16 kHz, aligned."""
        of_ref, of_deg = self.track(ref), self.track(deg)
        both = (of_ref > 0.0) & (of_deg > 0.0)
        if np.count_nonzero(both) < FEWEST_FRAMES:
            raise Unscorable(f"fewer than {FEWEST_FRAMES} frames are voiced in both signals")
        cents = 1200.0 * np.log2(of_deg[both] / of_ref[both])
        return float(np.sqrt(np.mean(np.square(cents))))

    def track(self, wave: Wave) -> NDArray[np.float64]:
        """Return F0 in Hz every 16 ms, 0 where unvoiced, float64 [T // 256]."""
        if self.extractor == "world":
            return _world(wave.tobytes(), self.low_hz, self.high_hz)
        if self.extractor != "swift-f0":
            raise InvalidInput(f"unknown F0 extractor {self.extractor!r}; take 'swift-f0' or 'world'")
        return _swift(wave.tobytes(), self.low_hz, self.high_hz, self.confidence)


@dataclass(frozen=True)
class VoicingError(F0Error):
    """Share of frames voiced in one signal only; 0 for identical signals."""

    name: ClassVar[str] = "f0-voicing"
    label: ClassVar[str] = "Voicing error"
    unit: ClassVar[str] = "%"
    value_range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=1.6, band=0.8, tolerance=1.0, symmetric=True, delay=(0.0, 60.0)
    )

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the error of one pair.  ref, deg: float32 [T] at 16 kHz, aligned."""
        of_ref, of_deg = self.track(ref) > 0.0, self.track(deg) > 0.0
        if not of_ref.any():
            raise Unscorable("no voiced frame in the reference")
        return 100.0 * float(np.mean(of_ref != of_deg))


@lru_cache(maxsize=8)
def _swift(samples: bytes, low_hz: float, high_hz: float, confidence: float) -> NDArray[np.float64]:
    """Track a float32 wave; remembered, for both errors and all codecs ask for it again."""
    found = _detector().detect(np.frombuffer(samples, dtype=np.float32), RATE_HZ, low_hz, high_hz)
    return np.where(found.confidence >= confidence, found.pitch_hz, 0.0)


@lru_cache(maxsize=8)
def _world(samples: bytes, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    wave = np.frombuffer(samples, dtype=np.float32).astype(np.float64)
    f0, _ = fundamental(wave, RATE_HZ, FRAME_MS, low_hz, high_hz)
    return np.asarray(f0[: max(1, wave.size * 1000 // round(RATE_HZ * FRAME_MS))], dtype=np.float64)


@cache
def _detector() -> Any:
    MODEL.verified()
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)
