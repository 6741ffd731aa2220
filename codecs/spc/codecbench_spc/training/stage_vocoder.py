"""Stages `vocoder` and `joint`: a generator with HiFi-GAN's objective, alone or with the VQ-VAE's decoder.

The vocoder learns on mels of recordings or of codecs.  `joint` (optional; the paper names it as future work)
trains decoder and vocoder together on fixed tokens: encoder and codebook stay as they are, so tokens,
bitstreams and the context model stay valid; the decoder learns what the vocoder needs, and a loss on the mel
keeps its output a mel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from codecbench.codec import Wave
from codecbench_spc.model.mel import log_mel
from codecbench_spc.model.quantizer import TOKEN_BITS
from codecbench_spc.model.vocoder import Vocoder
from codecbench_spc.model.vqvae import VQVAE
from codecbench_spc.training import losses
from codecbench_spc.training.discriminators import WaveDiscriminators
from codecbench_spc.training.recipe import Recipe, StageConfig
from codecbench_spc.training.stage import Average, Transform, optimizer_of, overall, resynthesise, score_waves
from codecbench_spc.training.stage_vqvae import draw_bits, reconstruct


class VocoderStage:
    """The mel loss alone trains until `adversarial_from`; then each step draws some of the discriminators.

    Parameters
    ----------
    fabric : Fabric
    recipe : Recipe
    config : StageConfig
    codecs : sequence of callables
        Frozen codecs, log-mel to reconstruction, that take turns; none: the recordings' own mels.
    """

    def __init__(
        self, fabric: Fabric, recipe: Recipe, config: StageConfig, codecs: Sequence[Transform] = ()
    ) -> None:
        self.fabric, self.config, self.codecs = fabric, config, list(codecs)
        vocoder, critics = Vocoder(recipe.vocoder), WaveDiscriminators(recipe.discriminators)
        self.average = Average(fabric.to_device(vocoder), config.ema_decay)
        self.choose = critics.choose
        self.modules: dict[str, nn.Module] = {"vocoder": vocoder, "wave_discriminators": critics}
        self.modules["vocoder_average"] = self.average.module
        trained = self.trained(vocoder)
        self.optimizers: dict[str, Optimizer] = {
            "vocoder": optimizer_of(trained, config, config.learning_rate),
            "wave_discriminators": optimizer_of(critics, config, config.adversarial_learning_rate),
        }
        self.vocoder, self.vocoder_optimizer = fabric.setup(trained, self.optimizers["vocoder"])
        self.critics, self.critic_optimizer = fabric.setup(critics, self.optimizers["wave_discriminators"])

    def trained(self, vocoder: Vocoder) -> nn.Module:
        """What the generator's optimiser trains."""
        return vocoder

    def synthesise(self, wave: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Samples `[B, n]` made for `wave [B, n]`, and losses of what lies before them, if any."""
        return self.vocoder(self.mel(wave, step)), {}

    @torch.no_grad()
    def mel(self, wave: Tensor, step: int) -> Tensor:
        """Input of the vocoder `[B, 80, T]` for `wave [B, n]`."""
        mel = log_mel(wave)
        return self.codecs[step % len(self.codecs)](mel) if self.codecs else mel

    def step(self, wave: Tensor, step: int) -> dict[str, Tensor]:
        """One step of the chosen discriminators, if any, and of the generator."""
        made, terms = self.synthesise(wave, step)
        terms = {**terms, "mel": losses.multi_scale_mel(wave, made, draw_scales(self.config.mel_loss_scales))}
        logged = {}
        if step >= self.config.adversarial_from:
            chosen = self.choose()
            logged["discriminator"] = self.critic_step(wave, made.detach(), chosen)
            terms.update(self.adversarial_terms(wave, made, chosen))
        total = losses.weighted_sum(terms, self.config.weights)
        self.vocoder_optimizer.zero_grad()
        self.fabric.backward(total)
        self.vocoder_optimizer.step()
        self.update_averages(step)
        return {**terms, **logged}

    def update_averages(self, step: int) -> None:
        """Move the averaged weights towards the trained ones."""
        self.average.update(step)

    def adversarial_terms(self, wave: Tensor, made: Tensor, chosen: list[int]) -> dict[str, Tensor]:
        """Adversarial and feature-matching losses under the chosen discriminators."""
        self.critics.requires_grad_(False)
        judged = self.critics(made, chosen)
        with torch.no_grad():
            real = self.critics(wave, chosen)
        self.critics.requires_grad_(True)
        return {
            "adversarial": losses.generator_loss(judged),
            "features": losses.feature_matching(real, judged),
        }

    def critic_step(self, wave: Tensor, made: Tensor, chosen: list[int]) -> Tensor:
        """Train the chosen discriminators to tell `wave` from `made`."""
        loss = losses.discriminator_loss(self.critics(wave, chosen), self.critics(made, chosen))
        self.critic_optimizer.zero_grad()
        self.fabric.backward(loss)
        self.critic_optimizer.step()
        return loss

    def validate(self, waves: Sequence[Wave]) -> tuple[dict[str, float], list[Wave]]:
        """STOI and PESQ-WB of the averaged vocoder, mean over the codecs that it serves."""
        transforms = self.codecs or [identity]
        each: list[dict[str, float]] = []
        made: list[Wave] = []
        for transform in reversed(transforms):
            made = resynthesise(waves, self.average.module, transform, self.fabric.device)
            each.append(score_waves(waves, made))
        names = set.intersection(*(set(one) for one in each))
        scores = {name: sum(one[name] for one in each) / len(each) for name in sorted(names)}
        return {**scores, **overall(each)}, made

    def products(self) -> dict[str, nn.Module]:
        """The averaged vocoder and the discriminators."""
        return {
            "vocoder": self.average.module,
            "wave_discriminators": self.modules["wave_discriminators"],
        }


class Synthesis(nn.Module):
    """Tokens to samples: the trained half of a codec as one module."""

    def __init__(self, vqvae: VQVAE, vocoder: Vocoder) -> None:
        super().__init__()
        self.vqvae, self.vocoder = vqvae, vocoder
        for part in (vqvae.embed, vqvae.encoder, vqvae.encoder_norm, vqvae.quantizer):
            part.requires_grad_(False)

    def forward(self, z: Tensor, rate: int) -> tuple[Tensor, Tensor]:
        """Quantized map `[B, C, 20, T/4]` -> log-mel `[B, 80, T]`, samples `[B, 128 T]`."""
        mel = self.vqvae.synthesise(z, rate)
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
            z = self.vqvae.quantizer.decode(self.vqvae.encode(mel, bits), bits)
        made_mel, made = self.vocoder(z, TOKEN_BITS.index(bits))
        return made, {"l1": (made_mel - mel).abs().mean()}

    def update_averages(self, step: int) -> None:
        """Move both averages towards the trained weights."""
        super().update_averages(step)
        self.vqvae_average.update(step)

    def products(self) -> dict[str, nn.Module]:
        """The averaged codec, its vocoder and the discriminators."""
        return {**super().products(), "vqvae": self.vqvae_average.module}


def draw_scales(count: int) -> tuple[tuple[int, int], ...]:
    """Some of the scales of the mel loss, at random; each counts alike over the steps."""
    drawn = torch.randperm(len(losses.MEL_SCALES))[:count]
    return tuple(losses.MEL_SCALES[index] for index in sorted(drawn.tolist()))


def identity(mel: Tensor) -> Tensor:
    """The recording's own mel."""
    return mel
