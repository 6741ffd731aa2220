"""Losses on log-mel pictures that weigh what is heard: loudness, envelopes, a weighted difference, cepstra.

They follow measures of the listening tests' literature as far as a mel spectrogram can say them, and all are
differentiable.  They train; they do not score: the suite's own metrics judge what was trained.

References: ITU-T P.862 (2001), section 10.2, for loudness, dead zone, asymmetry and the norms over time;
Terhardt 1979 (Hearing Research 1, 155-182) for the threshold in quiet; Traunmueller 1990 (JASA 88, 97-100)
for the Bark scale; Taal et al. 2011 (IEEE TASLP 19, 2125-2136) for the correlation of envelopes; Kubichek
1993 (IEEE PACRIM), equation 3, for the distance of cepstra.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from codecbench_spc.model.mel import (
    MEL_BANDS,
    SAMPLE_RATE_HZ,
    WINDOW_LENGTH,
    hz_to_mel,
    mel_filterbank,
    mel_to_hz,
)
from codecbench_spc.training.recipe import HeardConfig

Loss = Callable[[Tensor, Tensor], Tensor]

LISTENING_LEVEL_DB = 79.0
"""Mean level of speech at the ear, as P.862 assumes."""

EXPONENT = 0.23
INTERVAL_FRAMES = 40
"""320 ms: the loud moments of an interval count most (a norm of order 6)."""

ENVELOPE_FRAMES = 48
"""384 ms, the length over which envelopes are correlated."""

CEPSTRAL_ORDER = 24
SPEECH_RANGE = 4.6
"""40 dB as a natural logarithm of magnitudes: frames below it are no speech to the cepstral distance."""

THIRD_OCTAVES = 15
LOWEST_THIRD_OCTAVE_HZ = 150.0


@lru_cache(maxsize=4)
def bands(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Scale from squared mel magnitudes to power, threshold in quiet, and width in Bark, each `[80, 1]`."""
    edges_hz = mel_to_hz(np.linspace(0.0, hz_to_mel(np.array([SAMPLE_RATE_HZ / 2]))[0], MEL_BANDS + 2))
    centre_khz = edges_hz[1:-1] / 1000.0
    threshold_db = (
        3.64 * centre_khz**-0.8 - 6.5 * np.exp(-0.6 * (centre_khz - 3.3) ** 2) + 1e-3 * centre_khz**4
    )
    bark = 26.81 * edges_hz / (1960.0 + edges_hz) - 0.53
    width = (bark[2:] - bark[:-2]) / 2.0
    # A band's mean magnitude, squared, stands for the power a bin; times the band's width in bins, a Bark.
    gain = mel_filterbank(WINDOW_LENGTH, MEL_BANDS).sum(axis=0)
    bins = (edges_hz[2:] - edges_hz[:-2]) / 2.0 / (SAMPLE_RATE_HZ / WINDOW_LENGTH)
    scale = bins / gain**2 / width

    def column(values: npt.NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(np.asarray(values)).to(device=device, dtype=torch.float32)[:, None]

    with torch.inference_mode(mode=False):
        return column(scale), column(10.0 ** (threshold_db / 10.0)), column(width)


def powers(mel: Tensor) -> Tensor:
    """Power density in each band, `[B, 80, T]`."""
    return (2.0 * mel).exp() * bands(mel.device)[0]


def loudness_disturbance(ref: Tensor, deg: Tensor) -> Tensor:
    """What P.862 would call the disturbance, of log-mel pictures `[B, 80, T]`: 0 is none.

    Its points are those of the raw P.862 score: .1 of the symmetric and .0309 of the asymmetric disturbance.
    """
    _, threshold, width = bands(ref.device)
    power_ref, power_deg = powers(ref), powers(deg)
    level = (power_ref * width).sum(1).mean(1)[:, None, None]
    scale = 10.0 ** (LISTENING_LEVEL_DB / 10.0) / level.clamp(min=1e-6)
    power_ref, power_deg = power_ref * scale, power_deg * scale
    loud_ref, loud_deg = loudness(power_ref, threshold), loudness(power_deg, threshold)
    difference = loud_deg - loud_ref
    masked = functional.relu(difference.abs() - 0.25 * torch.minimum(loud_ref, loud_deg))
    total_width = width.sum()
    symmetric = (masked.square() * width).sum(1).add(1e-4).sqrt() * total_width.sqrt()
    ratio = ((power_deg + 50.0) / (power_ref + 50.0)) ** 1.2
    # The standard counts ratios from 3 on only; a ramp below keeps the gradient.
    factor = torch.where(ratio < 3.0, 0.0, ratio.clamp(max=12.0))
    asymmetric = (masked * factor * width).sum(1)
    energy = ((power_ref * width).sum(1) + 1e5) / 1e7
    weight = energy.pow(-0.04)
    return 0.1 * over_time(symmetric * weight) + 0.0309 * over_time(asymmetric * weight)


def loudness(power: Tensor, threshold: Tensor) -> Tensor:
    """Zwicker's law: `[B, 80, T]` in sone a Bark (P.862's scaling)."""
    scaled = (0.5 + 0.5 * power / threshold).pow(EXPONENT) - 1.0
    return 0.1866055 * (threshold / 0.5).pow(EXPONENT) * functional.relu(scaled)


def over_time(disturbance: Tensor) -> Tensor:
    """Order 6 within intervals that overlap by half, order 2 over them; mean over `[B, T]`'s items."""
    length = min(INTERVAL_FRAMES, disturbance.shape[1])
    parts = disturbance.clamp(max=45.0).unfold(1, length, max(1, length // 2))
    peak = parts.amax(2, keepdim=True).clamp(min=1e-3).detach()
    within = peak[..., 0] * (parts / peak).pow(6).mean(2).add(1e-9).pow(1.0 / 6.0)
    return within.square().mean(1).add(1e-9).sqrt().mean()


@lru_cache(maxsize=4)
def third_octaves(device: torch.device) -> Tensor:
    """Which mel bands belong to each third octave, `[15, 80]`."""
    centre_hz = mel_to_hz(np.linspace(0.0, hz_to_mel(np.array([SAMPLE_RATE_HZ / 2]))[0], MEL_BANDS + 2))[1:-1]
    index = np.round(3.0 * np.log2(centre_hz / LOWEST_THIRD_OCTAVE_HZ))
    member = (index[None] == np.arange(THIRD_OCTAVES)[:, None]).astype(np.float32)
    with torch.inference_mode(mode=False):
        return torch.from_numpy(member[member.sum(1) > 0]).to(device)


def envelope_decorrelation(ref: Tensor, deg: Tensor) -> Tensor:
    """One minus the mean correlation of third-octave envelopes over 384 ms, loud intervals only.

    `ref, deg`: log-mel `[B, 80, T]`, T at least 48.
    """
    _, _, width = bands(ref.device)
    octaves = third_octaves(ref.device)
    envelopes = [torch.matmul(octaves, powers(mel) * width).add(1e-9).sqrt() for mel in (ref, deg)]
    x, y = (envelope.unfold(2, ENVELOPE_FRAMES, ENVELOPE_FRAMES // 4) for envelope in envelopes)
    level = x.square().sum((1, 3))
    heard = (level > 1e-3 * level.amax(1, keepdim=True)).float()[:, None]
    # As in the measure: the degraded envelope is scaled to the reference's energy and clipped.
    y = y * (x.square().sum(3, keepdim=True) / y.square().sum(3, keepdim=True).clamp(min=1e-9)).sqrt()
    y = torch.minimum(y, x * (1.0 + 10.0 ** (15.0 / 20.0)))
    x, y = x - x.mean(3, keepdim=True), y - y.mean(3, keepdim=True)
    correlation = (x * y).sum(3) / (x.square().sum(3) * y.square().sum(3) + 1e-12).sqrt()
    return 1.0 - (correlation * heard).sum() / (heard.sum() * x.shape[1])


def heard_l1(ref: Tensor, deg: Tensor, config: HeardConfig) -> Tensor:
    """Mean absolute difference of log-mels `[B, 80, T]`; loud places and low bands count more, noise less."""
    loudest, frame = ref.amax((1, 2), keepdim=True), ref.mean(1, keepdim=True)
    loud = torch.sigmoid((ref - (loudest - 5.0)) / 0.8)
    in_speech = torch.sigmoid((frame - (frame.amax(2, keepdim=True) - 4.0)) / 0.6)
    band = torch.arange(MEL_BANDS, device=ref.device, dtype=ref.dtype)[:, None]
    low = torch.sigmoid((config.low_bands - band) / 3.0)
    high = torch.sigmoid((band - config.high_bands) / 4.0)
    weight = config.floor + loud + config.frame * in_speech
    weight = weight * (1.0 + config.low_gain * low - config.high_loss * high)
    return ((ref - deg).abs() * weight / weight.mean((1, 2), keepdim=True)).mean()


@lru_cache(maxsize=4)
def cosines(device: torch.device) -> Tensor:
    """Rows 1 to 24 of the orthonormal DCT-II over the mel bands, `[24, 80]`."""
    order = np.arange(1, CEPSTRAL_ORDER + 1)[:, None]
    matrix = np.sqrt(2.0 / MEL_BANDS) * np.cos(np.pi * order * (np.arange(MEL_BANDS) + 0.5) / MEL_BANDS)
    with torch.inference_mode(mode=False):
        return torch.from_numpy(matrix.astype(np.float32)).to(device)


def cepstral_distance(ref: Tensor, deg: Tensor) -> Tensor:
    """Mean over the frames of speech of the distance of cepstra without c0, of log-mels `[B, 80, T]`.

    A norm a frame, not its square: as in mel-cepstral distortion, large errors count once.
    """
    distance = torch.matmul(cosines(ref.device), ref - deg).square().sum(1).add(1e-6).sqrt()
    energy = (2.0 * ref).logsumexp(1) / 2.0
    speech = (energy > energy.amax(1, keepdim=True) - SPEECH_RANGE).float()
    return (distance * speech).sum() / speech.sum() / math.sqrt(CEPSTRAL_ORDER)


def losses(config: HeardConfig) -> dict[str, Loss]:
    """The losses by the names of their weights in a recipe."""
    return {
        "loudness": loudness_disturbance,
        "envelope": envelope_decorrelation,
        "heard_l1": partial(heard_l1, config=config),
        "cepstral": cepstral_distance,
    }
