"""Configuration tables read into frozen dataclasses, unknown keys refused; where the package's files lie."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from codecbench.errors import InvalidInput

T = TypeVar("T")


def shipped_folder(name: str) -> Path:
    """Return a folder of files that come with the package: inside it in a wheel, else beside it."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def build(kind: type[T], table: Any, where: str) -> T:
    """Fill a dataclass from a table, level by level."""
    if not isinstance(table, Mapping):
        raise InvalidInput(f"{where}: a table is needed, not {table!r}")
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(hints)}"
            raise InvalidInput(f"{where}: unknown key {key!r}{hint}")
    try:
        return kind(**{key: convert(hints[key], value, f"{where}: {key}") for key, value in table.items()})
    except TypeError as error:
        raise InvalidInput(f"{where}: {error}") from error


def convert(hint: Any, value: Any, where: str) -> Any:
    """Check a value of TOML against the type of its field."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict and isinstance(value, Mapping):
        return {key: convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            return tuple(convert(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    if origin is types.UnionType and value is None:
        return None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise InvalidInput(f"{where}: {value!r} is not of type {hint if origin else hint.__name__}")
