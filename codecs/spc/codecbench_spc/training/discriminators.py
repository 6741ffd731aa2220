"""Discriminators: by period and by STFT resolution for waveforms, by patch for mel spectrograms.

The multi-period discriminator is HiFi-GAN's (arXiv:2010.05646) and the multi-resolution STFT one that of
UnivNet and EnCodec (arXiv:2210.13438), both with few channels so that they train on a CPU; the PatchGAN is
that of Isola et al. 2017 (arXiv:1611.07004).  Each call names a subset: a random one at each
step costs a third of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from codecbench_spc.model.layers import channels_last
from codecbench_spc.model.mel import MEL_BANDS, hann_window

SLOPE = 0.1
Judgement = tuple[Tensor, list[Tensor]]
"""Scores of any shape and the feature maps below them."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of the waveform discriminators, and how many of each kind one step uses."""

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[int, ...] = (16, 64, 128, 128)
    windows: tuple[int, ...] = (2048, 1024, 512)
    stft_channels: int = 24
    periods_per_step: int = 2
    windows_per_step: int = 1


class PeriodDiscriminator(nn.Module):
    """Looks at every `period`-th sample, as the rows of a picture."""

    def __init__(self, period: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.period = period
        widths = (1, *channels)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(widths[i], widths[i + 1], (5, 1), (3, 1), padding=(2, 0)))
            for i in range(len(channels))
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, wave: Tensor) -> Judgement:
        """`[B, n]` -> scores and feature maps."""
        padded = functional.pad(wave, (0, -wave.shape[-1] % self.period))
        x = padded.view(len(wave), 1, -1, self.period)
        return judge(x.contiguous(memory_format=torch.channels_last), self.layers, self.score)


class StftDiscriminator(nn.Module):
    """Looks at the complex spectrogram of one window length, hop a quarter of it."""

    def __init__(self, window: int, channels: int) -> None:
        super().__init__()
        self.window = window
        shapes = (((3, 9), (1, 4)), ((3, 9), (1, 2)), ((3, 5), (1, 2)), ((3, 3), (1, 1)))
        self.layers = nn.ModuleList(
            weight_norm(
                nn.Conv2d(
                    2 if i == 0 else channels, channels, kernel, stride, (kernel[0] // 2, kernel[1] // 2)
                )
            )
            for i, (kernel, stride) in enumerate(shapes)
        )
        self.score = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=1))

    def forward(self, wave: Tensor) -> Judgement:
        """`[B, n]` -> scores and feature maps."""
        window = hann_window(self.window, wave.dtype, wave.device)
        spectrum = torch.stft(
            wave, self.window, self.window // 4, window=window, normalized=True, return_complex=True
        )
        # Compressed to the power 0.3, phase kept: quiet bands count too.
        scale = (spectrum.real.square() + spectrum.imag.square() + 1e-8).pow(-0.35)
        x = torch.stack([spectrum.real * scale, spectrum.imag * scale], dim=1).transpose(2, 3)
        return judge(x.contiguous(memory_format=torch.channels_last), self.layers, self.score)


class WaveDiscriminators(nn.Module):
    """All periods and all STFT resolutions."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.periods = nn.ModuleList(PeriodDiscriminator(p, config.period_channels) for p in config.periods)
        self.windows = nn.ModuleList(StftDiscriminator(w, config.stft_channels) for w in config.windows)
        channels_last(self)

    def choose(self) -> list[int]:
        """Indices of a random subset, periods before windows."""
        config = self.config
        periods = torch.randperm(len(self.periods))[: config.periods_per_step]
        windows = torch.randperm(len(self.windows))[: config.windows_per_step]
        return [*periods.tolist(), *(len(self.periods) + windows).tolist()]

    def forward(self, wave: Tensor, chosen: list[int]) -> list[Judgement]:
        """Judgements of `wave [B, n]` by the discriminators with the given indices."""
        members = [*self.periods, *self.windows]
        return [members[index](wave) for index in chosen]


class PatchDiscriminator(nn.Module):
    """PatchGAN on log-mel spectrograms; it is told the frequency of each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (2, channels, 2 * channels, 2 * channels)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(widths[i], widths[i + 1], 4, 2 if i < 2 else 1, padding=1))
            for i in range(3)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))
        channels_last(self)

    def forward(self, mel: Tensor) -> Judgement:
        """`mel [B, 80, T]` -> scores and feature maps."""
        place = torch.linspace(-1.0, 1.0, MEL_BANDS, device=mel.device, dtype=mel.dtype)[:, None].expand_as(
            mel
        )
        x = torch.stack([mel / 4.0 + 1.5, place], dim=1)
        return judge(x.contiguous(memory_format=torch.channels_last), self.layers, self.score)


def judge(x: Tensor, layers: nn.ModuleList, score: nn.Module) -> Judgement:
    """Run convolutions with leaky ReLU, keeping what each gives."""
    features = []
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
        features.append(x)
    return score(x), features
