"""Stage `vocoder`: a generator on mels of recordings or of codecs, with HiFi-GAN's objective."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from codecbench_spc.model.mel import log_mel
from codecbench_spc.model.vocoder import Vocoder
from codecbench_spc.training import losses
from codecbench_spc.training.discriminators import WaveDiscriminators
from codecbench_spc.training.recipe import Recipe, StageConfig
from codecbench_spc.training.stage import Average, Transform, optimizer_of
from codecbench_spc.training.validate import Wave, resynthesise, score_waves


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
        scores: dict[str, float] = {}
        made: list[Wave] = []
        for transform in reversed(transforms):
            made = resynthesise(waves, self.average.module, transform, self.fabric.device)
            for name, value in score_waves(waves, made).items():
                scores[name] = scores.get(name, 0.0) + value / len(transforms)
        # One PESQ point weighs as much as 0.2 of STOI: about their spread among codecs.
        scores["score"] = scores["pesq_wb"] + 5.0 * scores["stoi"]
        return scores, made

    def products(self) -> dict[str, nn.Module]:
        """The averaged vocoder and the discriminators."""
        return {
            "vocoder": self.average.module,
            "wave_discriminators": self.modules["wave_discriminators"],
        }


def draw_scales(count: int) -> tuple[tuple[int, int], ...]:
    """Some of the scales of the mel loss, at random; each counts alike over the steps."""
    drawn = torch.randperm(len(losses.MEL_SCALES))[:count]
    return tuple(losses.MEL_SCALES[index] for index in sorted(drawn.tolist()))


def identity(mel: Tensor) -> Tensor:
    """The recording's own mel."""
    return mel
