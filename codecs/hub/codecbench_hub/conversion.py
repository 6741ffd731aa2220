"""Names and forms of weights: the authors' packages on one side, the hub's on the other.

EnCodec keeps its weight normalisation on both sides; DAC's hub weights have it folded in (magnitude times
direction, Salimans and Kingma 2016, eq. 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Rename = Callable[[str], str]

_ENCODEC = (
    (re.compile(r"^(encoder|decoder)\.model\."), r"\1.layers."),
    (re.compile(r"\.(conv|convtr)\.\1\."), ".conv."),
    (re.compile(r"^quantizer\.vq\.layers\.(\d+)\._codebook\."), r"quantizer.layers.\1.codebook."),
    (re.compile(r"\.weight_g$"), ".parametrizations.weight.original0"),
    (re.compile(r"\.weight_v$"), ".parametrizations.weight.original1"),
)
_RESIDUAL = ("snake1", "conv1", "snake2", "conv2")
_ENDS = ("conv1", "snake1", "conv2")


def encodec_name(name: str) -> str:
    """Return the hub's name of a weight of the package ``encodec``."""
    for pattern, replacement in _ENCODEC:
        name = pattern.sub(replacement, name)
    return name


def dac_name(name: str, blocks: int) -> str:
    """Return the hub's name of a weight of the package ``descript-audio-codec``, so many blocks."""
    side, _, rest = name.partition(".")
    if side not in {"encoder", "decoder"}:
        return name
    _, index, *inner, last = rest.split(".")
    position = int(index)
    if position == 0 or position > blocks:
        return ".".join([side, _ENDS[max(0, position - blocks)], last])
    return ".".join(
        [side, "block", str(position - 1), *_block_name(side, [int(i) for i in inner[1::2]]), last]
    )


def to_hub(state: Mapping[str, Tensor], rename: Rename) -> dict[str, Tensor]:
    """Return a package's state under the hub's names."""
    return {rename(name): value for name, value in state.items()}


def from_hub(state: Mapping[str, Tensor], names: Iterable[str], rename: Rename) -> dict[str, Tensor]:
    """Return the hub's state under a package's names.

    Raises
    ------
    KeyError
        With the name that the hub's state lacks.
    """
    modern = {_modern(name): value for name, value in state.items()}
    return {name: modern[rename(name)] for name in names}


def fold_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state in which each ``weight_g``, ``weight_v`` pair has become the weight itself."""
    folded = {}
    for name, value in state.items():
        if name.endswith("weight_g"):
            direction = state[name.removesuffix("g") + "v"]
            axes = tuple(range(1, direction.ndim))
            folded[name.removesuffix("_g")] = value * direction / direction.norm(dim=axes, keepdim=True)
        elif not name.endswith("weight_v"):
            folded[name] = value
    return folded


def _block_name(side: str, path: list[int]) -> list[str]:
    """Return the hub's names inside a block: three residual units and a strided convolution."""
    first, *deeper = path
    units = range(3) if side == "encoder" else range(2, 5)
    if first in units:
        return [f"res_unit{units.index(first) + 1}", _RESIDUAL[deeper[0]]]
    if side == "encoder":
        return [{3: "snake1", 4: "conv1"}[first]]
    return [{0: "snake1", 1: "conv_t1"}[first]]


def _modern(name: str) -> str:
    """Return the name that weight normalisation has had since torch 2.0."""
    for pattern, replacement in _ENCODEC[-2:]:
        name = pattern.sub(replacement, name)
    return name
