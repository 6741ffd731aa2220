"""`codecbench train` and `train-context`: the stages of a recipe, and the context model, on this machine."""

from __future__ import annotations

import math
from pathlib import Path

import click

from codecbench.errors import InvalidInput, Unavailable


def parse_overrides(pairs: tuple[str, ...]) -> dict[str, str]:
    """`("a.b=1",)` -> `{"a.b": "1"}`."""
    overrides = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--set takes KEY=VALUE, such as vocoder.generator=hifigan, not {pair!r}")
        overrides[key.strip()] = value.strip()
    return overrides


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the run: logs, states, checkpoints. Default: runs/NAME of the recipe.",
)
@click.option(
    "--stage", "stages", multiple=True, help="Only this stage (repeatable). Default: all, in order."
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=Path(),
    type=click.Path(path_type=Path),
    help="Go on exactly from a training state; without a value, from the one in --out.",
)
@click.option(
    "--warm-start",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Begin with the weights of a checkpoint (repeatable: codec, vocoder, discriminators).",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value of the recipe.")
@click.option("--export", "export_only", is_flag=True, help="Do not train: write the checkpoints so far.")
@click.option("--accelerator", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--devices", default=1, show_default=True, help="Processes, each with a device.")
@click.option("--threads", default=0, help="CPU threads of a process. Default: torch's choice.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train(  # noqa: PLR0917 - one parameter for each option
    recipe: Path,
    out: Path | None,
    stages: tuple[str, ...],
    resume: Path | None,
    warm_start: tuple[Path, ...],
    settings: tuple[str, ...],
    export_only: bool,
    accelerator: str,
    devices: int,
    threads: int,
    quiet: bool,
) -> None:
    """Train the Spectrogram Patch Codec as RECIPE says: a TOML file."""
    from codecbench_spc.training.recipe import load_recipe

    if resume is not None and warm_start:
        raise InvalidInput("--resume and --warm-start exclude each other: a state already has its weights")
    loaded = load_recipe(recipe, parse_overrides(settings))
    folder = out or Path("runs") / loaded.name
    chosen = list(stages or loaded.order)
    if export_only:
        from codecbench_spc.training.export import export

        for stage in chosen:
            for path in export(loaded, stage, folder):
                click.echo(path)
        return
    try:
        from codecbench_spc.training.loop import launch
    except ImportError as error:
        raise Unavailable(
            f"training needs {error.name}", "run: pip install lightning tensorboard pesq==0.0.4"
        ) from error
    state = folder if resume == Path() else resume
    launch(
        loaded,
        folder,
        stages=chosen,
        resume=state,
        warm_start=warm_start,
        accelerator=accelerator,
        devices=devices,
        threads=threads,
        quiet=quiet,
    )


@click.command("train-context")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Codec whose tokens are coded. Default: the shipped spc.",
)
@click.option("--minutes", type=float, default=math.inf, help="End training after so many minutes.")
def train_context(recipe: Path, checkpoint: Path | None, minutes: float) -> None:
    """Train the entropy coder's context model as RECIPE says and write it beside the checkpoint."""
    from codecbench_spc.training.context_train import train_shipped

    train_shipped(recipe, checkpoint, minutes)
