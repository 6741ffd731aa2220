"""Losses of all stages.  A stage collects them in a dict whose keys are the names of the recipe's weights."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from codecbench.errors import InvalidInput, Unavailable
from codecbench_spc.model.mel import LOG_FLOOR, filterbank_tensor, hann_window
from codecbench_spc.training.discriminators import Judgement

MEL_SCALES: tuple[tuple[int, int], ...] = ((2048, 160), (1024, 80), (512, 80), (256, 40), (128, 20), (64, 10))
"""Window length and number of bands of the multi-scale mel loss (after DAC, arXiv:2306.06546)."""


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of the losses, each times the weight of its name.

    Raises
    ------
    InvalidInput
        If a loss has no weight in the recipe.
    """
    for name in losses:
        if name not in weights:
            close = difflib.get_close_matches(name, weights, n=1)
            hint = f"; did you mean to name {close[0]!r} so?" if close else ""
            raise InvalidInput(f"the recipe gives no weight for the loss {name!r}{hint}")
    return torch.stack([weights[name] * value for name, value in losses.items()]).sum()


def multi_scale_mel(ref: Tensor, deg: Tensor, scales: tuple[tuple[int, int], ...] = MEL_SCALES) -> Tensor:
    """Mean absolute difference of log10 mel magnitudes over several window lengths, hop a quarter.

    Parameters
    ----------
    ref, deg : Tensor
        `[B, n]` at 16 kHz.
    scales : tuple
        Window length in samples and number of mel bands of each scale.
    """
    total = ref.new_zeros(())
    for window_length, bands in scales:
        with torch.no_grad():
            wanted = log10_mel(ref, window_length, bands)
        total = total + (wanted - log10_mel(deg, window_length, bands)).abs().mean()
    return total / len(scales)


def log10_mel(wave: Tensor, window_length: int, bands: int) -> Tensor:
    """Log10 mel magnitudes `[B, T, bands]` of `wave [B, n]`, frames centred, hop a quarter of the window."""
    window = hann_window(window_length, wave.dtype, wave.device)
    spectrum = torch.stft(wave, window_length, window_length // 4, window=window, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt()
    mel = magnitude.transpose(1, 2) @ filterbank_tensor(window_length, bands, wave.dtype, wave.device)
    return torch.log10(mel + LOG_FLOOR)


def discriminator_loss(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Least-squares loss: real scores to 1, made ones to 0 (Mao et al. 2017), summed over discriminators."""
    terms = [(1.0 - r[0]).square().mean() + f[0].square().mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).sum()


def generator_loss(fake: list[Judgement]) -> Tensor:
    """Least-squares loss of the generator: made scores to 1, summed over discriminators."""
    return torch.stack([(1.0 - scores).square().mean() for scores, _ in fake]).sum()


def feature_matching(real: list[Judgement], fake: list[Judgement]) -> Tensor:
    """Mean absolute difference of feature maps, relative to the real ones (arXiv:2210.13438, eq. 2)."""
    terms = [
        (r.detach() - f).abs().mean() / r.detach().abs().mean().clamp(min=1e-4)
        for (_, reals), (_, fakes) in zip(real, fake, strict=True)
        for r, f in zip(reals, fakes, strict=True)
    ]
    return torch.stack(terms).mean()


def gradient_ratio(reconstruction: Tensor, adversarial: Tensor, parameter: Tensor) -> Tensor:
    """Weight that gives the adversarial loss the gradient norm of the reconstruction at the last layer.

    VQGAN (Esser et al. 2021, arXiv:2012.09841, eq. 7), limited to 1e4.
    """
    wanted: Tensor = torch.autograd.grad(reconstruction, parameter, retain_graph=True)[0].norm()
    present: Tensor = torch.autograd.grad(adversarial, parameter, retain_graph=True)[0].norm()
    return torch.clamp(wanted / (present + 1e-4), max=1e4).detach()


class Lpips(nn.Module):
    """Perceptual distance of spectrograms seen as grey pictures (Zhang et al. 2018, arXiv:1801.03924).

    An option of the recipe, off by default: it needs torchvision and the ImageNet weights of a VGG-16 in a
    safetensors file, which this project neither ships nor downloads.  All features have equal weights.

    Raises
    ------
    Unavailable
        If torchvision or the file is missing.
    """

    stages = (4, 9, 16, 23, 30)

    def __init__(self, weights: str) -> None:
        super().__init__()
        try:
            from torchvision.models import vgg16
        except ImportError as error:
            raise Unavailable(
                "the LPIPS loss needs torchvision", "install it or set the weight lpips to 0"
            ) from error
        if not Path(weights).is_file():
            raise Unavailable(
                f"the LPIPS loss needs VGG-16 weights, and {weights!r} is no file",
                "set lpips_weights to a safetensors file, or the weight lpips to 0",
            )
        from safetensors.torch import load_file

        network = vgg16()
        network.load_state_dict(load_file(weights))
        self.features = network.features.eval().requires_grad_(False)

    def forward(self, ref: Tensor, deg: Tensor) -> Tensor:
        """Distance of `ref` and `deg` `[B, 80, T]` (log-mel)."""
        x, y = (((mel + 5.0) / 5.0)[:, None].expand(-1, 3, -1, -1) for mel in (ref, deg))
        total = x.new_zeros(())
        for index, layer in enumerate(self.features):
            x, y = layer(x), layer(y)
            if index + 1 in self.stages:
                total = total + (normalise(x) - normalise(y)).square().sum(dim=1).mean()
        return total


def normalise(features: Tensor) -> Tensor:
    """Unit length over the channels at each place."""
    return functional.normalize(features, dim=1, eps=1e-8)
