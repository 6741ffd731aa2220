"""Short-time objective intelligibility, plain (STOI) and extended (ESTOI), higher is better.

Conventions: pystoi, which agrees with the authors' Matlab code to 5e-11; it resamples to 10 kHz itself and
leaves out frames 40 dB below the reference's loudest.  It does not align: 10 ms of delay cost a quarter of
the scale, so pairs come aligned.  Clips over ``max_seconds`` are cut at quiet points (memory grows with
length). ESTOI adds rounding noise to its input from numpy's global generator; it is seeded here, for the
noise decides the score of bands that hold digital silence.

References: Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011, eq. 1-6 (STOI); Jensen, Taal, IEEE/ACM
TASLP 24(11), 2016 (ESTOI).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.parts import mean_over, split


@dataclass(frozen=True)
class Stoi(Metric):
    """Short-time objective intelligibility; 1 for identical signals."""

    name: ClassVar[str] = "stoi"
    label: ClassVar[str] = "STOI"
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    library: ClassVar[str] = "pystoi-0.4.1"
    distributions: ClassVar[tuple[str, ...]] = ("pystoi",)
    minimum_seconds: ClassVar[float] = 0.4
    citation: ClassVar[str] = "Taal et al., IEEE TASLP 19(7), 2011"
    bibtex: ClassVar[str] = """\
@article{taal2011stoi,
  author={Taal, Cees H. and Hendriks, Richard C. and Heusdens, Richard and Jensen, Jesper},
  title={An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech},
  journal={IEEE Transactions on Audio, Speech, and Language Processing},
  volume={19},
  number={7},
  year={2011}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=1.0, noise=0.931836, band=0.988998, tolerance=0.0001, symmetric=False, delay=(0.0, 0.5)
    )

    extended: bool = False
    max_seconds: float = 120.0

    def score(self, ref: Wave, deg: Wave) -> float:
        """STOI of one pair.  ref, deg: float32 [T] at 16 kHz, aligned.  Raises Unscorable without speech."""
        return mean_over(split(ref, self.sample_rate_hz, self.max_seconds), self._score_part, ref, deg)

    def _score_part(self, ref: Wave, deg: Wave) -> float:
        from pystoi import stoi

        double = (ref.astype(np.float64), deg.astype(np.float64))
        with warnings.catch_warnings(), _fixed_noise():
            # pystoi warns and returns 1e-5 where fewer than 30 frames remain after removing silence.
            warnings.simplefilter("error", RuntimeWarning)
            try:
                return float(stoi(*double, self.sample_rate_hz, extended=self.extended))
            except RuntimeWarning:
                raise Unscorable("less than 0.4 s of speech in the reference") from None


@dataclass(frozen=True)
class Estoi(Stoi):
    """Extended STOI, which also sees distortions of the modulation; 1 for identical signals."""

    name: ClassVar[str] = "estoi"
    label: ClassVar[str] = "ESTOI"
    citation: ClassVar[str] = "Jensen and Taal, IEEE/ACM TASLP 24(11), 2016"
    bibtex: ClassVar[str] = """\
@article{jensen2016estoi,
  author={Jensen, Jesper and Taal, Cees H.},
  title={An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers},
  journal={IEEE/ACM Transactions on Audio, Speech, and Language Processing},
  volume={24},
  number={11},
  year={2016}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=1.0, noise=0.840053, band=0.983971, tolerance=0.0001, symmetric=False, delay=(-0.2, 0.3)
    )

    extended: bool = True


@contextmanager
def _fixed_noise() -> Iterator[None]:
    """Seed numpy's global generator for the duration of the block and put its state back."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
