"""Deep noise suppression mean opinion score (DNSMOS, P.835 scales), predicted from the decoded speech alone.

Conventions: the general (not personalised) model of the package speechmos 0.0.1.1, 1 to 5, higher is better.
Windows of 9.01 s every second, averaged; clips shorter than a window are repeated, as the model's authors do.
The model's three raw outputs pass through the authors' polynomials.  Samples beyond full scale are clipped.
The reference is not looked at: its own value is the row of the codec ``pcm``, and differences to that row are
what counts.  Trained on noisy and enhanced speech, not on codecs.

Three figures of one evaluation: ``dnsmos`` (OVRL, overall), ``dnsmos-sig`` (speech), ``dnsmos-bak``
(background).

Reference: Reddy, Gopal, Cutler, ICASSP 2022 (DNSMOS P.835).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.metric import Golden
from codecbench.metrics.predicted import PredictedOpinion
from codecbench.metrics.shipped import Shipped, session

MODEL = Shipped(
    "speechmos",
    "dnsmos_models/sig_bak_ovr.onnx",
    "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
)
WINDOW = 144_160
"""Samples that the model takes, 9.01 s."""
HOP = 16_000
POLYNOMIALS = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}
"""From the model's outputs, in their order, to opinion scores; highest power first."""


@dataclass(frozen=True)
class Dnsmos(PredictedOpinion):
    """DNSMOS overall quality (OVRL) of the decoded speech."""

    name: ClassVar[str] = "dnsmos"
    label: ClassVar[str] = "DNSMOS OVRL"
    network: ClassVar[Shipped] = MODEL
    citation: ClassVar[str] = "Reddy et al., ICASSP 2022"
    bibtex: ClassVar[str] = """\
@inproceedings{reddy2022dnsmos,
  author={Reddy, Chandan K. A. and Gopal, Vishak and Cutler, Ross},
  title={{DNSMOS} {P}.835: A Non-Intrusive Perceptual Objective Speech Quality Metric to Evaluate Noise
    Suppressors},
  booktitle={ICASSP},
  year={2022}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=2.5159, noise=2.11347, band=2.53897, tolerance=0.02, symmetric=False, delay=(1.0, 5.0)
    )

    scale: str = "ovrl"
    model: str = MODEL.id

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the opinion predicted of decoded speech.  deg: float32 [T] at 16 kHz; ref is not used."""
        return float(predict(deg.tobytes())[list(POLYNOMIALS).index(self.scale)])


@dataclass(frozen=True)
class DnsmosSignal(Dnsmos):
    """DNSMOS quality of the speech itself (SIG)."""

    name: ClassVar[str] = "dnsmos-sig"
    label: ClassVar[str] = "DNSMOS SIG"
    golden: ClassVar[Golden | None] = Golden(
        identity=2.91286, noise=3.27296, band=2.97153, tolerance=0.02, symmetric=False, delay=(1.0, 5.0)
    )

    scale: str = "sig"


@dataclass(frozen=True)
class DnsmosBackground(Dnsmos):
    """DNSMOS freedom from background noise (BAK)."""

    name: ClassVar[str] = "dnsmos-bak"
    label: ClassVar[str] = "DNSMOS BAK"
    golden: ClassVar[Golden | None] = Golden(
        identity=3.56665, noise=2.15461, band=3.59207, tolerance=0.02, symmetric=False, delay=(1.0, 5.0)
    )

    scale: str = "bak"


@lru_cache(maxsize=4)
def predict(samples: bytes) -> NDArray[np.float64]:
    """Return SIG, BAK and OVRL of a float32 wave at 16 kHz, [3]; remembered for the other two scales."""
    wave = np.clip(np.frombuffer(samples, dtype=np.float32), -1.0, 1.0)
    while wave.size < WINDOW:
        wave = np.concatenate((wave, wave))
    # One window fewer than fit where the clip is 10.01 s or longer: so the authors count.
    starts = range(0, max(1, wave.size // HOP - 9) * HOP, HOP)
    run = session(MODEL)
    raw = np.stack([run.run(None, {"input_1": wave[None, at : at + WINDOW]})[0][0] for at in starts])
    mapped = [
        np.polyval(powers, raw[:, column].astype(np.float64)).mean()
        for column, powers in enumerate(POLYNOMIALS.values())
    ]
    return np.asarray(mapped, dtype=np.float64)
