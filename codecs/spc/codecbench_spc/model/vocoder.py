"""Vocoders: three generators that turn log-mel frames into samples, all causal but for `lookahead` frames.

`hifigan` is the paper's generator (Kong et al. 2020, arXiv:2010.05646: transposed convolutions by 4, 4, 4, 2
with multi-receptive-field fusion); `istft-hifigan` stops at x16 and ends in an inverse STFT (Kaneko et al.
2022, arXiv:2203.02395); `convnext-istft` stays at the frame rate (Siuzdak 2023, arXiv:2306.00814) and starts
from the magnitudes that the mel itself gives (Lv et al. 2024, arXiv:2406.08196).

Every generator is a causal function of the mel: at frame `s` it emits the 128 samples of frame
`s - lookahead`.  Offline use appends `lookahead` frames of silence and drops as many at the start; a stream
does the same with its own ends, so both give the same samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codecbench.errors import InvalidInput
from codecbench_spc.model.layers import (
    CausalConv2d,
    CausalUpsample,
    ConvNextBlock,
    Delay,
    OverlapAdd,
    StreamState,
    channels_last,
)
from codecbench_spc.model.mel import (
    HOP_LENGTH,
    LEFT_SAMPLES,
    MEL_BANDS,
    SILENCE,
    WINDOW_LENGTH,
    hann_window,
    mel_filterbank,
)

MEL_MEAN, MEL_SCALE = -5.0, 2.5
"""Rough mean and deviation of the log-mel of speech, taken out before the first layer."""
SLOPE = 0.1


@dataclass(frozen=True)
class VocoderConfig:
    """Sizes of a generator.

    Attributes
    ----------
    generator : str
        `hifigan`, `istft-hifigan` or `convnext-istft`.
    channels : int
        Width of the first layer; HiFi-GAN halves it at each upsampling.
    lookahead : int
        Mel frames after the emitted one that the output may depend on, inverse STFT included.
    strides, kernels : tuple of int
        Upsampling of the HiFi-GAN generators; `istft-hifigan` uses those up to x16.
    resblock_kernels, resblock_dilations : tuple of int
        Multi-receptive-field fusion.
    blocks, expansion, kernel : int
        ConvNeXt blocks, width of their perceptron in channels, and kernel in frames.
    """

    generator: str = "convnext-istft"
    channels: int = 256
    lookahead: int = 4
    strides: tuple[int, ...] = (4, 4, 4, 2)
    kernels: tuple[int, ...] = (16, 16, 4, 4)
    resblock_kernels: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[int, ...] = (1, 3, 5)
    blocks: int = 6
    expansion: int = 2
    kernel: int = 7


class ResBlock(nn.Module):
    """Three pairs of convolutions with growing dilation (HiFi-GAN's ResBlock1)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(
            CausalConv2d(channels, channels, (1, kernel), dilation=d) for d in dilations
        )
        self.plain = nn.ModuleList(CausalConv2d(channels, channels, (1, kernel)) for _ in dilations)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, 1, T]` -> `[B, C, 1, T]`."""
        for dilated, plain in zip(self.dilated, self.plain, strict=True):
            y = dilated(functional.leaky_relu(x, SLOPE), state)
            x = x + plain(functional.leaky_relu(y, SLOPE), state)
        return x


class Fusion(nn.Module):
    """Multi-receptive-field fusion: the mean of residual blocks with different kernels."""

    def __init__(self, channels: int, kernels: tuple[int, ...], dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.members = nn.ModuleList(ResBlock(channels, kernel, dilations) for kernel in kernels)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, 1, T]` -> `[B, C, 1, T]`."""
        return torch.stack([member(x, state) for member in self.members]).mean(dim=0)


class UpsamplingTrunk(nn.Module):
    """HiFi-GAN up to its last layer: upsampling, each followed by multi-receptive-field fusion."""

    def __init__(self, config: VocoderConfig, stages: int) -> None:
        super().__init__()
        widths = [config.channels >> i for i in range(stages + 1)]
        self.first = CausalConv2d(MEL_BANDS, widths[0], (1, 7))
        self.upsample = nn.ModuleList(
            CausalUpsample(widths[i], widths[i + 1], config.kernels[i], config.strides[i])
            for i in range(stages)
        )
        self.fusion = nn.ModuleList(
            Fusion(widths[i + 1], config.resblock_kernels, config.resblock_dilations) for i in range(stages)
        )
        self.width = widths[-1]

    def forward(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, 80, T]` -> `[B, C, 1, rate T]`."""
        x = self.first(normalised(mel)[:, :, None], state)
        for upsample, fusion in zip(self.upsample, self.fusion, strict=True):
            x = upsample(functional.leaky_relu(x, SLOPE), state)
            x = fusion(x, state)
        return functional.leaky_relu(x, SLOPE)


class HifiGan(nn.Module):
    """The paper's generator: x128 by transposed convolutions, then one convolution and tanh."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.trunk = UpsamplingTrunk(config, len(config.strides))
        self.last = CausalConv2d(self.trunk.width, 1, (1, 7))

    def forward(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, 80, T]` -> `[B, 128 T]`, late by the lookahead."""
        samples: Tensor = self.last(self.trunk(mel, state), state)[:, 0, 0]
        return torch.tanh(samples)


