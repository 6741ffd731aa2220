"""Validation of JSON on reading: a wrong field is named with its file, line and place.

A check is a function of a value and the place it stands at, which raises `Wrong`; checks of lists, maps and
records are made of those of their parts.  Fields that a check does not know are left alone, so that a newer
version may add some.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.text import one_line

Check = Callable[[object, str], None]

MOST_LETTERS = 1 << 20
MOST_BYTES = 1 << 30
"""No file of ours is larger; the bound keeps a wrong path from filling memory."""

_LONE = re.compile("[\ud800-\udfff]")


class Wrong(ValueError):
    """A field that is not what its format says; the message names it."""


def read_json(path: Path, check: Check, what: str, advice: str) -> object:
    """Read and check a JSON file.

    Parameters
    ----------
    path : Path
        The file.
    check : callable
        What it must be.
    what, advice : str
        What that is called, and what to do where the file is not that, in words.

    Raises
    ------
    InvalidInput
        If it cannot be read, is not JSON, or has a wrong field; errors of a missing file pass.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Wrong(f"it is larger than {MOST_BYTES >> 20} MiB")
        value = parse_json(path.read_bytes())
        check(value, "")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except Wrong as error:
        raise InvalidInput(f"{path}: not {what}: {error}; {advice}") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check permissions") from None
    return value


def parse_json(data: bytes) -> object:
    """Return what JSON says; raises `Wrong`.  Numbers are finite and texts valid Unicode."""
    try:
        value: object = _decoder().decode(data.decode(json.detect_encoding(data), "surrogatepass"))
    except RecursionError:
        raise Wrong("it is nested too deeply to be JSON of ours") from None
    except Wrong:
        raise
    except ValueError as error:
        raise Wrong(f"it cannot be read as JSON ({one_line(str(error), 120)})") from None
    return _valid_unicode(value) if b"\\ud" in data.lower() else value


def text(most: int = MOST_LETTERS) -> Check:
    """Return a check for text of at most so many letters."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, str):
            raise _wrong(value, where, "text")
        if len(value) > most:
            raise Wrong(f"{_field(where)} has {len(value)} letters where {most} are the most")

    return check


def number(low: float = -math.inf, high: float = math.inf) -> Check:
    """Return a check for a finite number within limits."""
    least, most = max(low, -sys.float_info.max), min(high, sys.float_info.max)

    def check(value: object, where: str) -> None:
        if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
            raise _wrong(value, where, f"a number from {low:g} to {high:g}")

    return check


def whole(low: int = 0, high: int = 1 << 53) -> Check:
    """Return a check for a whole number within limits."""

    def check(value: object, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise _wrong(value, where, f"a whole number from {low} to {high}")

    return check


def truth(value: object, where: str) -> None:
    """Check for true or false."""
    if type(value) is not bool:
        raise _wrong(value, where, "true or false")


def anything(value: object, where: str) -> None:
    """Check nothing."""


def one_of(*known: object) -> Check:
    """Return a check for one of some values, of the same type."""
    types = {type(item) for item in known}

    def check(value: object, where: str) -> None:
        if type(value) not in types or value not in known:
            raise _wrong(value, where, " or ".join(map(repr, known)))

    return check


def maybe(inner: Check) -> Check:
    """Return a check that null passes too."""

    def check(value: object, where: str) -> None:
        if value is not None:
            inner(value, where)

    return check


def list_of(inner: Check, low: int = 0, high: int = 1 << 24) -> Check:
    """Return a check for a list."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise _wrong(value, where, "a list" if low == 0 else f"a list of {low} or more")
        for index, item in enumerate(value):
            inner(item, f"{where}[{index}]")

    return check


def map_of(inner: Check) -> Check:
    """Return a check for an object with any names."""

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        try:
            for item in value.values():
                inner(item, "")
        except Wrong:  # only then is it worth spelling out the place
            for name, item in value.items():
                inner(item, f"{where}.{name}")

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return a check for an object with these fields."""
    optional = optional or {}
    known = {**required, **optional}

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        try:
            for name, item in value.items():
                if name in known:
                    known[name](item, "")
            if required.keys() <= value.keys():
                return
        except Wrong:
            pass
        _say_what_is_wrong(value, where, required, known)

    return check


def _say_what_is_wrong(
    value: Mapping[str, object], where: str, required: Mapping[str, Check], known: Mapping[str, Check]
) -> None:
    """Raise `Wrong` for the first wrong or missing field of an object, its place spelled out."""
    for name, inner in known.items():
        if name in value:
            inner(value[name], f"{where}.{name}")
        elif name in required:
            raise Wrong(f"{_field(f'{where}.{name}')} is missing")


def distinct(place: str, inner: Check) -> Check:
    """Return a check for a list of objects no two of which have the same value at a field."""

    def check(value: object, where: str) -> None:
        inner(value, where)
        assert isinstance(value, list)
        seen = set()
        for index, item in enumerate(value):
            if item[place] in seen:
                raise Wrong(
                    f"{_field(f'{where}[{index}].{place}')} is {_shown(item[place])} for the second time"
                )
            seen.add(item[place])

    return check


def _wrong(value: object, where: str, wanted: str) -> Wrong:
    return Wrong(f"{_field(where)} is {_shown(value)}, not {wanted}")


def _field(where: str) -> str:
    return f"the field {one_line(where.lstrip('.'), 120)!r}" if where else "the whole"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a huge number"
    return one_line(json.dumps(value, ensure_ascii=False), 60)


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_no_constant)


def _no_constant(name: str) -> float:
    raise Wrong(f"it has the number {name}, which JSON does not know")


def _valid_unicode(value: object) -> object:
    """Return the value with each lone surrogate as its escape: no file of text can hold one."""
    if isinstance(value, str):
        return _LONE.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    if isinstance(value, list):
        return [_valid_unicode(item) for item in value]
    if isinstance(value, dict):
        return {str(_valid_unicode(name)): _valid_unicode(item) for name, item in value.items()}
    return value
