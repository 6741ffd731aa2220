"""Shipped weights: safetensors with the configuration and the training summary in the metadata.

Weights are stored in float16 and loaded as float32; integer tensors keep their type.  A tensor's name is
`group.tensor`: the groups `vqvae` and `vocoder` are the models, others are passed through for those who
know them.  A codec's file either holds its vocoder or names a file beside it with its sha256, so that two
codecs can share one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from codecbench.errors import InvalidInput
from codecbench.files import sha256, write_bytes_atomically
from codecbench_spc.config import build
from codecbench_spc.model.vocoder import Vocoder, VocoderConfig
from codecbench_spc.model.vqvae import VQVAE, VqvaeConfig

FORMAT = "codecbench-spc-1"
Tensors = dict[str, Tensor]
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes
    ----------
    path : Path
    config : dict
        Of the model of each group, such as `config["vqvae"]`.
    groups : dict
        Tensors by group and name, float32 or integer.
    summary : dict
        Of the training: data, steps, wall-clock, validation scores, recipe.
    sha256 : str
        Of the file.
    vocoder_file, vocoder_sha256 : str
        Of the shared vocoder beside this file; empty if it is inside or there is none.
    """

    path: Path
    config: dict[str, Any]
    groups: dict[str, Tensors]
    summary: dict[str, Any]
    sha256: str
    vocoder_file: str = ""
    vocoder_sha256: str = ""


def save(
    path: Path,
    config: Mapping[str, Any],
    groups: Mapping[str, Mapping[str, Tensor]],
    summary: Mapping[str, Any],
    vocoder: Path | None = None,
) -> str:
    """Write a checkpoint in one move and return its sha256.

    Parameters
    ----------
    path : Path
    config, groups, summary : mapping
        As in `Checkpoint`; floating-point tensors become float16.
    vocoder : Path, optional
        Checkpoint of a shared vocoder, which must stay in the same folder.
    """
    tensors = {
        f"{group}.{name}": tensor.half() if tensor.is_floating_point() else tensor
        for group, members in groups.items()
        for name, tensor in members.items()
    }
    metadata = {"format": FORMAT, "config": json.dumps(config), "summary": json.dumps(summary)}
    if vocoder is not None:
        metadata["vocoder"] = json.dumps({"file": vocoder.name, "sha256": sha256(vocoder)})
    write_tensors(path, tensors, metadata)
    return sha256(path)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Replace a safetensors file, whole or not at all; raises `StorageError`."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes_atomically(path, serialise(plain, dict(metadata)))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    InvalidInput
        If the file is missing, damaged, or no checkpoint of this codec.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"cannot read the checkpoint {path}: {error}") from error
    if metadata.get("format") != FORMAT:
        raise InvalidInput(
            f"{path} is no checkpoint of this codec (format {metadata.get('format', 'not given')!r})"
        )
    groups: dict[str, Tensors] = {}
    for name, tensor in tensors.items():
        group, _, member = name.partition(".")
        groups.setdefault(group, {})[member] = tensor.float() if tensor.dtype == torch.float16 else tensor
    try:
        reference = json.loads(metadata.get("vocoder", "{}"))
        return Checkpoint(
            path=path,
            config=dict(json.loads(metadata["config"])),
            groups=groups,
            summary=dict(json.loads(metadata["summary"])),
            sha256=sha256(path),
            vocoder_file=str(reference.get("file", "")),
            vocoder_sha256=str(reference.get("sha256", "")),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the metadata of the checkpoint {path} are damaged: {error}") from error


def add_group(path: Path, group: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """Put a group of tensors, with its configuration, into a file, or replace it there; the new sha256."""
    old = load(path)
    vocoder = path.with_name(old.vocoder_file) if old.vocoder_file else None
    return save(
        path, {**old.config, group: dict(config)}, {**old.groups, group: tensors}, old.summary, vocoder
    )


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hexadecimal sha256 of names, shapes and values: the identity of a model, whatever file it lies in."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{list(tensor.shape)};".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def build_vqvae(checkpoint: Checkpoint) -> VQVAE:
    """VQ-VAE of a codec checkpoint, float32, in evaluation mode.

    Raises
    ------
    InvalidInput
        If the file has none, or its tensors do not fit its configuration.
    """
    tensors, table = part(checkpoint, "vqvae")
    model = VQVAE(build(VqvaeConfig, table, f"{checkpoint.path}: config"))
    return fill(model, current_names(tensors), checkpoint.path).eval().requires_grad_(False)


def current_names(tensors: Tensors) -> Tensors:
    """A VQ-VAE's tensors by today's names: the first files knew one height of patches only."""
    first = {"embed.conv.": "embed.0.conv.", "last.weight": "last.0.weight", "last.bias": "last.0.bias"}
    renamed = {}
    for name, tensor in tensors.items():
        old = next((old for old in first if name.startswith(old)), "")
        renamed[first.get(old, "") + name.removeprefix(old)] = tensor
    return renamed


def build_vocoder(checkpoint: Checkpoint) -> Vocoder:
    """Vocoder of a checkpoint, its own or the shared one beside it, float32, in evaluation mode.

    Raises
    ------
    InvalidInput
        If there is none, or the file beside it is not the one that the checkpoint was made with.
    """
    if checkpoint.vocoder_file:
        name = checkpoint.vocoder_file
        if Path(name).name != name:
            raise InvalidInput(f"{checkpoint.path}: the vocoder must be a file beside it, not {name!r}")
        other = load(checkpoint.path.with_name(name))
        if other.sha256 != checkpoint.vocoder_sha256:
            raise InvalidInput(
                f"{other.path} is not the vocoder that {checkpoint.path.name} was made with (sha256 differs)"
            )
        checkpoint = other
    tensors, table = part(checkpoint, "vocoder")
    model = Vocoder(build(VocoderConfig, table, f"{checkpoint.path}: config"))
    return fill(model, tensors, checkpoint.path).eval().requires_grad_(False)


def part(checkpoint: Checkpoint, group: str) -> tuple[Tensors, Any]:
    """Tensors and configuration of one group."""
    if group not in checkpoint.groups or group not in checkpoint.config:
        raise InvalidInput(f"the checkpoint {checkpoint.path} holds no {group}")
    return checkpoint.groups[group], checkpoint.config[group]


def fill(model: M, tensors: Tensors, path: Path, grow: bool = False) -> M:
    """Load tensors into a model, all of them and no others.

    With `grow` the model may have more parts: they stay as they are made, but for the gain of a residual
    branch, which becomes 0.
    """
    wanted = model.state_dict()
    if grow:
        missing = {name: value for name, value in wanted.items() if name not in tensors}
        kept = {k: torch.zeros_like(v) if k.endswith(".gain") else v for k, v in missing.items()}
        tensors = {**tensors, **kept}
    for name in wanted:
        if name not in tensors:
            raise InvalidInput(f"the checkpoint {path} lacks the tensor {name}")
    for name, tensor in tensors.items():
        if name not in wanted or wanted[name].shape != tensor.shape:
            raise InvalidInput(
                f"the checkpoint {path} has a tensor {name} {list(tensor.shape)} that does not fit"
            )
    model.load_state_dict(tensors)
    return model
