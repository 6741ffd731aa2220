"""Spectrograms in dB, linear and mel, and their pictures for the page."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codecbench import audio
from codecbench.codec import Wave
from codecbench.metrics.mel_distance import slaney_filters

RATE_HZ = 16_000
WINDOW, HOP, MELS = 512, 160, 80
RANGE_DB = 75.0
WIDEST = 480
"""Most columns of a picture; longer clips are averaged down to it."""


def load(path: str | Path) -> Wave:
    """Read a clip as float32 [T] at 16 kHz."""
    wave, rate_hz = audio.load(path)
    return wave if rate_hz == RATE_HZ else audio.resample(wave, rate_hz, RATE_HZ)


def magnitudes(wave: Wave) -> NDArray[np.float64]:
    """Return magnitudes of a Hann-windowed short-time spectrum, [257, T / 160], centred frames."""
    padded = np.pad(wave.astype(np.float64), (WINDOW // 2, WINDOW))
    count = max(1, -(-wave.size // HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)).T
    return np.asarray(spectrum / WINDOW, dtype=np.float64)


def linear_db(wave: Wave) -> NDArray[np.float64]:
    """Return the spectrogram in dB, [257, T / 160], bottom row 0 Hz."""
    return _db(magnitudes(wave))


def mel_db(wave: Wave) -> NDArray[np.float64]:
    """Return the mel spectrogram in dB, [80, T / 160]."""
    filters = slaney_filters(WINDOW, MELS, RATE_HZ)
    return _db((filters / filters.sum(axis=0)).T @ magnitudes(wave))


def picture(wave: Wave, top_db: float) -> bytes:
    """Return the spectrogram as a small WebP, `RANGE_DB` down from `top_db`, so that clips compare."""
    from matplotlib import colormaps
    from PIL import Image

    table = linear_db(wave)[:256]
    table = table.reshape(128, 2, -1).mean(axis=1)[::-1]
    shade = np.clip((table - top_db) / RANGE_DB + 1, 0, 1)
    pixels = (colormaps["magma"](shade)[..., :3] * 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    if image.width > WIDEST:
        image = image.resize((WIDEST, image.height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=75, method=4)
    return buffer.getvalue()


def _db(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(20 * np.log10(np.maximum(values, 1e-6)), dtype=np.float64)
