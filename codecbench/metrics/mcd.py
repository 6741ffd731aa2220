"""Mel-cepstral distortion (MCD), in dB, lower is better.

Conventions: WORLD spectral envelope (DIO and StoneMask for F0, CheapTrick) every 5 ms; every frame's power
spectrum raised to at least 60 dB below its own peak, without which a band-limited codec is off by tens of dB
in a band where nothing is heard; mel-cepstrum of order 24 without c0 (the score does not depend on level),
alpha 0.42 at 16 kHz and 0.31 at 8 kHz; ``10 / ln 10 * sqrt(2 * sum d^2)`` averaged over the frames in which
the reference is within 40 dB of its loudest 25 ms.

Three figures: ``mcd``, frame by frame, is the primary one and expects aligned pairs.  ``mcd-dtw`` lets time
warp by at most ``warp_ms`` and averages over the steps of the cheapest path that lie on speech; it is never
above ``mcd`` and hides misalignment.  ``mcd-8k`` is the first at 8 kHz, fair to narrowband codecs.

References: Kubichek, IEEE PACRIM 1993, eq. 3; Morise, Yokomori, Ozawa, IEICE 2016 (WORLD); Oppenheim and
Johnson, Proc. IEEE 60(6), 1972 (frequency warping); Sakoe and Chiba, IEEE TASSP 26(1), 1978 (DTW).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.parts import mean_over, split
from codecbench.metrics.world import fundamental

Frames = NDArray[np.float64]
"""Mel-cepstra without c0, float64 [T, order]."""

DB_PER_CEPSTRUM = 10.0 / math.log(10.0) * math.sqrt(2.0)
SPEECH_WINDOW_MS = 25.0


@dataclass(frozen=True)
class MelCepstralDistortion(Metric):
    """Frame-aligned mel-cepstral distortion at 16 kHz; 0 for identical signals."""

    name: ClassVar[str] = "mcd"
    label: ClassVar[str] = "MCD"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = False
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    library: ClassVar[str] = "pyworld-0.3.6"
    distributions: ClassVar[tuple[str, ...]] = ("pyworld-prebuilt",)
    minimum_seconds: ClassVar[float] = 0.1
    citation: ClassVar[str] = "Kubichek, IEEE PACRIM 1993, eq. 3"
    bibtex: ClassVar[str] = """\
@inproceedings{kubichek1993mcd,
  author={Kubichek, Robert F.},
  title={Mel-Cepstral Distance Measure for Objective Speech Quality Assessment},
  booktitle={IEEE Pacific Rim Conference on Communications Computers and Signal Processing},
  year={1993}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=8.703974, band=8.720211, tolerance=0.02, symmetric=False, delay=(10.0, 25.0)
    )

    envelope: str = "world-dio-stonemask-cheaptrick"
    frame_ms: float = 5.0
    order: int = 24
    alpha: float = 0.42
    floor_db: float = -60.0
    speech_range_db: float = 40.0
    warp_ms: float = 0.0
    max_seconds: float = 120.0

    def open(self) -> None:
        """Import the extension module."""
        import pyworld  # noqa: F401

    def score(self, ref: Wave, deg: Wave) -> float:
        """MCD of one pair.  ref, deg: float32 [T] at ``sample_rate_hz``, aligned."""
        return mean_over(split(ref, self.sample_rate_hz, self.max_seconds), self._score_part, ref, deg)

    def prepare(self, ref: Wave) -> tuple[Frames, NDArray[np.bool_]]:
        """Return a reference's mel-cepstra, float64 [T, order], and which of them are speech, bool [T]."""
        of_ref = self.mel_cepstra(ref)
        return of_ref, self.speech_frames(ref, of_ref.shape[0])

    def _score_part(self, ref: Wave, deg: Wave) -> float:
        of_ref, speech = self.prepared(ref)
        of_deg = self.mel_cepstra(deg)
        reach = round(self.warp_ms / self.frame_ms)
        if reach:
            path = warp(of_ref, of_deg, weights=speech.astype(np.float64), reach=reach)
            return path.cost / path.weight
        return float(distances(of_ref[speech], of_deg[speech]).mean())

    def mel_cepstra(self, wave: Wave) -> Frames:
        """Return the mel-cepstra c1..c_order of a wave, float64 [T, order], one each ``frame_ms``."""
        recipe = Recipe(self.sample_rate_hz, self.frame_ms, self.order, self.alpha, self.floor_db)
        return _mel_cepstra(wave.tobytes(), recipe)

    def speech_frames(self, ref: Wave, count: int) -> NDArray[np.bool_]:
        """Tell which of ``count`` frames lie within ``speech_range_db`` of the loudest, bool [count]."""
        half = round(SPEECH_WINDOW_MS * self.sample_rate_hz / 2000)
        total = np.concatenate(([0.0], np.cumsum(np.square(ref, dtype=np.float64))))
        centres = np.round(np.arange(count) * self.frame_ms * self.sample_rate_hz / 1000).astype(np.int64)
        energy = total[np.minimum(centres + half, ref.size)] - total[np.clip(centres - half, 0, ref.size)]
        return np.asarray(energy > energy.max() * 10.0 ** (-self.speech_range_db / 10.0), dtype=np.bool_)


@dataclass(frozen=True)
class MelCepstralDistortionDtw(MelCepstralDistortion):
    """Mel-cepstral distortion along the cheapest time warp; 0 for identical signals."""

    name: ClassVar[str] = "mcd-dtw"
    label: ClassVar[str] = "MCD-DTW"
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=8.332196, band=8.336574, tolerance=0.02, symmetric=False, delay=(0.0, 1.0)
    )

    warp_ms: float = 500.0


