"""Loudness change: how far the loudness of decoded speech is off the reference's, in LU, lower is better.

Conventions: integrated loudness of ITU-R BS.1770-4 (K weighting, blocks of 400 ms, both gates) by the package
pyloudnorm 0.2.0, at 48 kHz; the absolute value of the difference, so that louder and softer utterances do not
cancel in a mean.  Most other metrics here undo a common gain, this one tells it.

Reference: ITU-R BS.1770-4, 2015.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.shipped import need


@dataclass(frozen=True)
class LoudnessChange(Metric):
    """Absolute difference of integrated loudness; 0 for identical signals."""

    name: ClassVar[str] = "loudness-change"
    label: ClassVar[str] = "Loudness change"
    unit: ClassVar[str] = "LU"
    higher_is_better: ClassVar[bool] = False
    sample_rate_hz: ClassVar[int] = 48_000
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    library: ClassVar[str] = "pyloudnorm-0.2.0"
    distributions: ClassVar[tuple[str, ...]] = ("pyloudnorm",)
    minimum_seconds: ClassVar[float] = 0.5
    citation: ClassVar[str] = "ITU-R BS.1770-4, 2015"
    bibtex: ClassVar[str] = """\
@techreport{bs1770,
  author={{ITU-R}},
  title={Recommendation {BS.1770-4}: Algorithms to measure audio programme loudness and true-peak audio
    level},
  institution={International Telecommunication Union},
  year={2015}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=0.086857, band=0.071491, tolerance=0.01, symmetric=True, delay=(0.0, 0.3)
    )

    def check(self) -> None:
        """Raise Unavailable if the package is missing."""
        need("pyloudnorm")

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the change of one pair.  ref, deg: float32 [T] at 48 kHz."""
        return abs(self.lufs(deg) - self.lufs(ref))

    def lufs(self, wave: Wave) -> float:
        """Return a wave's integrated loudness in LUFS; raises Unscorable below the absolute gate."""
        found = _lufs(wave.tobytes(), self.sample_rate_hz)
        if not math.isfinite(found):
            raise Unscorable("a signal lies below the gate of -70 LUFS")
        return found


@lru_cache(maxsize=8)
def _lufs(samples: bytes, rate_hz: int) -> float:
    from pyloudnorm import Meter

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(
            Meter(rate_hz).integrated_loudness(np.frombuffer(samples, dtype=np.float32).astype(float))
        )
