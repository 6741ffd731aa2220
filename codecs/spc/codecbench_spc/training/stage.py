"""What all stages of training share: the contract with the loop, averaged weights, optimisers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from codecbench_spc.training.recipe import StageConfig
from codecbench_spc.training.validate import Wave

Transform = Callable[[Tensor], Tensor]


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
        """Scores (of which `score` chooses the best) and the waves they are of, if any."""

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
