"""Full training states: modules, optimiser moments and counters in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from codecbench.errors import InvalidInput
from codecbench_spc.model.checkpoint import write_tensors


@dataclass
class Progress:
    """Where a stage stands.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Wall-clock spent on training, over all runs, validation included.
    best : float
        Best validation score so far.
    scores : dict
        All scores of that validation.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -1e9
    scores: dict[str, float] = field(default_factory=dict)


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
