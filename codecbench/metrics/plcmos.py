"""Packet loss concealment mean opinion score (PLCMOS v2), predicted from the decoded speech alone.

Conventions: the model of the package speechmos 0.0.1.1, 1 to 5, higher is better.  Its input is the log power
of the magnitude spectrum, hamming windows of 32 ms every 16 ms.  It asks for a random rater; the opinion is
the mean over 15 raters drawn from a fixed seed, so that a wave has one score (the authors draw anew each
time).  Samples beyond full scale are clipped.  The reference is not looked at: its own value is the row of
the codec ``pcm``, and differences to that row are what counts.

Reference: Diener, Purin, Sootla, Saabas, Aichner, Cutler, Interspeech 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.metric import Golden
from codecbench.metrics.predicted import PredictedOpinion
from codecbench.metrics.shipped import Shipped, session

MODEL = Shipped(
    "speechmos",
    "plcmos_models/plcmos_v2.onnx",
    "c0ad3fc64ef9682b4749c0e96636b41c73b4b30bd123b9348feea06a96895286",
)
WINDOW, HOP = 512, 256
FLOOR_NEPER = -12.0 * math.log(10.0)
"""What a bin without power lies below the least that has some, as natural logarithm of power."""


@dataclass(frozen=True)
class Plcmos(PredictedOpinion):
    """PLCMOS of the decoded speech: does it sound as if packets were lost?"""

    name: ClassVar[str] = "plcmos"
    label: ClassVar[str] = "PLCMOS"
    network: ClassVar[Shipped] = MODEL
    citation: ClassVar[str] = "Diener et al., Interspeech 2023"
    bibtex: ClassVar[str] = """\
@inproceedings{diener2023plcmos,
  author={Diener, Lorenz and Purin, Marju and Sootla, Sten and Saabas, Ando and Aichner, Robert and
    Cutler, Ross},
  title={{PLCMOS} -- A Data-Driven Non-Intrusive Metric for the Evaluation of Packet Loss Concealment
    Algorithms},
  booktitle={Interspeech},
  year={2023}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=2.70011, noise=2.02257, band=2.52254, tolerance=0.02, symmetric=False, delay=(1.0, 5.0)
    )

    raters: int = 15
    seed: int = 0
    model: str = MODEL.id

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the opinion predicted of decoded speech.  deg: float32 [T] at 16 kHz; ref is not used."""
        frames = features(np.clip(deg, -1.0, 1.0))[None, None]
        raters = np.random.default_rng(self.seed).standard_normal((self.raters, 1, 64)).astype(np.float32)
        run = session(MODEL)
        opinions = [
            float(np.ravel(run.run(None, {"degraded_audio": frames, "rater_embed": rater})[0])[0])
            for rater in raters
        ]
        return float(np.mean(opinions))


def features(wave: Wave) -> NDArray[np.float32]:
    """Return what the model takes of a wave at 16 kHz: log power spectra, float32 [T, 257]."""
    lead = WINDOW - HOP
    count = math.ceil((wave.size + lead) / HOP)
    padded = np.pad(wave.astype(np.float64), (lead, (count - 1) * HOP + WINDOW - lead - wave.size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hamming(WINDOW + 1)[:-1], axis=1)) ** 2
    least = power[power > 0.0].min()
    logs = np.where(power > 0.0, np.log(np.maximum(power, least)), math.log(least) + FLOOR_NEPER)
    return (logs / 20.0).astype(np.float32)