@dataclass(frozen=True)
class MelCepstralDistortionNarrowband(MelCepstralDistortion):
    """Frame-aligned mel-cepstral distortion below 4 kHz; 0 for identical signals."""

    name: ClassVar[str] = "mcd-8k"
    label: ClassVar[str] = "MCD 8 kHz"
    sample_rate_hz: ClassVar[int] = 8_000
    golden: ClassVar[Golden | None] = Golden(
        identity=0.0, noise=6.608484, band=3.287511, tolerance=0.02, symmetric=False, delay=(10.0, 25.0)
    )

    alpha: float = 0.31


class Path(NamedTuple):
    """The cheapest warping path: sum of its weighted costs, sum of its weights."""

    cost: float
    weight: float


def distances(ref: Frames, deg: Frames) -> NDArray[np.float64]:
    """Return the distortion of each pair of frames in dB, float64 [T]."""
    return np.asarray(DB_PER_CEPSTRUM * np.sqrt(np.square(ref - deg).sum(axis=1)), dtype=np.float64)


def warp(ref: Frames, deg: Frames, weights: NDArray[np.float64], reach: int) -> Path:
    """Find the cheapest monotone, contiguous, complete path between two sequences.

    Dynamic programming with the steps (1, 0), (0, 1) and (1, 1), one anti-diagonal at a time.  Of equally
    cheap ways the diagonal step is taken first, then the step along ``ref``.

    Parameters
    ----------
    ref, deg : Frames
        float64 [N, order], [M, order].
    weights : float64 [N]
        What a step onto each frame of ``ref`` counts; 0 makes it free.
    reach : int
        How many frames the path may leave the diagonal, at least ``|N - M|``.
    """
    n, m = ref.shape[0], deg.shape[0]
    # Row r of a table is frame r - 1; row 0 stands for no frame and stays at infinity.
    cost = np.full((3, n + 1), np.inf)
    weight = np.zeros((3, n + 1))
    for diagonal in range(n + m - 1):
        low = max(0, diagonal - m + 1, (diagonal - reach + 1) // 2)
        high = min(n - 1, diagonal, (diagonal + reach) // 2)
        at, before, two_before = diagonal % 3, (diagonal - 1) % 3, (diagonal - 2) % 3
        rows, above = slice(low + 1, high + 2), slice(low, high + 1)
        cost[at, max(low - 2, 0) : high + 4] = np.inf
        if high < low:
            continue
        step = weights[low : high + 1]
        local = step * distances(ref[low : high + 1], deg[diagonal - high : diagonal - low + 1][::-1])
        sources = np.stack((cost[two_before, above], cost[before, above], cost[before, rows]))
        weights_of = np.stack((weight[two_before, above], weight[before, above], weight[before, rows]))
        if diagonal == 0:
            sources[0, 0] = 0.0
        best = np.argmin(sources, axis=0)[None]
        cost[at, rows] = local + np.take_along_axis(sources, best, axis=0)[0]
        weight[at, rows] = step + np.take_along_axis(weights_of, best, axis=0)[0]
    last = (n + m - 2) % 3
    return Path(float(cost[last, n]), float(weight[last, n]))


class Recipe(NamedTuple):
    """What the mel-cepstra of a wave depend on; the fields of `MelCepstralDistortion`."""

    rate_hz: int
    frame_ms: float
    order: int
    alpha: float
    floor_db: float


@lru_cache(maxsize=8)
def _mel_cepstra(samples: bytes, recipe: Recipe) -> Frames:
    """Analyse a float32 wave; remembered, for the family and all codecs ask for it again."""
    import pyworld

    wave = np.frombuffer(samples, dtype=np.float32).astype(np.float64)
    f0, times = fundamental(wave, recipe.rate_hz, recipe.frame_ms)
    power = pyworld.cheaptrick(wave, f0, times, recipe.rate_hz)
    peak = power.max(axis=1, keepdims=True)
    if not (np.isfinite(peak).all() and (peak > 0.0).all()):
        raise Unscorable("WORLD found no spectral envelope")
    log_power = np.log(np.maximum(power, peak * 10.0 ** (recipe.floor_db / 10.0)))
    return mel_cepstrum(log_power, recipe.order, recipe.alpha)[:, 1:]


def mel_cepstrum(log_power: NDArray[np.float64], order: int, alpha: float) -> NDArray[np.float64]:
    """Return the mel-cepstrum c0..c_order, float64 [T, order + 1], of log power spectra [T, n_fft // 2 + 1].

    The real cepstrum of the minimum-phase envelope, frequency-warped by an all-pass of parameter ``alpha``.
    """
    cepstrum = np.fft.irfft(log_power, axis=1)[:, : log_power.shape[1]]
    cepstrum[:, [0, -1]] *= 0.5
    return np.asarray(cepstrum @ _warping(log_power.shape[1], order, alpha).T, dtype=np.float64)


@cache
def _warping(length: int, order: int, alpha: float) -> NDArray[np.float64]:
    """Matrix [order + 1, length] that warps a cepstrum; column n is an impulse after n all-passes."""
    delay = np.zeros((order + 1, order + 1))
    delay[0, 0] = alpha
    for row in range(1, order + 1):
        delay[row] = -alpha * delay[row - 1]
        delay[row, row - 1] += 1.0
        delay[row, row] += alpha
    columns = [np.eye(order + 1)[0]]
    for _ in range(length - 1):
        columns.append(delay @ columns[-1])
    return np.array(columns).T
