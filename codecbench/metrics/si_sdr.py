"""Scale-invariant signal-to-distortion ratio (SI-SDR), in dB, higher is better.

Conventions: both signals zero-mean, the target is the projection of the degraded on the reference, no
regularising constant.  It compares waveforms, so it means little for vocoders and neural codecs and needs
alignment to the sample.  A degraded signal that equals the reference up to scale has no finite value.

Reference: Le Roux, Wisdom, Erdogan, Hershey, ICASSP 2019, eq. 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric

FLOAT32_ROUNDING_DB = 140.0
"""Above this, what differs is the rounding of float32 samples (24 bits), not distortion."""


@dataclass(frozen=True)
class SiSdr(Metric):
    """Scale-invariant signal-to-distortion ratio; unbounded for identical signals."""

    name: ClassVar[str] = "si-sdr"
    label: ClassVar[str] = "SI-SDR"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    compares_waveforms: ClassVar[bool] = True
    citation: ClassVar[str] = "Le Roux et al., ICASSP 2019"
    bibtex: ClassVar[str] = """\
@inproceedings{leroux2019sdr,
  author={Le Roux, Jonathan and Wisdom, Scott and Erdogan, Hakan and Hershey, John R.},
  title={{SDR} -- Half-Baked or Well Done?},
  booktitle={ICASSP},
  year={2019}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity="unscorable",
        noise=20.042092,
        band=21.576838,
        tolerance=0.001,
        symmetric=True,
        delay=(-60.0, 0.0),
    )

    zero_mean: bool = True

    def score(self, ref: Wave, deg: Wave) -> float:
        """SI-SDR of one pair.  ref, deg: float32 [T], aligned.  Raises Unscorable where it is infinite."""
        target, estimate = ref.astype(np.float64), deg.astype(np.float64)
        if self.zero_mean:
            target, estimate = target - target.mean(), estimate - estimate.mean()
        target_power = float(target @ target)
        if target_power == 0.0:
            raise Unscorable("reference is constant")
        target *= float(estimate @ target) / target_power
        signal, distortion = float(target @ target), float(np.sum(np.square(estimate - target)))
        if signal == 0.0:
            raise Unscorable("degraded has nothing in common with the reference; SI-SDR is minus infinity")
        if signal >= distortion * 10.0 ** (FLOAT32_ROUNDING_DB / 10.0):
            raise Unscorable("degraded equals the reference up to scale; SI-SDR is unbounded")
        return 10.0 * math.log10(signal / distortion)
