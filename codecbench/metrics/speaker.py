"""Speaker similarity: cosine of the speaker embeddings of reference and decoded speech, higher is better.

Conventions: the GE2E voice encoder that the package resemblyzer 0.1.4 ships (three LSTM layers of 256, its
weights read as tensors only).  Both signals are brought to -30 dBFS, which the encoder was trained on; no
silence is taken out, so that both are cut into the same windows: 1.6 s every 0.77 s, the last one zero-padded
if three quarters of it are filled.  The embedding is the mean over windows, normalised.  It has no negative
component, so unrelated speech is far above 0.

Reference: Wan, Wang, Papir, Moreno, ICASSP 2018 (generalized end-to-end loss).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench.metric import Golden, Metric, level_dbfs
from codecbench.metrics.mel_distance import slaney_filters
from codecbench.metrics.shipped import Shipped

MODEL = Shipped(
    "resemblyzer", "pretrained.pt", "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
)
RATE_HZ, N_FFT, HOP, MELS, HIDDEN, LAYERS = 16_000, 400, 160, 40, 256, 3
WINDOW_FRAMES, STEP_FRAMES, LEAST_COVERAGE = 160, 77, 0.75


@dataclass(frozen=True)
class SpeakerSimilarity(Metric):
    """Cosine similarity of the voices; 1 for identical signals."""

    name: ClassVar[str] = "speaker-similarity"
    label: ClassVar[str] = "Speaker similarity"
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = RATE_HZ
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    library: ClassVar[str] = "resemblyzer-0.1.4"
    distributions: ClassVar[tuple[str, ...]] = ("resemblyzer", "torch")
    minimum_seconds: ClassVar[float] = 0.5
    citation: ClassVar[str] = "Wan et al., ICASSP 2018"
    bibtex: ClassVar[str] = """\
@inproceedings{wan2018ge2e,
  author={Wan, Li and Wang, Quan and Papir, Alan and Moreno, Ignacio Lopez},
  title={Generalized End-to-End Loss for Speaker Verification},
  booktitle={ICASSP},
  year={2018}}"""
    golden: ClassVar[Golden | None] = Golden(
        identity=1.0, noise=0.857628, band=0.922882, tolerance=0.002, symmetric=True, delay=(0.9, 1.0)
    )

    level_dbfs: float = -30.0
    model: str = MODEL.id

    def check(self) -> None:
        """Raise Unavailable if the package that ships the weights is missing."""
        MODEL.find()

    def open(self) -> None:
        """Load the encoder."""
        _encoder()

    def score(self, ref: Wave, deg: Wave) -> float:
        """Return the cosine of one pair's embeddings.  ref, deg: float32 [T] at 16 kHz."""
        of_ref, of_deg = self.embedding(ref), self.embedding(deg)
        return float(np.clip(of_ref @ of_deg, 0.0, 1.0))

    def embedding(self, wave: Wave) -> NDArray[np.float64]:
        """Return a wave's speaker embedding of unit length, float64 [256]."""
        gain = np.float32(10.0 ** ((self.level_dbfs - level_dbfs(wave)) / 20.0))
        return embed((gain * wave).tobytes())


@lru_cache(maxsize=8)
def embed(samples: bytes) -> NDArray[np.float64]:
    """Embed a float32 wave at 16 kHz; remembered, for all codecs ask for the same references."""
    import torch

    lstm, linear = _encoder()
    windows = torch.from_numpy(mel_windows(np.frombuffer(samples, dtype=np.float32)))
    with torch.inference_mode():
        _, (hidden, _) = lstm(windows)
        raw = torch.relu(linear(hidden[-1])).double().numpy()
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    if not (norms > 0.0).all():
        raise Unscorable("the voice encoder found no voice")
    mean = (raw / norms).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float64)


def mel_windows(wave: Wave) -> NDArray[np.float32]:
    """Return the mel power spectra of overlapping windows of a wave, float32 [N, 160, 40]."""
    frames = math.ceil((wave.size + 1) / HOP)
    starts = list(range(0, max(1, frames - WINDOW_FRAMES + STEP_FRAMES + 1), STEP_FRAMES))
    covered = (wave.size - starts[-1] * HOP) / (WINDOW_FRAMES * HOP)
    if covered < LEAST_COVERAGE and len(starts) > 1:
        starts.pop()
    length = max(wave.size, (starts[-1] + WINDOW_FRAMES) * HOP)
    padded = np.pad(wave.astype(np.float64), (N_FFT // 2, length - wave.size + N_FFT // 2))
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(N_FFT) / N_FFT)
    cut = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    mels = np.abs(np.fft.rfft(cut * hann, axis=1)) ** 2 @ slaney_filters(N_FFT, MELS, RATE_HZ)
    return np.stack([mels[at : at + WINDOW_FRAMES] for at in starts]).astype(np.float32)


@cache
def _encoder() -> tuple[Any, Any]:
    """Return the LSTM and the linear layer, weights loaded without running anything that the file holds."""
    import torch

    state = torch.load(MODEL.verified(), map_location="cpu", weights_only=True)["model_state"]
    lstm, linear = torch.nn.LSTM(MELS, HIDDEN, LAYERS, batch_first=True), torch.nn.Linear(HIDDEN, HIDDEN)
    for module, prefix in ((lstm, "lstm."), (linear, "linear.")):
        own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        module.load_state_dict(own)
        module.eval()
    return lstm, linear
