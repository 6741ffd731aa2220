"""Metadata of a checkpoint file, read without torch and without its weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecbench.errors import InvalidInput
from codecbench_spc.config import build, shipped_folder
from codecbench_spc.model.synthesis import SynthesisConfig

if TYPE_CHECKING:
    from torch import Tensor

TRAINING_ONLY = (".counts", ".sums")
"""Ends of the names of tensors that only training uses."""

AFTER_TOKENS = ("decoder.", "decoder_norm.", "last.", "quantizer.outward.")
"""Beginnings of the names of the VQ-VAE's tensors that have no part in making tokens."""

LARGEST = {"codebook_size": 1 << 16, "book_size": 1 << 16}
LARGEST_ELSE = 4096
"""Upper bounds of the whole numbers in a configuration, so that no file makes a program fill the memory."""


@dataclass(frozen=True)
class Description:
    """Configuration and size of a checkpoint.

    Parameters
    ----------
    config : Mapping
        Of each group of tensors (``"vqvae"``, ``"vocoder"``).
    summary : Mapping
        Of its training.
    parameters : Mapping
        Weights of each group, without what only training uses.
    vocoder : Path or None
        File of the vocoder, where it is another one.
    """

    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    parameters: Mapping[str, int]
    vocoder: Path | None


def folder() -> Path:
    """Return the folder of the shipped checkpoints."""
    return shipped_folder("checkpoints")


def describe(path: Path) -> Description:
    """Read what a checkpoint says of itself.

    Raises
    ------
    InvalidInput
        If the file is missing, no checkpoint, or its configuration is out of bounds.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        config, summary = json.loads(metadata["config"]), json.loads(metadata["summary"])
        vocoder = json.loads(metadata.get("vocoder", "{}")).get("file", "")
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"cannot read the checkpoint {path}: {error}") from error
    except (KeyError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not a checkpoint of codecbench train: its metadata are damaged"
        ) from error
    if not isinstance(config, dict) or Path(vocoder).name != vocoder:
        raise InvalidInput(f"{path} is not a checkpoint of codecbench train: its metadata are damaged")
    _check_bounds(config, str(path))
    parameters: dict[str, int] = {}
    for name, shape in shapes.items():
        if not name.endswith(TRAINING_ONLY):
            group = name.partition(".")[0]
            parameters[group] = parameters.get(group, 0) + math.prod(shape)
    return Description(config, summary, parameters, path.with_name(vocoder) if vocoder else None)


def synthesis(description: Description, path: Path) -> SynthesisConfig:
    """Return how the samples of a checkpoint are made.

    Raises
    ------
    InvalidInput
        If its table `synthesis` has values that are unknown or out of bounds.
    """
    try:
        return build(SynthesisConfig, description.config.get("synthesis", {}), "synthesis")
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def token_id(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hexadecimal) of those of a VQ-VAE's tensors that make its tokens.

    Two checkpoints with the same one read each other's bytes: a decoder or a vocoder may improve.  Names are
    those of the first files, which knew one height of patches only.
    """
    from codecbench_spc.model.checkpoint import tensors_sha256

    making = {name: tensor for name, tensor in tensors.items() if not name.startswith(AFTER_TOKENS)}
    return tensors_sha256({name.replace("embed.0.", "embed."): tensor for name, tensor in making.items()})


def _check_bounds(value: object, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, int) and not 0 <= item <= LARGEST.get(key, LARGEST_ELSE):
                raise InvalidInput(f"{where}: {key} = {item} is out of bounds; the file is damaged")
            _check_bounds(item, where)
    elif isinstance(value, list):
        for item in value:
            _check_bounds({"": item}, where)
