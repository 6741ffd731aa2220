"""Log-mel distance: mean absolute difference of log-mel spectrograms, in nepers, lower is better.

Conventions: 16 kHz, periodic Hann window of 512 samples, hop 128, magnitude spectrum, 80 Slaney mel bands of
unit area from 0 to 8000 Hz, natural logarithm of the value clamped to 1e-5, mean over bands and frames.
Frame t covers the samples [128 t - 192, 128 t + 320), zeros outside the clip.  Levels are left alone: a gain
of 6 dB counts 0.69.  This is the quantity that neural codecs and vocoders train on (HiFi-GAN's mel loss is 45
times it), so it flatters them; it is written here independently of any codec.

References: Kong, Kim, Bae, NeurIPS 2020, eq. 5 (HiFi-GAN); Slaney, Auditory Toolbox, TR 1998-010.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.metric import Golden, Metric

BLOCK_FRAMES = 4096
"""Frames transformed at a time, which bounds the memory that a long clip takes."""


@dataclass(frozen=True)
class MelDistance(Metric):
    """Mean absolute log-mel difference; 0 for identical signals."""

    name: ClassVar[str] = "mel-distance"
    label: ClassVar[str] = "Mel distance"
    unit: ClassVar[str] = "Np"
    higher_is_better: ClassVar[bool] = False
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    citation: ClassVar[str] = "Kong et al., NeurIPS 2020, eq. 5"
    bibtex: ClassVar[str] = """\
@inproceedings{kong2020hifigan,
  author={Kong, Jungil and Kim, Jaehyeon and Bae, Jaekyoung},
  title={{HiFi-GAN}: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis},
  booktitle={NeurIPS},
  year={2020}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=2.144978, band=0.717039, tolerance=0.0001, symmetric=True, delay=(1.0, 4.0)
    )

    window: int = 512
    hop: int = 128
    mels: int = 80
    floor: float = 1e-5

    def score(self, ref: Wave, deg: Wave) -> float:
        """Distance of one pair.  ref, deg: float32 [T] at 16 kHz, aligned."""
        total, count = 0.0, 0
        for of_ref, of_deg in zip(self.prepared(ref), self._blocks(deg), strict=True):
            total += float(np.abs(of_ref - of_deg).sum())
            count += of_ref.size
        return total / count

    def prepare(self, ref: Wave) -> list[NDArray[np.float64]]:
        """Return a reference's log-mel frames, float64 [T, mels] each `BLOCK_FRAMES`."""
        return list(self._blocks(ref))

    def _blocks(self, wave: Wave) -> Iterator[NDArray[np.float64]]:
        samples = BLOCK_FRAMES * self.hop
        left = (self.window - self.hop) // 2
        frames = math.ceil(wave.size / self.hop)
        right = frames * self.hop + self.window - self.hop - left - wave.size
        padded = np.pad(wave.astype(np.float64), (left, right))
        for start in range(0, frames * self.hop, samples):
            yield self.log_mel(padded[start : start + samples + self.window - self.hop])

    def log_mel(self, padded: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-mel frames [T, mels] of samples [hop T + window - hop] that already have their context."""
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop]
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self.window) / self.window)
        spectrum = np.abs(np.fft.rfft(frames * hann, axis=1))
        bands = spectrum @ slaney_filters(self.window, self.mels, self.sample_rate_hz)
        return np.asarray(np.log(np.maximum(bands, self.floor)), dtype=np.float64)


@cache
def slaney_filters(n_fft: int, mels: int, rate_hz: int) -> NDArray[np.float64]:
    """Return triangular filters of unit area over 0 Hz to half the rate, float64 [n_fft // 2 + 1, mels]."""
    edges_hz = _from_slaney(np.linspace(0.0, _to_slaney(rate_hz / 2), mels + 2))
    bins_hz = np.arange(n_fft // 2 + 1)[:, None] * (rate_hz / n_fft)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    triangles = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre))
    return np.asarray(np.maximum(triangles, 0.0) * 2.0 / (high - low), dtype=np.float64)


def _to_slaney(hz: float) -> float:
    """Slaney's scale: 15 mel per kHz up to 1 kHz, then 27 mel for each factor of 6.4."""
    return hz * 0.015 if hz < 1000.0 else 15.0 + 27.0 * math.log(hz / 1000.0) / math.log(6.4)


def _from_slaney(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = 1000.0 * np.power(6.4, (np.maximum(mel, 15.0) - 15.0) / 27.0)
    return np.where(mel < 15.0, mel / 0.015, above)
