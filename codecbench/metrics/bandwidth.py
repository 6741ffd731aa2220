"""Audio bandwidth: the highest frequency at which decoded speech carries what the reference has, in kHz.

Conventions: long-term power spectra (Welch, Hann windows of 4096 at 48 kHz, half overlapping) of both signals
in bands of 100 Hz.  Bands count in which the reference has power, that is within ``range_db`` of its
strongest band; the bandwidth is the upper edge of the highest of them in which decoded speech lies at most
``drop_db`` below the reference.  An identical pair gives the reference's own bandwidth, which is at most half
the rate of its file.  Higher is better.

Reference: Welch, IEEE Trans. Audio and Electroacoustics 15(2), 1967.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric

WINDOW = 4096


@dataclass(frozen=True)
class Bandwidth(Metric):
    """Highest frequency that decoded speech still carries."""

    name: ClassVar[str] = "bandwidth"
    label: ClassVar[str] = "Bandwidth"
    unit: ClassVar[str] = "kHz"
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 48_000
    value_range: ClassVar[tuple[float, float]] = (0.0, 24.0)
    minimum_seconds: ClassVar[float] = 0.1
    citation: ClassVar[str] = "Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967"
    bibtex: ClassVar[str] = """\
@article{welch1967,
  author={Welch, Peter D.},
  title={The Use of Fast {Fourier} Transform for the Estimation of Power Spectra},
  journal={IEEE Transactions on Audio and Electroacoustics},
  volume={15},
  number={2},
  year={1967}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=7.8, noise=7.8, band=3.4, tolerance=0.11, symmetric=True, delay=(7.0, 8.1)
    )

    band_hz: float = 100.0
    range_db: float = 60.0
    drop_db: float = 15.0

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the bandwidth of one pair.  ref, deg: float32 [T] at 48 kHz."""
        of_ref, of_deg = (self.band_powers(wave) for wave in (ref, deg))
        present = of_ref > of_ref.max() * 10.0 ** (-self.range_db / 10.0)
        carried = np.flatnonzero(present & (of_deg >= of_ref * 10.0 ** (-self.drop_db / 10.0)))
        if carried.size == 0:
            raise Unscorable("decoded speech carries no band of the reference")
        return float((carried[-1] + 1) * self.band_hz / 1000.0)

    def band_powers(self, wave: Wave) -> NDArray[np.float64]:
        """Return the long-term power in bands of ``band_hz`` from 0 Hz, float64 [240]."""
        return _band_powers(wave.tobytes(), self.sample_rate_hz, self.band_hz)


@lru_cache(maxsize=8)
def _band_powers(samples: bytes, rate_hz: int, band_hz: float) -> NDArray[np.float64]:
    """Analyse a float32 wave; remembered, for all codecs ask for the same references."""
    from scipy.signal import welch

    wave = np.frombuffer(samples, dtype=np.float32).astype(np.float64)
    frequencies, power = welch(wave, rate_hz, window="hann", nperseg=WINDOW, detrend=False)
    bands = np.minimum(frequencies // band_hz, rate_hz / 2 // band_hz - 1).astype(np.int64)
    return np.asarray(np.bincount(bands, weights=power), dtype=np.float64)
