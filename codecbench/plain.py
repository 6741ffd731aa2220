"""Casts to plain values: numpy's numbers become Python's, wrong values can be shown."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from codecbench.text import one_line


def number(value: Any) -> int | float | None:
    """Return a real number of Python or numpy as Python's, None for anything else; truth values are none."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    if isinstance(value, int):
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def whole(value: Any) -> int | None:
    """Return a whole number of Python or numpy as Python's, None for anything else."""
    found = number(value)
    return found if isinstance(found, int) else None


def flag(value: Any) -> bool | None:
    """Return a truth value of Python or numpy as Python's, None for anything else."""
    return bool(value) if isinstance(value, bool | np.bool_) else None


def kind(value: Any) -> str:
    """Name a value by its type: an array with dtype and shape, a tuple or list with its length."""
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {list(value.shape)}"
    size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
    return one_line(f"{type(value).__name__}{size}", 60)


def shown(value: Any) -> str:
    """Show a value where it is of a plain type, otherwise its type; always one short line."""
    if isinstance(value, int | float | str | bytes | np.generic) or value is None:
        try:
            return one_line(repr(value), 60)
        except Exception:
            return kind(value)  # a subclass whose own repr raises
    return kind(value)
