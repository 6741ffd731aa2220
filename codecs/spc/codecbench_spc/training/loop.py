"""Training: one plain loop for every stage, on Lightning Fabric; read it from here to the bottom.

`run_stage` is the loop.  What a step does is in `stage_vqvae` and `stage_vocoder`, what a run leaves in
`keep`, what it is made of in `recipe`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from lightning.fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor

from codecbench.errors import InvalidInput
from codecbench_spc.model import checkpoint, header
from codecbench_spc.training.data import SpeechBatches
from codecbench_spc.training.export import export
from codecbench_spc.training.keep import Keeper, Log, Progress, load_state
from codecbench_spc.training.recipe import Recipe, StageConfig
from codecbench_spc.training.stage import Stage, Transform
from codecbench_spc.training.stage_vocoder import JointStage, VocoderStage
from codecbench_spc.training.stage_vqvae import VqvaeStage, reconstruct

LOG_EVERY = 25


def run_stage(
    fabric: Fabric,
    recipe: Recipe,
    name: str,
    stage: Stage,
    folder: Path,
    *,
    resume: Path | None = None,
    quiet: bool = False,
) -> Progress:
    """Train one stage to its last step.

    `folder` gets `NAME.csv`, `NAME.state.safetensors` (the newest, to resume from), `NAME.best.safetensors`
    and sample audio.
    """
    config = stage.config
    batches = SpeechBatches.of_stage(recipe, name, config, fabric.global_rank)
    progress = load_state(resume, stage.modules, stage.optimizers) if resume else Progress()
    keeper, log = Keeper(fabric, recipe, name, stage, folder), Log(folder, name, fabric.is_global_zero)
    began = time.monotonic() - progress.seconds
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), disable=quiet or not fabric.is_global_zero) as bar:
        task = bar.add_task(name, total=config.steps, completed=progress.step)
        while progress.step < config.steps:
            terms = one_step(fabric, recipe, stage, batches.batch(progress.step), progress.step)
            progress.step += 1
            progress.seconds = time.monotonic() - began
            last = progress.step == config.steps
            if progress.step % LOG_EVERY == 0 or last:
                values = {key: float(value.detach()) for key, value in terms.items()}
                log.write(progress, values)
                shown = " ".join(f"{key} {value:.3f}" for key, value in values.items())
                bar.update(task, completed=progress.step, description=f"{name} {shown}")
            if progress.step % config.validate_every == 0 or last:
                keeper.validate(progress, log, partial(bar.console.print, soft_wrap=True))
            if progress.step % config.save_every == 0 or last:
                keeper.save("state", progress)
    log.close()
    return progress


def one_step(fabric: Fabric, recipe: Recipe, stage: Stage, wave: Tensor, step: int) -> dict[str, Tensor]:
    """One optimisation step as a function of the step's number alone, so that a resumed run repeats it."""
    torch.manual_seed(recipe.seed * 1_000_003 + step)
    set_learning_rates(stage, step)
    return stage.step(wave.to(fabric.device), step)


def set_learning_rates(stage: Stage, step: int) -> None:
    """Give every optimiser its rate of this step."""
    scale = learning_rate_scale(stage.config, step)
    for name, optimizer in stage.optimizers.items():
        critic = "discriminator" in name
        base = stage.config.adversarial_learning_rate if critic else stage.config.learning_rate
        for group in optimizer.param_groups:
            group["lr"] = base * scale


