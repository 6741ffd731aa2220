"""Perceptual evaluation of speech quality (PESQ), wideband and narrowband, MOS-LQO, higher is better.

Conventions: the package pesq 0.0.4, which wraps the C code of ITU-T P.862, on 16 kHz input in both modes:
wideband after P.862.2, narrowband mapped after P.862.1.  It aligns level and time itself.  The C code keeps
at most 50 utterances in a fixed array and crashes the process beyond: clips over ``max_seconds`` are cut at
quiet points of the reference, parts that could hold more are halved, and the mean is weighted by duration.

The package calls itself MIT-licensed, but ITU-T's notice on the C code restricts commercial use; it is
therefore an optional extra.

References: ITU-T P.862 (2001), P.862.1 (2003), P.862.2 (2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import Unavailable, Unscorable
from codecbench.metric import Golden, Metric
from codecbench.metrics.parts import halve, mean_over, split

MOST_UTTERANCES = 40
"""Parts that may hold more utterances are halved; the C array has 50 places and the last is written ahead."""

FRAME = 64
MINIMUM_FRAMES = 50
"""P.862's voice activity: frames of 4 ms, an utterance has at least 50, a pause more than 50."""


@dataclass(frozen=True)
class PesqWideband(Metric):
    """PESQ after ITU-T P.862.2; 4.644 for identical signals."""

    name: ClassVar[str] = "pesq-wb"
    label: ClassVar[str] = "PESQ-WB"
    unit: ClassVar[str] = "MOS-LQO"
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (1.0, 4.644)
    library: ClassVar[str] = "pesq-0.0.4"
    distributions: ClassVar[tuple[str, ...]] = ("pesq",)
    minimum_seconds: ClassVar[float] = 0.25
    citation: ClassVar[str] = "ITU-T P.862.2, 2007"
    bibtex: ClassVar[str] = """\
@techreport{itu2007p8622,
  author={{ITU-T}},
  title={Recommendation {P.862.2}: Wideband Extension to Recommendation {P.862}},
  institution={International Telecommunication Union},
  year={2007}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=4.643888, noise=1.166226, band=3.231665, tolerance=0.005, symmetric=False, delay=(4.5, 4.65)
    )

    band: str = "wb"
    max_seconds: float = 30.0

    def check(self) -> None:
        """Raise Unavailable if the optional package is missing."""
        if find_spec("pesq") is None:
            raise Unavailable("the package pesq is not installed", "run: pip install pesq==0.0.4")

    def open(self) -> None:
        """Import the C extension."""
        self.check()
        import pesq  # noqa: F401

    def score(self, ref: Wave, deg: Wave) -> float:
        """PESQ of one pair.  ref, deg: float32 [T] at 16 kHz.  Raises Unscorable if it finds no utterance."""
        return mean_over(self.prepared(ref), self._score_part, ref, deg)

    def prepare(self, ref: Wave) -> list[slice]:
        """Return the parts of a reference that are scored one by one."""
        return [
            smaller
            for part in split(ref, self.sample_rate_hz, self.max_seconds)
            for smaller in _within_array(ref, part, self.sample_rate_hz)
        ]

    def _score_part(self, ref: Wave, deg: Wave) -> float | None:
        from pesq import BufferTooShortError, NoUtterancesError, pesq

        try:
            # The C code writes into what it is given: pesq() scales, and so copies, both waves first.
            return float(pesq(self.sample_rate_hz, ref, deg, self.band))
        except NoUtterancesError:
            return None
        except BufferTooShortError:
            raise Unscorable("shorter than 0.25 s") from None
        except ValueError:
            # The wrapper looks for the text of an error number and finds that the score is NaN instead.
            raise Unscorable(
                "PESQ gave no number; the degraded signal is silent where the reference speaks"
            ) from None


@dataclass(frozen=True)
class PesqNarrowband(PesqWideband):
    """PESQ after ITU-T P.862 with the mapping of P.862.1; 4.549 for identical signals."""

    name: ClassVar[str] = "pesq-nb"
    label: ClassVar[str] = "PESQ-NB"
    value_range: ClassVar[tuple[float, float]] = (1.0, 4.549)
    citation: ClassVar[str] = "ITU-T P.862, 2001 and P.862.1, 2003"
    bibtex: ClassVar[str] = """\
@techreport{itu2001p862,
  author={{ITU-T}},
  title={Recommendation {P.862}: Perceptual Evaluation of Speech Quality ({PESQ})},
  institution={International Telecommunication Union},
  year={2001}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=4.548638, noise=2.068884, band=4.452164, tolerance=0.005, symmetric=False, delay=(4.4, 4.55)
    )

    band: str = "nb"


def _within_array(ref: Wave, part: slice, rate_hz: int) -> list[slice]:
    if utterances_at_most(ref[part]) <= MOST_UTTERANCES:
        return [part]
    return [smaller for half in halve(ref, part, rate_hz) for smaller in _within_array(ref, half, rate_hz)]


def utterances_at_most(ref: Wave) -> int:
    """Return how many utterances P.862 may find at 16 kHz, whatever threshold its detector settles on."""
    frames = ref[: ref.size // FRAME * FRAME].reshape(-1, FRAME)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    if power.size == 0:
        return 0
    thresholds = np.quantile(power, np.linspace(0.02, 0.98, 49))
    return max(_utterances(power > threshold) for threshold in thresholds)


def _utterances(active: NDArray[np.bool_]) -> int:
    """Count stretches of activity of at least 50 frames, after joining those at most 50 frames apart."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    if starts.size == 0:
        return 0
    apart = starts[1:] - stops[:-1] > MINIMUM_FRAMES
    lengths = np.append(stops[:-1][apart], stops[-1]) - np.append(starts[:1], starts[1:][apart])
    return int(np.count_nonzero(lengths >= MINIMUM_FRAMES))
