"""Segmental signal-to-noise ratio, in dB, higher is better.

Frames of 30 ms; each frame's ratio is limited to -10 to 35 dB; frames 40 dB below the loudest do not count.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codecbench.codec import Wave
from codecbench.metric import Golden, Metric


@dataclass(frozen=True)
class SegmentalSnr(Metric):
    """Mean over frames of the limited signal-to-noise ratio; 35 for identical signals."""

    name: ClassVar[str] = "seg-snr"
    label: ClassVar[str] = "Segmental SNR"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 8_000
    value_range: ClassVar[tuple[float, float]] = (-10.0, 35.0)
    compares_waveforms: ClassVar[bool] = True
    minimum_seconds: ClassVar[float] = 0.03
    citation: ClassVar[str] = "Quackenbush et al., 1988"
    bibtex: ClassVar[str] = """\
@book{quackenbush1988measures,
  author={Quackenbush, Schuyler R. and Barnwell, Thomas P. and Clements, Mark A.},
  title={Objective Measures of Speech Quality},
  publisher={Prentice Hall},
  year={1988}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=35.0, noise=17.9605, band=26.8895, tolerance=0.01, symmetric=False, delay=(-10.0, 0.0)
    )

    frame_ms: float = 30.0
    speech_range_db: float = 40.0

    def score(self, ref: Wave, deg: Wave) -> float:
        """Score float32 [T] at 8 kHz, aligned."""
        size = round(self.frame_ms * self.sample_rate_hz / 1000)
        whole = ref.size // size * size
        signal, noise = (
            np.square(wave[:whole].astype(np.float64)).reshape(-1, size).sum(axis=1)
            for wave in (ref, ref - deg)
        )
        speech = signal > signal.max() * 10 ** (-self.speech_range_db / 10)
        ratio = 10 * np.log10(signal[speech] / np.maximum(noise[speech], 1e-20))
        return float(np.clip(ratio, *self.value_range).mean())
