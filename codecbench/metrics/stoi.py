"""Short-time objective intelligibility, plain (STOI) and extended (ESTOI), higher is better.

Conventions: pystoi, which agrees with the authors' Matlab code to 5e-11; it resamples to 10 kHz itself and
leaves out frames 40 dB below the reference's loudest.  It does not align: 10 ms of delay cost a quarter of
the scale, so pairs come aligned.  Clips over ``max_seconds`` are cut at quiet points (memory grows with
length).  ESTOI adds rounding noise to its input, in pystoi from numpy's global generator; here it is that of
seed 0, for the noise decides the score of bands that hold digital silence.

pystoi analyses the reference anew for every degraded wave.  Here its steps run over arrays of frames, with
the reference's side kept (`Metric.prepared`); the scores are pystoi's to the last bit.

References: Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011, eq. 1-6 (STOI); Jensen, Taal, IEEE/ACM
TASLP 24(11), 2016 (ESTOI).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.parts import mean_over, split

Floats = NDArray[np.float64]

_EPS = np.finfo(np.float64).eps
_NOTHING: Floats = np.empty(0)


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

    def prepare(self, ref: Wave) -> Reference:
        """Return a reference's side of the score.  Raises Unscorable without speech."""
        from pystoi.stoi import BETA, DYN_RANGE, N

        frames = _frames(_at_10_khz(ref))
        energies = 20 * np.log10(np.linalg.norm(frames, axis=1) + _EPS)
        speech = (np.max(energies) - DYN_RANGE - energies) < 0
        bands = _bands_of_speech(frames, speech)
        if bands.shape[1] < N:
            raise Unscorable("less than 0.4 s of speech in the reference")
        segments = _segments(bands)
        if self.extended:
            draws = np.random.RandomState(0).standard_normal((4, *segments.shape)) * _EPS
            return Reference(speech, _normalised(segments, draws[:2]), noise=draws[2:])
        norm = np.linalg.norm(segments, axis=2, keepdims=True)
        return Reference(speech, _centred(segments), norm, segments * (1 + 10 ** (-BETA / 20)))

    def _score_part(self, ref: Wave, deg: Wave) -> float:
        known: Reference = self.prepared(ref)
        segments = _segments(_bands_of(deg.tobytes(), known.speech.tobytes()))
        if self.extended:
            products = known.normal * _normalised(segments, known.noise) / segments.shape[2]
            return float(np.sum(products) / segments.shape[0])
        gain = known.norm / (np.linalg.norm(segments, axis=2, keepdims=True) + _EPS)
        correlation = _centred(np.minimum(segments * gain, known.clip)) * known.normal
        return float(np.sum(correlation) / (segments.shape[0] * segments.shape[1]))


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


class Reference(NamedTuple):
    """A reference's side: its frames of speech, bool [T], and its segments, float64 [J, bands, 30].

    ``normal`` are the segments normalised; ``norm`` [J, bands, 1] and ``clip`` [J, bands, 30] are what STOI
    scales and clips degraded ones by, ``noise`` [2, J, bands, 30] what ESTOI adds to them.
    """

    speech: NDArray[np.bool_]
    normal: Floats
    norm: Floats = _NOTHING
    clip: Floats = _NOTHING
    noise: Floats = _NOTHING


@lru_cache(maxsize=2)
def _bands_of(deg: bytes, speech: bytes) -> Floats:
    """Return a degraded wave's bands over the reference's frames of speech; remembered for (E)STOI."""
    wave = np.frombuffer(deg, dtype=np.float32)
    return _bands_of_speech(_frames(_at_10_khz(wave)), np.frombuffer(speech, dtype=np.bool_))


def _at_10_khz(wave: Wave) -> Floats:
    from pystoi.stoi import FS
    from pystoi.utils import resample_oct

    return np.asarray(resample_oct(wave.astype(np.float64), FS, Stoi.sample_rate_hz), dtype=np.float64)


def _frames(wave: Floats) -> Floats:
    """Cut a wave into windowed frames, float64 [T, 256], half overlapping; a last whole one is left out."""
    from pystoi.stoi import N_FRAME

    hop = N_FRAME // 2
    count = max(math.ceil((wave.size - N_FRAME) / hop), 0)
    window = np.hanning(N_FRAME + 2)[1:-1]
    return np.asarray(window * np.lib.stride_tricks.sliding_window_view(wave, N_FRAME)[::hop][:count])


def _bands_of_speech(frames: Floats, speech: NDArray[np.bool_]) -> Floats:
    """Join the frames of speech, cut them anew and return third-octave magnitudes, float64 [bands, T]."""
    from pystoi.stoi import NFFT, OBM

    kept = frames[speech]
    half = kept.shape[1] // 2
    joined = np.zeros((kept.shape[0] + 1, half))
    joined[:-1] += kept[:, :half]
    joined[1:] += kept[:, half:]
    # Transposed as a view: matmul's rounding depends on how its operands lie in memory.
    spectrum = np.fft.rfft(_frames(joined.ravel()), n=NFFT).transpose()
    return np.asarray(np.sqrt(np.matmul(OBM, np.square(np.abs(spectrum)))))


def _segments(bands: Floats) -> Floats:
    """Return every stretch of 30 frames, float64 [J, bands, 30]."""
    from pystoi.stoi import N

    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(bands, N, axis=1).swapaxes(0, 1))


def _centred(segments: Floats) -> Floats:
    """Take each row's mean out and divide by its norm."""
    rows = segments - np.mean(segments, axis=2, keepdims=True)
    return np.asarray(rows / (np.linalg.norm(rows, axis=2, keepdims=True) + _EPS))


def _normalised(segments: Floats, noise: Floats) -> Floats:
    """Normalise rows, then columns, with rounding noise [2, J, bands, 30] added before each."""
    for axis, added in zip((2, 1), noise, strict=True):
        segments = segments + added
        segments -= np.mean(segments, axis=axis, keepdims=True)
        segments *= 1.0 / np.sqrt(np.sum(np.square(segments), axis=axis, keepdims=True))
    return segments
