"""`make train-perf`: seconds of audio that each stage trains on in a second, on one core."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import click
import torch
from lightning.fabric import Fabric

from .mel import SAMPLE_RATE_HZ
from .recipe import Recipe
from .stage_vocoder import VocoderStage
from .stage_vqvae import VqvaeStage
from .stages import Stage
from .train import one_step


def variants(recipe: Recipe) -> Iterator[tuple[str, Stage]]:
    """The stages with and without discriminators, all modules in use from the first step."""
    fabric = Fabric(accelerator="cpu", devices=1)
    for name, adversarial in (("vqvae", False), ("adversarial", True), ("vocoder", False), ("vocoder", True)):
        config = recipe.stages.get(name) or recipe.stages["vqvae"]
        never = config.steps
        config = dataclasses.replace(
            config, quantize_from=0, adversarial_from=0 if adversarial else never, codecs=()
        )
        label = "vocoder, adversarial" if name == "vocoder" and adversarial else name
        if name == "vocoder":
            yield label, VocoderStage(fabric, recipe, config)
        else:
            yield label, VqvaeStage(fabric, recipe, config)


def audio_per_second(recipe: Recipe, stage: Stage, steps: int) -> float:
    """Seconds of audio a second, over `steps` steps on noise after a first one."""
    fabric = Fabric(accelerator="cpu", devices=1)
    wave = 0.1 * torch.randn(stage.config.batch_size, 128 * stage.config.segment_frames)
    one_step(fabric, recipe, stage, wave, 0)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        one_step(fabric, recipe, stage, wave, step)
    return steps * wave.numel() / SAMPLE_RATE_HZ / (time.perf_counter() - began)


def report_speed(recipe: Recipe, steps: int = 5) -> None:
    """Print a line for each stage of a recipe."""
    click.echo("stage                 s of audio / s")
    for label, stage in variants(recipe):
        click.echo(f"{label:<21} {audio_per_second(recipe, stage, steps):14.1f}")
