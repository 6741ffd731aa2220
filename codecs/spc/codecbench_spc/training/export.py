"""Export: from training states to the checkpoints that are shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from codecbench.errors import InvalidInput
from codecbench_spc.model import checkpoint
from codecbench_spc.training.recipe import Recipe, as_table

UNSHIPPED = (".counts", ".sums")
"""Statistics of the codebooks: of use to training alone."""


def export(recipe: Recipe, stage: str, folder: Path, to: Path | None = None) -> list[Path]:
    """Write the checkpoints of a stage's best state so far.

    Parameters
    ----------
    recipe : Recipe
    stage : str
        `vocoder` gives `vocoder.safetensors` and `discriminators.safetensors`; `vqvae` and `adversarial` the
        codec's file, which refers to the vocoder if there is one beside it; `joint` all of them.
    folder : Path
        Of the run.
    to : Path, optional
        Another folder for the checkpoints.
    """
    to = to or folder
    groups, progress = read_best(folder / f"{stage}.best.safetensors")
    summary = summarise(recipe, stage, progress)
    codec, vocoder = to / f"{recipe.codec}.safetensors", to / "vocoder.safetensors"
    written = []
    if "vqvae_average" in groups:
        checkpoint.save(
            codec,
            {"vqvae": as_table(recipe.vqvae), "synthesis": as_table(recipe.synthesis)},
            {"vqvae": shipped(groups["vqvae_average"])},
            with_earlier(codec, summary),
            vocoder if vocoder.is_file() else None,
        )
        written += [codec]
    if "vocoder_average" in groups:
        critics = to / "discriminators.safetensors"
        checkpoint.save(
            vocoder,
            {"vocoder": as_table(recipe.vocoder)},
            {"vocoder": shipped(groups["vocoder_average"])},
            with_earlier(vocoder, summary),
        )
        checkpoint.save(
            critics,
            {"wave_discriminators": as_table(recipe.discriminators)},
            {"wave_discriminators": groups["wave_discriminators"]},
            summary,
        )
        written += [vocoder, critics, *(path for path in refer(to, vocoder) if path not in written)]
    return written


def read_best(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Tensors of a training state by module, and where the stage stood."""
    if not path.is_file():
        raise InvalidInput(f"no validated state {path}; train the stage first")
    groups: dict[str, dict[str, Tensor]] = {}
    with safe_open(path, framework="pt") as file:
        progress = json.loads((file.metadata() or {})["progress"])
        for name in file.keys():  # noqa: SIM118
            kind, _, rest = name.partition(".")
            if kind == "module":
                module, _, tensor = rest.partition(".")
                groups.setdefault(module, {})[tensor] = file.get_tensor(name)
    return groups, progress


def shipped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that a model needs to run."""
    left_out = (*UNSHIPPED, ".interpolation")
    return {name: tensor for name, tensor in tensors.items() if not f".{name}".endswith(left_out)}


def summarise(recipe: Recipe, stage: str, progress: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader of the checkpoint may want to know of its training."""
    config = recipe.stages[stage]
    audio_s = progress["step"] * config.batch_size * config.segment_frames * 0.008
    return {
        "stages": [
            {
                "stage": stage,
                "steps": progress["step"],
                "audio_hours": round(audio_s / 3600, 2),
                "wall_clock_hours": round(progress["seconds"] / 3600, 3),
                "validation": progress.get("scores", {}),
            }
        ],
        "data": dict(recipe.data.sources),
        "recipe": as_table(recipe),
    }


def with_earlier(path: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """The summary, preceded by the other stages that the file replaced here went through."""
    if not path.is_file():
        return summary
    name = summary["stages"][0]["stage"]
    earlier = [entry for entry in checkpoint.load(path).summary.get("stages", []) if entry["stage"] != name]
    return {**summary, "stages": [*earlier, *summary["stages"]]}


def refer(folder: Path, vocoder: Path) -> list[Path]:
    """Make the codecs in a folder refer to the vocoder that has just been written there."""
    changed = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            found = checkpoint.load(path)
        except InvalidInput:
            # A training state: safetensors too, but no checkpoint.
            continue
        if "vqvae" in found.groups and "vocoder" not in found.groups:
            checkpoint.save(path, found.config, found.groups, found.summary, vocoder)
            changed.append(path)
    return changed
