"""Kaldi's log mel filter bank, as w2v-BERT takes it, without torchaudio.

X-Codec2 and NeuCodec feed these features to their semantic encoder.  The recipe is that of Kaldi's
``compute-fbank-feats``: 25 ms frames every 10 ms without centring, mean removal, pre-emphasis 0.97, Povey
window, 512-point power spectrum, triangular filters equally wide on Kaldi's mel scale, natural logarithm.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE_HZ = 16_000
FRAME, SHIFT, FFT = 400, 160, 512
MELS, LOW_HZ, HIGH_HZ = 80, 20.0, 8_000.0
PREEMPHASIS = 0.97
PCM_SCALE = 2.0**15
FLOOR = 2.0**-23
STACK = 2
VARIANCE_FLOOR = 1e-7


def log_mel(wave: Tensor) -> Tensor:
    """Return log mel energies.

    Parameters
    ----------
    wave : float32 [T] at 16 kHz, within [-1, 1], T >= 400

    Returns
    -------
    float32 [(T - 400) // 160 + 1, 80]
    """
    import torch

    frames = (wave * PCM_SCALE).unfold(0, FRAME, SHIFT)
    frames = frames - frames.mean(dim=1, keepdim=True)
    previous = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    frames = (frames - PREEMPHASIS * previous) * _window().to(wave.device)
    power = torch.fft.rfft(frames, n=FFT).abs().square()
    energies: Tensor = power @ _filters().to(wave.device)
    return energies.clamp_min(FLOOR).log()


def semantic_features(wave: Tensor) -> Tensor:
    """Return features normalised per mel band over the utterance, two frames stacked into one.

    Parameters
    ----------
    wave : float32 [T] at 16 kHz, T >= 560

    Returns
    -------
    float32 [frames // 2, 160]
    """
    import torch

    mel = log_mel(wave)
    mel = (mel - mel.mean(dim=0)) / torch.sqrt(mel.var(dim=0, unbiased=True) + VARIANCE_FLOOR)
    whole = mel.shape[0] - mel.shape[0] % STACK
    return mel[:whole].reshape(-1, MELS * STACK)


@cache
def _window() -> Tensor:
    """Return the Povey window, a Hann window to the power 0.85."""
    import torch

    return torch.hann_window(FRAME, periodic=False, dtype=torch.float64).pow(0.85).float()


@cache
def _filters() -> Tensor:
    """Return the mel filters [257, 80]; the Nyquist bin gets no weight, as in Kaldi."""
    import torch

    def mel(hz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hz / 700.0)

    low, high = (1127.0 * math.log1p(hz / 700.0) for hz in (LOW_HZ, HIGH_HZ))
    edges = torch.linspace(low, high, MELS + 2, dtype=torch.float64)
    bins = mel(torch.arange(FFT // 2, dtype=torch.float64) * SAMPLE_RATE_HZ / FFT)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp_min(0)
    return torch.nn.functional.pad(filters, (0, 0, 0, 1)).float()
