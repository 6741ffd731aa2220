"""Stage `joint` (optional): the VQ-VAE's decoder and the vocoder together, on fixed tokens.

The paper names joint training as future work.  Encoder and codebook stay as they are, so tokens, bitstreams
and the context model stay valid; the decoder learns what the vocoder needs, and a loss on the mel keeps its
output a mel.
"""

from __future__ import annotations

from functools import partial

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from codecbench_spc.model.mel import log_mel
from codecbench_spc.model.vocoder import Vocoder
from codecbench_spc.model.vqvae import VQVAE
from codecbench_spc.training.recipe import Recipe, StageConfig
from codecbench_spc.training.stage import Average
from codecbench_spc.training.stage_vocoder import VocoderStage
from codecbench_spc.training.stage_vqvae import draw_bits, reconstruct


class Synthesis(nn.Module):
    """Tokens to samples: the trained half of a codec as one module."""

    def __init__(self, vqvae: VQVAE, vocoder: Vocoder) -> None:
        super().__init__()
        self.vqvae, self.vocoder = vqvae, vocoder
        for part in (vqvae.embed, vqvae.encoder, vqvae.encoder_norm, vqvae.quantizer):
            part.requires_grad_(False)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Quantized map `[B, C, 20, T/4]` -> log-mel `[B, 80, T]`, samples `[B, 128 T]`."""
        mel = self.vqvae.synthesise(z)
        return mel, self.vocoder(mel)


class JointStage(VocoderStage):
    """The vocoder's objective plus L1 on the mel, through decoder and vocoder alike.

    Parameters
    ----------
    fabric : Fabric
    recipe : Recipe
    config : StageConfig
        Its weights name `mel` (multi-scale mel loss of the samples), `l1` (of the decoder's mel) and the
        adversarial terms.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, config: StageConfig) -> None:
        self.vqvae = VQVAE(recipe.vqvae)
        super().__init__(fabric, recipe, config)
        self.vqvae_average = Average(fabric.to_device(self.vqvae), config.ema_decay)
        self.modules |= {"vqvae": self.vqvae, "vqvae_average": self.vqvae_average.module}
        self.codecs = [partial(reconstruct, self.vqvae_average.module)]

    def trained(self, vocoder: Vocoder) -> nn.Module:
        """The decoder and the vocoder."""
        return Synthesis(self.vqvae, vocoder)

    def synthesise(self, wave: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Samples of tokens at a random rate, and the loss on the decoder's mel."""
        mel = log_mel(wave)
        bits = int(draw_bits(1, self.config.full_rate)[0])
        with torch.no_grad():
            z = self.vqvae.quantizer.decode(self.vqvae.encode(mel, bits))
        made_mel, made = self.vocoder(z)
        return made, {"l1": (made_mel - mel).abs().mean()}

    def update_averages(self, step: int) -> None:
        """Move both averages towards the trained weights."""
        super().update_averages(step)
        self.vqvae_average.update(step)

    def products(self) -> dict[str, nn.Module]:
        """The averaged codec, its vocoder and the discriminators."""
        return {**super().products(), "vqvae": self.vqvae_average.module}
