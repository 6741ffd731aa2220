"""Tables of the context model: learned integers, in a safetensors file bound to one checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench.errors import InvalidInput
from codecbench.files import write_bytes_atomically

RATES = (12, 10, 8, 6)
"""Bits a token that a table knows, in the order of its first bias."""

NEIGHBOURS: tuple[tuple[int, int], ...] = (
    *((row, -1) for row in (-2, -1, 0, 1, 2)),
    *((row, -2) for row in (-1, 0, 1)),
    (0, -3),
    *((row, 0) for row in (-3, -2, -1, 1, 2, 3)),
)
"""Where the network looks, as (rows, columns) from the place to be coded."""

FORMAT = "codecbench-spc-context-1"


@dataclass(frozen=True)
class Tables:
    """The learned integers of a context model.

    Parameters
    ----------
    embedding : int8 [K + 1, D]
        A vector of each code as a neighbour; the last one stands for a neighbour that is not there.
    hidden : int8 [15 D, H], hidden_bias : int32 [4, F, H]
        First layer; its bias depends on the bits a token (`RATES`) and on the row.
    middle : int8 [H, H], middle_bias : int32 [H]
        Second layer.
    last : int8 [H, E], last_bias : int32 [E]
        Third layer.
    codes : int8 [E, K], codes_bias : int32 [4, K]
        Scores of the codes, with a bias of their own for each of `RATES`.
    """

    embedding: NDArray[np.int8]
    hidden: NDArray[np.int8]
    hidden_bias: NDArray[np.int32]
    middle: NDArray[np.int8]
    middle_bias: NDArray[np.int32]
    last: NDArray[np.int8]
    last_bias: NDArray[np.int32]
    codes: NDArray[np.int8]
    codes_bias: NDArray[np.int32]


def save(
    path: Path,
    tables: Tables,
    model_id: str,
    bits_per_token: Mapping[str, float],
    summary: Mapping[str, object],
) -> None:
    """Write a table file (safetensors) atomically; `summary` says how it was trained."""
    from safetensors.numpy import save as serialise

    metadata = {
        "format": FORMAT,
        "model_id": model_id,
        "bits_per_token": json.dumps(dict(bits_per_token), sort_keys=True),
        "training": json.dumps(dict(summary), sort_keys=True),
    }
    arrays = {field.name: getattr(tables, field.name) for field in fields(Tables)}
    write_bytes_atomically(path, serialise(arrays, metadata))


def rates(path: Path) -> dict[str, float]:
    """Return the measured bits a token that a table file states, by operating mode; the tables are not read.

    Raises
    ------
    InvalidInput
        If the file is no table file.
    """
    return read(path, with_tables=False)[1]


def read(
    path: Path, with_tables: bool = True
) -> tuple[dict[str, str], dict[str, float], dict[str, NDArray[Any]]]:
    """Return metadata, measured bits a token by operating mode, and the arrays of a table file.

    Raises
    ------
    InvalidInput
        If the file is damaged or no table file.
    """
    from safetensors import SafetensorError, safe_open

    names = [field.name for field in fields(Tables)] if with_tables else []
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in names}
        bits_per_token = {
            str(name): float(bits) for name, bits in json.loads(metadata["bits_per_token"]).items()
        }
    except (OSError, SafetensorError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(
            f"{path} is not a table file of the context model; train or download it again"
        ) from error
    if metadata.get("format") != FORMAT:
        raise InvalidInput(f"{path} has format {metadata.get('format')!r}, this version reads {FORMAT!r}")
    return metadata, bits_per_token, arrays


def check_shapes(tables: Tables) -> None:
    """Refuse tables whose shapes or types do not fit each other, in one line that names the table."""
    slots, dimension = len(NEIGHBOURS), tables.embedding.shape[-1]
    hidden, last, size = tables.middle.shape[-1], tables.last.shape[-1], tables.codes.shape[-1]
    rows = tables.hidden_bias.shape[1] if tables.hidden_bias.ndim == 3 else 0
    expected: dict[str, tuple[type, tuple[int, ...]]] = {
        "embedding": (np.int8, (size + 1, dimension)),
        "hidden": (np.int8, (slots * dimension, hidden)),
        "hidden_bias": (np.int32, (len(RATES), rows, hidden)),
        "middle": (np.int8, (hidden, hidden)),
        "middle_bias": (np.int32, (hidden,)),
        "last": (np.int8, (hidden, last)),
        "last_bias": (np.int32, (last,)),
        "codes": (np.int8, (last, size)),
        "codes_bias": (np.int32, (len(RATES), size)),
    }
    for name, (dtype, shape) in expected.items():
        array = getattr(tables, name)
        if array.dtype != dtype or array.shape != shape or 0 in shape:
            raise InvalidInput(
                f"context table {name!r} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}; "
                "train or download it again"
            )
