"""Stages `vqvae` and `adversarial`: the VQ-VAE on log-mel spectrograms, alone and against a PatchGAN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from codecbench.codec import Wave
from codecbench_spc.model.mel import log_mel
from codecbench_spc.model.quantizer import TOKEN_BITS, Codebook, PatchVQ
from codecbench_spc.model.vqvae import VQVAE
from codecbench_spc.training import heard, losses
from codecbench_spc.training.discriminators import PatchDiscriminator
from codecbench_spc.training.recipe import Recipe, StageConfig
from codecbench_spc.training.stage import (
    Average,
    as_users_hear,
    mel_distance,
    mel_of,
    optimizer_of,
    overall,
    score_waves,
)


class VqvaeStage:
    """VQ-VAE with a random number of bits for each item of a batch.

    From `adversarial_from` on, a PatchGAN judges the mels.  The adversarial loss is scaled to the gradient
    norm of the reconstruction at the decoder's last layer; the recipe's weight multiplies that.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, config: StageConfig) -> None:
        self.fabric, self.config, self.synthesis = fabric, config, recipe.synthesis
        vqvae, critic = VQVAE(recipe.vqvae), PatchDiscriminator(recipe.patch_discriminator_channels)
        for book in vqvae.modules():
            if isinstance(book, Codebook):
                book.decay = config.codebook_decay
        self.average = Average(fabric.to_device(vqvae), config.ema_decay)
        self.last_layer = vqvae.last[0].get_parameter("weight")
        self.modules: dict[str, nn.Module] = {"vqvae": vqvae, "mel_discriminator": critic}
        self.modules["vqvae_average"] = self.average.module
        self.optimizers: dict[str, Optimizer] = {
            "vqvae": optimizer_of(vqvae, config, config.learning_rate),
            "mel_discriminator": optimizer_of(critic, config, config.adversarial_learning_rate),
        }
        self.vqvae, self.vqvae_optimizer = fabric.setup(vqvae, self.optimizers["vqvae"])
        self.critic, self.critic_optimizer = fabric.setup(critic, self.optimizers["mel_discriminator"])
        self.lpips = losses.Lpips(config.lpips_weights) if config.weights.get("lpips") else None

    def step(self, wave: Tensor, step: int) -> dict[str, Tensor]:
        """One step of the VQ-VAE and, from its time on, of the PatchGAN."""
        mel = log_mel(wave)
        bits = draw_bits(len(mel), self.config.full_rate).to(mel.device)
        made, _, terms = self.vqvae(mel, bits, quantize=step >= self.config.quantize_from)
        for name, loss in heard.losses(self.config.heard).items():
            if self.config.weights.get(name):
                terms[name] = loss(mel, made)
        if self.lpips is not None:
            terms["lpips"] = self.lpips(mel, made)
        logged = {}
        if step >= self.config.adversarial_from:
            logged["discriminator"] = self.critic_step(mel, made.detach())
            reconstruction = losses.weighted_sum(terms, self.config.weights)
            terms.update(self.adversarial_terms(mel, made, reconstruction))
        total = losses.weighted_sum(terms, self.config.weights)
        self.vqvae_optimizer.zero_grad()
        self.fabric.backward(total)
        self.vqvae_optimizer.step()
        self.average.update(step)
        return {**terms, **logged}

    def adversarial_terms(self, mel: Tensor, made: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        """Adversarial loss, scaled by the ratio of gradient norms, and feature matching."""
        self.critic.requires_grad_(False)
        judged = [self.critic(made)]
        with torch.no_grad():
            real = [self.critic(mel)]
        self.critic.requires_grad_(True)
        adversarial = losses.generator_loss(judged)
        ratio = losses.gradient_ratio(reconstruction, adversarial, self.last_layer)
        return {"adversarial": ratio * adversarial, "features": losses.feature_matching(real, judged)}

    def critic_step(self, mel: Tensor, made: Tensor) -> Tensor:
        """Train the PatchGAN to tell `mel` from `made`."""
        loss = losses.discriminator_loss([self.critic(mel)], [self.critic(made)])
        self.critic_optimizer.zero_grad()
        self.fabric.backward(loss)
        self.critic_optimizer.step()
        return loss

    def validate(self, waves: Sequence[Wave]) -> tuple[dict[str, float], list[Wave]]:
        """Log-mel distance at each rate; STOI and PESQ-WB of what users hear; use and entropy of the codes.

        STOI and PESQ-WB at the highest and the lowest rate choose what is kept.
        """
        model, device = self.products()["vqvae"], self.fabric.device
        scores: dict[str, float] = {}
        for bits in TOKEN_BITS:
            scores[f"mel_l1_{bits}"] = mel_distance(waves, partial(reconstruct, model, bits=bits), device)
        made, each = [], []
        for bits in (TOKEN_BITS[0], TOKEN_BITS[-1]):
            made.append(as_users_hear(waves, partial(reconstruct, model, bits=bits), self.synthesis, device))
            each.append(score_waves(waves, made[-1]))
            scores |= {f"{name}_{bits}": value for name, value in each[-1].items()}
        return {**scores, **code_use(model, waves, device), **overall(each)}, made[0]

    def products(self) -> dict[str, nn.Module]:
        """The averaged VQ-VAE and the discriminator."""
        return {"vqvae": self.average.module, "mel_discriminator": self.modules["mel_discriminator"]}


def draw_bits(count: int, full_rate: float) -> Tensor:
    """Random bits a token for each item: all of them for a share `full_rate`, else one of the lower rates."""
    full = torch.rand(count) < full_rate
    others = torch.tensor(TOKEN_BITS[1:])[torch.randint(len(TOKEN_BITS) - 1, (count,))]
    return torch.where(full, TOKEN_BITS[0], others)


def reconstruct(model: nn.Module, mel: Tensor, bits: int = TOKEN_BITS[0]) -> Tensor:
    """Log-mel through the codec: `[B, 80, T]` -> `[B, 80, T]`."""
    assert isinstance(model, VQVAE)
    return model.decode(model.encode(mel, bits), bits)


@torch.no_grad()
def code_use(model: nn.Module, waves: Sequence[Wave], device: torch.device) -> dict[str, float]:
    """Share of the codes that occur at the full rate, and the mean entropy of a token in bits."""
    assert isinstance(model, VQVAE)
    codes = torch.cat([model.encode(mel_of(wave, device))[0] for wave in waves], dim=1)
    quantizer = model.quantizer
    books = [quantizer.codebook] if isinstance(quantizer, PatchVQ) else quantizer.stack(len(codes))
    # The one codebook serves all rows; of the residual ones, each has a row of its own.
    rows = codes.view(1, -1) if isinstance(quantizer, PatchVQ) else codes
    pairs = [(row, book.size) for row, book in zip(rows, books, strict=True)]
    return {
        "used": sum(len(row.unique()) / size for row, size in pairs) / len(pairs),
        "entropy_bits": float(sum(perplexity(row, size).log2() for row, size in pairs) / len(pairs)),
    }


def perplexity(codes: Tensor, size: int) -> Tensor:
    """Exponential of the entropy of the codes' frequencies."""
    share = torch.bincount(codes.flatten(), minlength=size).double() / codes.numel()
    entropy: Tensor = torch.special.entr(share).sum()
    return entropy.exp()