class IstftHifiGan(nn.Module):
    """HiFi-GAN up to x16, then a spectrum of 32 samples every 8 (polar form, as in iSTFTNet)."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.trunk = UpsamplingTrunk(config, 2)
        hop = HOP_LENGTH // (config.strides[0] * config.strides[1])
        self.bins = 2 * hop + 1
        self.last = CausalConv2d(self.trunk.width, 2 * self.bins, (1, 7))
        self.synthesis = OverlapAdd(hop, 4)

    def forward(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, 80, T]` -> `[B, 128 T]`, late by the lookahead."""
        x = self.last(self.trunk(mel, state), state)[:, :, 0]
        magnitude = x[:, : self.bins].clamp(max=5.0).exp()
        spectrum = torch.polar(magnitude, x[:, self.bins :])
        return inverse_stft(spectrum, self.synthesis, state)


class ConvNextIstft(nn.Module):
    """ConvNeXt blocks at the frame rate; their output multiplies the magnitudes read from the mel.

    The network sees two frames past the one whose spectrum it gives; overlap-add and the 64 samples between
    the start of a window and its hop use the rest of a lookahead of four frames.
    """

    synthesis_frames = 2

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        if config.lookahead < self.synthesis_frames:
            raise InvalidInput(
                f"convnext-istft needs a lookahead of {self.synthesis_frames} frames, not {config.lookahead}"
            )
        width = config.channels
        self.first = CausalConv2d(MEL_BANDS, width, (1, config.kernel))
        self.first_norm = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNextBlock(width, config.expansion * width, (1, config.kernel), 1.0 / config.blocks)
            for _ in range(config.blocks)
        )
        self.last_norm = nn.LayerNorm(width, eps=1e-6)
        self.last = nn.Linear(width, WINDOW_LENGTH + 2)
        self.prior_delay = Delay(config.lookahead - self.synthesis_frames)
        self.synthesis = OverlapAdd(HOP_LENGTH, WINDOW_LENGTH // HOP_LENGTH)
        self.alignment = Delay(HOP_LENGTH * self.synthesis_frames - LEFT_SAMPLES)
        self.register_buffer("interpolation", band_interpolation(), persistent=False)

    def forward(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, 80, T]` -> `[B, 128 T]`, late by the lookahead."""
        x = self.first(normalised(mel)[:, :, None], state).permute(0, 2, 3, 1)
        x = self.first_norm(x).permute(0, 3, 1, 2)
        for block in self.blocks:
            x = block(x, state)
        real, imaginary = self.last(self.last_norm(x[:, :, 0].transpose(1, 2))).chunk(2, dim=-1)
        prior = self.prior_delay(mel.exp(), state).transpose(1, 2) @ self.interpolation
        spectrum = torch.complex(real * prior, imaginary * prior).transpose(1, 2)
        out: Tensor = self.alignment(inverse_stft(spectrum, self.synthesis, state), state)
        return out


def normalised(mel: Tensor) -> Tensor:
    """Log-mel at about zero mean and unit deviation."""
    return (mel - MEL_MEAN) / MEL_SCALE


def band_interpolation() -> Tensor:
    """Matrix `[80, 257]` from mel magnitudes to an estimate of the STFT magnitudes, smooth in frequency."""
    bank = mel_filterbank(WINDOW_LENGTH, MEL_BANDS)
    weight = bank / np.maximum(bank.sum(axis=1, keepdims=True), 1e-9)
    return torch.from_numpy((weight / bank.sum(axis=0, keepdims=True)).T.copy()).float()


def inverse_stft(spectrum: Tensor, synthesis: OverlapAdd, state: StreamState | None) -> Tensor:
    """Inverse STFT by overlap-add with a Hann window and 75 % overlap.

    The squared windows add up to 3/2 everywhere in the steady state; that constant is used at the edges too,
    so that the samples do not depend on where a chunk ends.  `spectrum [B, bins, T]` -> `[B, hop T]`.
    """
    length = synthesis.hop * synthesis.overlap
    frames = torch.fft.irfft(spectrum.transpose(1, 2), n=length)
    window = hann_window(length, frames.dtype, frames.device) / 1.5
    out: Tensor = synthesis((frames * window).transpose(1, 2), state)
    return out


GENERATORS: dict[str, Callable[[VocoderConfig], nn.Module]] = {
    "hifigan": HifiGan,
    "istft-hifigan": IstftHifiGan,
    "convnext-istft": ConvNextIstft,
}


class Vocoder(nn.Module):
    """A generator with its lookahead.  `spc` and `rvq` share one."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        if config.generator not in GENERATORS:
            raise InvalidInput(
                f"unknown generator {config.generator!r}; choose one of {', '.join(GENERATORS)}"
            )
        self.config = config
        self.lookahead = config.lookahead
        self.generator = channels_last(GENERATORS[config.generator](config))

    def forward(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """Samples of log-mel frames.

        Parameters
        ----------
        mel : Tensor
            `[B, 80, T]`, as `mel.log_mel` defines it.
        state : StreamState, optional
            Of a stream.  Its output is late by `lookahead` frames: the first `128 * lookahead` samples of a
            stream belong to no frame and are to be dropped, the last ones come out when as many frames of
            silence (`mel.SILENCE`) are pushed.

        Returns
        -------
        Tensor
            `[B, 128 T]`.
        """
        if state is not None:
            return torch.as_tensor(self.generator(mel, state))
        extended = functional.pad(mel, (0, self.lookahead), value=SILENCE)
        return torch.as_tensor(self.generator(extended))[:, HOP_LENGTH * self.lookahead :]
