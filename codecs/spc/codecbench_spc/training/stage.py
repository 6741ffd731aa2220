"""Training stages, what all share: the contract with the loop, averaged weights, optimisers, scores."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from codecbench import registry
from codecbench.codec import Wave
from codecbench.errors import Unscorable
from codecbench_spc.model.consistency import synthesise
from codecbench_spc.model.mel import exact_mel, log_mel
from codecbench_spc.model.synthesis import SynthesisConfig
from codecbench_spc.training.recipe import StageConfig

Transform = Callable[[Tensor], Tensor]
METRICS = ("stoi", "pesq-wb")
"""The suite's metrics that validation asks."""

STOI_WEIGHT = 5.0
"""In a score one point of PESQ weighs as much as 0.2 of STOI: about their spread among codecs."""


class Stage(Protocol):
    """What the training loop needs of a stage.

    Attributes
    ----------
    config : StageConfig
    modules : dict
        All that a state must hold, by name: trained modules, their averages, discriminators.
    optimizers : dict
        Those of discriminators have `discriminator` in their name.
    """

    config: StageConfig
    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]

    def step(self, wave: Tensor, step: int) -> dict[str, Tensor]:
        """Train on `wave [B, n]` and return the losses by name.

        The loop has seeded torch's random numbers with the step, so a step done again draws the same.
        """

    def validate(self, waves: Sequence[Wave]) -> tuple[dict[str, float], list[Wave]]:
        """Scores and the waves they are of, if any.

        The highest `score` chooses the weights that are kept; it is left out where none can be given.
        """

    def products(self) -> dict[str, nn.Module]:
        """The modules to ship, by the name of their group in a checkpoint."""


class Average:
    """Exponential moving average of a module's weights, for validation and shipping; buffers are copied."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay = decay
        self.pairs = list(zip(self.module.parameters(), module.parameters(), strict=True))
        self.buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the trained weights; faster in the first steps, when they are far."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_([mean for mean, _ in self.pairs], [new for _, new in self.pairs], 1.0 - decay)
        for mean, new in self.buffers:
            mean.copy_(new)


def optimizer_of(module: nn.Module, config: StageConfig, learning_rate: float) -> AdamW:
    """AdamW with the recipe's moments, in its fused form."""
    return AdamW(
        module.parameters(),
        lr=learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=True,
    )


def score_waves(refs: Sequence[Wave], degs: Sequence[Wave]) -> dict[str, float]:
    """Mean STOI and PESQ-WB of the pairs that have a score, and how many scores are missing.

    Raises
    ------
    Unavailable
        If a metric cannot run here.
    """
    scores: dict[str, float] = {"unscorable": 0.0}
    for name in METRICS:
        metric = registry.metric(name)
        metric.check()
        metric.open()
        values = []
        for ref, deg in zip(refs, degs, strict=True):
            try:
                values.append(metric(ref, deg))
            except Unscorable:
                scores["unscorable"] += 1.0
        if values:
            scores[name.replace("-", "_")] = float(np.mean(values))
    return scores


def overall(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """`score` of some validations, their mean; nothing if one of them has no STOI or no PESQ."""
    if not all({"stoi", "pesq_wb"} <= one.keys() for one in scores):
        return {}
    return {"score": float(np.mean([one["pesq_wb"] + STOI_WEIGHT * one["stoi"] for one in scores]))}


@torch.no_grad()
def mel_of(wave: Wave, device: torch.device) -> Tensor:
    """Log-mel `[1, 80, T]` of a wave."""
    return log_mel(torch.from_numpy(wave)[None].to(device))


@torch.no_grad()
def resynthesise(
    waves: Sequence[Wave], vocoder: Transform, transform: Transform, device: torch.device
) -> list[Wave]:
    """Waves through mel, `transform` (a codec or the identity) and a vocoder; lengths are kept."""
    made = [vocoder(transform(mel_of(wave, device)))[0].float().cpu().numpy() for wave in waves]
    return [out[: len(wave)] for out, wave in zip(made, waves, strict=True)]


@torch.no_grad()
def as_users_hear(
    waves: Sequence[Wave], transform: Transform, config: SynthesisConfig, device: torch.device
) -> list[Wave]:
    """Waves through mel, `transform` (a codec) and the synthesis that users get; lengths are kept."""
    mels = [exact_mel(transform(mel_of(wave, device)).double())[0] for wave in waves]
    return [synthesise(mel, config)[: len(wave)] for mel, wave in zip(mels, waves, strict=True)]


@torch.no_grad()
def mel_distance(waves: Sequence[Wave], transform: Transform, device: torch.device) -> float:
    """Mean over utterances of the mean absolute log-mel difference (natural logarithm)."""
    mels = [mel_of(wave, device) for wave in waves]
    return float(np.mean([float((transform(mel) - mel).abs().mean()) for mel in mels]))
