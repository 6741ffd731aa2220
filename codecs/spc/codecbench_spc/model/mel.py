"""The log-mel spectrogram of the Spectrogram Patch Codec: the only definition, used by every stage.

16 kHz mono, periodic Hann window of 512 samples, hop 128 (125 frames/s), magnitude spectrum, 80 Slaney mel
bands from 0 to 8000 Hz with area normalisation, natural logarithm of the value clamped to 1e-5.  Frame `t`
covers the samples `[128 t - 192, 128 t + 320)`; what lies outside the wave is zero.  A wave of `n` samples
has `4 ceil(n / 512)` frames, so that whole 4-frame patches come out, and patch `p` needs the samples up to
`512 p + 704`: 44 ms from the first sample that it stands for.

References: Slaney 1998 (Auditory Toolbox, Technical Report 1998-010) for the scale and the normalisation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

SAMPLE_RATE_HZ = 16_000
WINDOW_LENGTH = 512
HOP_LENGTH = 128
MEL_BANDS = 80
PATCH_FRAMES = 4
PATCH_SAMPLES = PATCH_FRAMES * HOP_LENGTH
LEFT_SAMPLES = (WINDOW_LENGTH - HOP_LENGTH) // 2
LOG_FLOOR = 1e-5
SILENCE = math.log(LOG_FLOOR)
"""Log-mel value of digital silence."""

EXACT_STEPS = 1024
"""Steps a natural logarithm of the grid on which decoded mels lie."""


def hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's mel scale: linear below 1000 Hz (15 mel), logarithmic above."""
    linear = hz * 3.0 / 200.0
    logarithmic = 15.0 + 27.0 / math.log(6.4) * np.log(np.maximum(hz, 1000.0) / 1000.0)
    return np.where(hz < 1000.0, linear, logarithmic)


def mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * math.log(6.4) / 27.0))


def mel_filterbank(n_fft: int, n_mels: int, sample_rate_hz: int = SAMPLE_RATE_HZ) -> npt.NDArray[np.float64]:
    """Triangular filters of unit area from 0 Hz to the Nyquist frequency, `[n_fft // 2 + 1, n_mels]`."""
    nyquist_hz = sample_rate_hz / 2
    bins_hz = np.linspace(0.0, nyquist_hz, n_fft // 2 + 1)
    limits_mel = hz_to_mel(np.array([0.0, nyquist_hz]))
    edges_hz = mel_to_hz(np.linspace(limits_mel[0], limits_mel[1], n_mels + 2))
    rising = (bins_hz[:, None] - edges_hz[None, :-2]) / np.diff(edges_hz)[None, :-1]
    falling = (edges_hz[None, 2:] - bins_hz[:, None]) / np.diff(edges_hz)[None, 1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2])), dtype=np.float64)


@lru_cache(maxsize=64)
def filterbank_tensor(n_fft: int, n_mels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`mel_filterbank` as a tensor, made once for each device and type."""
    # A tensor made in inference mode could not serve training in the same process later.
    with torch.inference_mode(mode=False):
        return torch.from_numpy(mel_filterbank(n_fft, n_mels)).to(device=device, dtype=dtype)


@lru_cache(maxsize=64)
def hann_window(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Periodic Hann window, made once for each device and type."""
    with torch.inference_mode(mode=False):
        return torch.hann_window(length, dtype=torch.float64).to(device=device, dtype=dtype)


def frame_count(samples: int) -> int:
    """Number of mel frames of a wave: whole patches of four."""
    return PATCH_FRAMES * math.ceil(samples / PATCH_SAMPLES)


def pad_wave(wave: Tensor) -> Tensor:
    """Put the zeros around a wave `[..., n]` that its whole patches need: `[..., 128 T + 384]`."""
    samples = wave.shape[-1]
    missing = HOP_LENGTH * frame_count(samples) - samples
    return functional.pad(wave, (LEFT_SAMPLES, missing + WINDOW_LENGTH - HOP_LENGTH - LEFT_SAMPLES))


def mel_of_padded(padded: Tensor) -> Tensor:
    """Log-mel frames of samples that already have their context.

    Parameters
    ----------
    padded : Tensor
        `[B, 128 T + 384]`; the first sample is the one at -192 of the first frame.  A stream passes the
        samples it has; `log_mel` pads a whole wave.

    Returns
    -------
    Tensor
        `[B, 80, T]`, natural logarithm, at least `log(1e-5)`; of the wave's own type (float32 or float64).
    """
    window = hann_window(WINDOW_LENGTH, padded.dtype, padded.device)
    spectrum = torch.stft(
        padded, WINDOW_LENGTH, HOP_LENGTH, window=window, center=False, return_complex=True
    ).abs()
    bands = filterbank_tensor(WINDOW_LENGTH, MEL_BANDS, padded.dtype, padded.device)
    mel = torch.matmul(spectrum.transpose(1, 2), bands).transpose(1, 2)
    return mel.clamp(min=LOG_FLOOR).log()


def log_mel(wave: Tensor) -> Tensor:
    """Log-mel spectrogram `[B, 80, T]` of whole waves `[B, n]` with samples in [-1, 1] at 16 kHz."""
    return mel_of_padded(pad_wave(wave))


def exact_mel(mel: Tensor) -> Tensor:
    """A log-mel computed in float64, put on a grid: the same numbers however it was cut or summed."""
    return torch.round(mel * EXACT_STEPS) / EXACT_STEPS
