"""Logging and checkpointing: logs, sample audio, and full training states to go on from exactly.

A state is one safetensors file: modules, optimiser moments and counters.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile
import torch
from lightning.fabric import Fabric
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from codecbench.codec import Wave
from codecbench.errors import InvalidInput
from codecbench_spc.model.checkpoint import write_tensors
from codecbench_spc.model.mel import SAMPLE_RATE_HZ
from codecbench_spc.training.data import SpeechCache, validation_waves
from codecbench_spc.training.recipe import Recipe, as_table
from codecbench_spc.training.stage import Stage

Say = Callable[[str], None]


@dataclass
class Progress:
    """Where a stage stands.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Wall-clock spent on training, over all runs, validation included.
    best : float, optional
        Best validation score so far; none before a validation could be scored.
    scores : dict
        All scores of that validation.
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    scores: dict[str, float] = field(default_factory=dict)


class Log:
    """Losses and scores of a stage: CSV to read back, TensorBoard to look at, sample audio.

    Of several processes the first one writes.
    """

    def __init__(self, folder: Path, stage: str, writes: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stage = folder, stage
        self.board = SummaryWriter(str(folder / "tensorboard" / stage)) if writes else None
        self.file = folder / f"{stage}.csv"

    def write(self, progress: Progress, values: Mapping[str, float]) -> None:
        """Append one row a value: step, seconds, name, value."""
        if self.board is None:
            return
        with self.file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for name, value in values.items():
                writer.writerow([progress.step, f"{progress.seconds:.1f}", name, f"{value:.6g}"])
                self.board.add_scalar(f"{self.stage}/{name}", value, progress.step)

    def audio(self, progress: Progress, waves: Sequence[Wave]) -> None:
        """Replace the sample audio by the first few waves of a validation."""
        if self.board is None:
            return
        for index, wave in enumerate(waves[:4]):
            soundfile.write(self.folder / f"{self.stage}-{index}.wav", wave, SAMPLE_RATE_HZ)
            self.board.add_audio(f"{self.stage}/{index}", wave, progress.step, SAMPLE_RATE_HZ)

    def close(self) -> None:
        """Flush the board."""
        if self.board is not None:
            self.board.close()


class Keeper:
    """Validates, and writes the newest and the best state of a stage."""

    def __init__(self, fabric: Fabric, recipe: Recipe, name: str, stage: Stage, folder: Path) -> None:
        self.fabric, self.name, self.stage, self.folder = fabric, name, stage, folder
        self.about = {"recipe": as_table(recipe), "stage": name}
        self.waves = validation_waves(SpeechCache(recipe.data), recipe.data)

    def validate(self, progress: Progress, log: Log, say: Say) -> None:
        """Score, log, and keep the state if it is the best so far."""
        scores, made = self.stage.validate(self.waves)
        log.write(progress, {f"val_{key}": value for key, value in scores.items()})
        log.audio(progress, made)
        if self.fabric.is_global_zero:
            say(f"{self.name} {progress.step}: " + json.dumps({k: round(v, 4) for k, v in scores.items()}))
        score = scores.get("score")
        last = self.stage.config.keep == "last"
        if last or progress.best is None or (score is not None and score > progress.best):
            progress.best, progress.scores = score, scores
            self.save("best", progress)

    def save(self, kind: str, progress: Progress) -> None:
        """Write `STAGE.KIND.safetensors`, optimisers included."""
        if self.fabric.is_global_zero:
            path = self.folder / f"{self.name}.{kind}.safetensors"
            save_state(path, self.stage.modules, self.stage.optimizers, progress, self.about)


def save_state(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    progress: Progress,
    about: Mapping[str, Any],
) -> None:
    """Write modules, moments and counters.

    Parameters
    ----------
    path : Path
        Replaced only when the new file is complete.
    modules, optimizers : mapping
        By the names under which `load_state` looks for them.
    progress : Progress
    about : mapping
        Recipe and stage, for the reader; JSON.
    """
    tensors = {}
    for name, module in modules.items():
        tensors.update({f"module.{name}.{key}": value for key, value in all_tensors(module).items()})
    for name, optimizer in optimizers.items():
        for index, moments in optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer.{name}.{index}.{key}"] = torch.as_tensor(value)
    metadata = {"progress": json.dumps(vars(progress)), "about": json.dumps(about)}
    write_tensors(path, tensors, metadata)


def all_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and all buffers, those too that are not shipped (statistics of the codebooks)."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


@torch.no_grad()
def load_state(path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]) -> Progress:
    """Fill modules and optimisers from `save_state`'s file and return where the stage stood.

    Raises
    ------
    InvalidInput
        If the file is no training state, or of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"cannot read the training state {path}: {error}") from error
    if "progress" not in metadata:
        raise InvalidInput(f"{path} is no training state; to begin from shipped weights use --warm-start")
    for name, module in modules.items():
        for key, value in all_tensors(module).items():
            found = tensors.get(f"module.{name}.{key}")
            if found is None or found.shape != value.shape:
                raise InvalidInput(f"{path} does not fit the recipe: tensor {name}.{key} {list(value.shape)}")
            value.copy_(found)
    for name, optimizer in optimizers.items():
        restore_moments(optimizer, f"optimizer.{name}.", tensors)
    return Progress(**json.loads(metadata["progress"]))


def restore_moments(optimizer: Optimizer, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors under `prefix` back as the state of an optimiser."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            index, name = key.removeprefix(prefix).split(".", 1)
            if value.dim():
                # Fused optimisers need moments in the memory layout of their parameter (channels_last).
                value = torch.empty_like(parameters[int(index)]).copy_(value)  # noqa: PLW2901
            moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
