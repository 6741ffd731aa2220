"""`make vocoder-race`: the three generators, each trained for the same time, scored on held-out speech.

It learns from the recordings' own mels, so it needs no codec, and counts processor time, not wall-clock, so
that other work on the machine does not decide it.
"""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path

import click
import torch
from lightning.fabric import Fabric

from codecbench_spc.model.vocoder import GENERATORS
from codecbench_spc.training.data import SpeechBatches
from codecbench_spc.training.keep import Keeper, Progress
from codecbench_spc.training.loop import one_step
from codecbench_spc.training.recipe import Recipe, load_recipe, shipped_recipe
from codecbench_spc.training.stage_vocoder import VocoderStage

CHANNELS = {"hifigan": 112, "istft-hifigan": 128, "convnext-istft": 256}
"""Widths of 0.7 to 1.9 million parameters: none decides by its size."""


def entrant(recipe: Recipe, generator: str) -> Recipe:
    """The recipe with another generator, trained on recordings."""
    vocoder = dataclasses.replace(recipe.vocoder, generator=generator, channels=CHANNELS[generator])
    stage = dataclasses.replace(recipe.stages["vocoder"], codecs=())
    return dataclasses.replace(recipe, vocoder=vocoder, stages={"vocoder": stage})


def race(recipe: Recipe, generator: str, minutes: float, folder: Path) -> dict[str, float]:
    """Train one generator for so many minutes of processor time: steps, scores.

    Its state is kept in `folder` as that of a stage; `codecbench train --export` makes a checkpoint of it.
    """
    fabric = Fabric(accelerator="cpu", devices=1)
    recipe = entrant(recipe, generator)
    torch.manual_seed(recipe.seed)
    stage = VocoderStage(fabric, recipe, recipe.stages["vocoder"])
    batches = SpeechBatches.of_stage(recipe, "vocoder", stage.config)
    keeper = Keeper(fabric, recipe, "vocoder", stage, folder / generator)
    progress = Progress()
    began = time.process_time()
    while progress.seconds < 60.0 * minutes:
        one_step(fabric, recipe, stage, batches.batch(progress.step), progress.step)
        progress.step += 1
        progress.seconds = time.process_time() - began
    scores, _ = stage.validate(keeper.waves)
    progress.best, progress.scores = scores.get("score"), scores
    keeper.save("best", progress)
    return {"steps": progress.step, **scores}


@click.command()
@click.option("--recipe", type=click.Path(path_type=Path), help="Default: the shipped cpu.toml.")
@click.option("--minutes", default=5.0, show_default=True, help="Processor time of each generator.")
@click.option("--generator", "generators", multiple=True, help="Only this one (repeatable).")
@click.option("--out", default="runs/race", type=click.Path(path_type=Path), show_default=True)
def main(recipe: Path | None, minutes: float, generators: tuple[str, ...], out: Path) -> None:
    """Race the vocoder's generators on one core."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    loaded = load_recipe(recipe or shipped_recipe("cpu"))
    click.echo("generator        minutes  steps   STOI  PESQ-WB")
    for generator in generators or tuple(GENERATORS):
        found = race(loaded, generator, minutes, out)
        scores = f"{found.get('stoi', math.nan):6.3f}  {found.get('pesq_wb', math.nan):7.2f}"
        click.echo(f"{generator:<15} {minutes:8.1f} {int(found['steps']):6d} {scores}")


if __name__ == "__main__":
    main()