def learning_rate_scale(config: StageConfig, step: int) -> float:
    """Share of the learning rate at a step: linear warm-up, constant, then a cosine to the final rate."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    begin = config.steps * (1.0 - config.decay)
    fallen = min(1.0, max(0.0, (step - begin) / max(1.0, config.steps - begin)))
    floor = config.final_learning_rate / config.learning_rate
    return warm * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * fallen)))


def train(
    fabric: Fabric,
    recipe: Recipe,
    folder: Path,
    *,
    stages: Sequence[str] = (),
    resume: Path | None = None,
    warm_start: Sequence[Path] = (),
    quiet: bool = False,
) -> None:
    """Run the stages of a recipe; after each, write the checkpoints of its best validation into `folder`.

    Parameters
    ----------
    fabric : Fabric
    recipe : Recipe
    folder : Path
        Of the run: logs, states and checkpoints.
    stages : sequence of str
        Only these; empty: all of the recipe's order.
    resume : Path, optional
        A training state of the first stage, or a folder with one, to go on from exactly.
    warm_start : sequence of Path
        Checkpoints whose weights the first stage starts from; the optimisers start anew.
    quiet : bool
        No progress bar.
    """
    for name in stages or recipe.order:
        if name not in recipe.stages:
            raise InvalidInput(f"the recipe {recipe.name!r} has no table [stages.{name}]")
        torch.manual_seed(recipe.seed)
        stage = build_stage(fabric, recipe, name, folder)
        state = resume / f"{name}.state.safetensors" if resume and resume.is_dir() else resume
        if state is not None and not state.is_file():
            raise InvalidInput(f"no training state {state} to resume from; leave out --resume to begin anew")
        if state is None:
            start_from(stage, warm_start or [path for path in finished(recipe, folder) if path.is_file()])
        run_stage(fabric, recipe, name, stage, folder, resume=state, quiet=quiet)
        if fabric.is_global_zero:
            export(recipe, name, folder)
        fabric.barrier()
        resume, warm_start = None, ()


def start_from(stage: Stage, paths: Sequence[Path]) -> None:
    """Fill the stage's modules, and their averages, from the groups of the same names in checkpoints.

    With the stage's `grow` a module may have parts that the checkpoint lacks; they start at nothing.
    """
    for path in paths:
        for group, tensors in checkpoint.load(path).groups.items():
            tensors = checkpoint.current_names(tensors) if group == "vqvae" else tensors  # noqa: PLW2901
            for name in (group, f"{group}_average"):
                if name in stage.modules:
                    checkpoint.fill(stage.modules[name], tensors, path, stage.config.grow)


def build_stage(fabric: Fabric, recipe: Recipe, name: str, folder: Path) -> Stage:
    """The stage of that name."""
    config = recipe.stages[name]
    if name == "vocoder":
        return VocoderStage(fabric, recipe, config, frozen_codecs(fabric, config, folder))
    if name == "joint":
        return JointStage(fabric, recipe, config)
    return VqvaeStage(fabric, recipe, config)


def frozen_codecs(fabric: Fabric, config: StageConfig, folder: Path) -> list[Transform]:
    """The codecs whose reconstructions the vocoder hears: files of the run, of the package, or anywhere."""
    codecs: list[Transform] = []
    for name in config.codecs:
        places = [folder / name, header.folder() / name, Path(name)]
        path = next((place for place in places if place.is_file()), places[0])
        model = checkpoint.build_vqvae(checkpoint.load(path))
        codecs.append(partial(reconstruct, fabric.to_device(model)))
    return codecs


def finished(recipe: Recipe, folder: Path) -> list[Path]:
    """Where the stages before this one left their weights."""
    return [folder / f"{name}.safetensors" for name in (recipe.codec, "vocoder", "discriminators")]


def launch(
    recipe: Recipe,
    folder: Path,
    *,
    stages: Sequence[str],
    resume: Path | None = None,
    warm_start: Sequence[Path] = (),
    accelerator: str = "auto",
    devices: int = 1,
    threads: int = 0,
    quiet: bool = False,
) -> None:
    """Start Fabric on one or several devices and `train`."""
    if threads:
        torch.set_num_threads(threads)
    # Denormal numbers, common in fading signals, slow a CPU down by a factor of ten or more.
    torch.set_flush_denormal(True)
    # Each step uses some of the discriminators only, so some parameters have no gradient.
    strategy = "ddp_find_unused_parameters_true" if devices > 1 else "auto"
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy=strategy)
    fabric.launch()
    train(fabric, recipe, folder, stages=stages, resume=resume, warm_start=warm_start, quiet=quiet)
