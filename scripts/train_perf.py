"""`make train-perf`: seconds of audio that each stage trains on in a second, on one core."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import click
import torch
from lightning.fabric import Fabric

from codecbench_spc.model.mel import SAMPLE_RATE_HZ
from codecbench_spc.training.loop import one_step
from codecbench_spc.training.recipe import Recipe, load_recipe, shipped_recipe
from codecbench_spc.training.stage import Stage
from codecbench_spc.training.stage_vocoder import VocoderStage
from codecbench_spc.training.stage_vqvae import VqvaeStage


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


@click.command()
@click.option("--recipe", type=click.Path(path_type=Path), help="Default: the shipped cpu.toml.")
@click.option("--steps", default=5, show_default=True, help="Steps that are timed of each stage.")
def main(recipe: Path | None, steps: int) -> None:
    """Print how fast each stage of a recipe trains on one core."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    click.echo("stage                 s of audio / s")
    loaded = load_recipe(recipe or shipped_recipe("cpu"))
    for label, stage in variants(loaded):
        click.echo(f"{label:<21} {audio_per_second(loaded, stage, steps):14.1f}")


if __name__ == "__main__":
    main()
