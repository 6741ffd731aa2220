"""Checks of values that a plugin gives of itself: each comes back as Python's own type, or raises `Wrong`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from codecbench.errors import CodecBenchError
from codecbench.plain import flag, kind, number, shown, whole
from codecbench.text import one_line

T = TypeVar("T")

RATES_HZ = (1_000, 384_000)


class Wrong(CodecBenchError):
    """What is wrong, still without whose."""


def text(value: Any, what: str, least: int = 0) -> str:
    """Return one line of printable text, of ``least`` letters or more."""
    if not isinstance(value, str):
        raise Wrong(f"{what} is {kind(value)}, not text")
    if len(value) < least:
        raise Wrong(f"{what} is empty")
    if one_line(value) != value:
        raise Wrong(f"{what} is {shown(value)}; it must be one line of printable text")
    return str(value)


def bibtex(value: Any) -> str:
    """Return an entry for a bibliography, or empty text."""
    if not isinstance(value, str):
        raise Wrong(f"bibtex is {kind(value)}, not text")
    for line in value.splitlines():
        if not line.replace("\t", " ").isprintable():
            raise Wrong("bibtex holds characters that do not print")
    if value and not re.fullmatch(r"@\w+\{[\w:.+/-]+\s*,.*\}\s*", value.strip(), re.DOTALL):
        raise Wrong(f"bibtex begins with {shown(value[:20])}; an entry is @type{{key, ...}}")
    return value


def truth(value: Any, what: str) -> bool:
    """Return a truth value."""
    found = flag(value)
    if found is None:
        raise Wrong(f"{what} is {shown(value)}, not True or False")
    return found


def count(value: Any, what: str) -> int:
    """Return a whole number from 0."""
    found = whole(value)
    if found is None or found < 0:
        raise Wrong(f"{what} is {shown(value)}, not a whole number from 0")
    return found


def rate(value: Any, what: str) -> int:
    """Return a sample rate in Hz within `RATES_HZ`."""
    low, high = RATES_HZ
    found = whole(value)
    if found is None or not low <= found <= high:
        raise Wrong(f"{what} is {shown(value)}, not a whole number from {low} to {high}")
    return found


def positive(value: Any, what: str) -> float:
    """Return a finite number above 0."""
    found = number(value)
    if found is None or not 0 < found < math.inf:
        raise Wrong(f"{what} is {shown(value)}, not a finite number above 0")
    return found


def not_negative(value: Any, what: str) -> float:
    """Return a finite number from 0."""
    found = number(value)
    if found is None or not 0 <= found < math.inf:
        raise Wrong(f"{what} is {shown(value)}, not a finite number from 0")
    return found


def maybe(check: Callable[[Any, str], T], value: Any, what: str) -> T | None:
    """Return None for None, else what the check makes of the value."""
    return None if value is None else check(value, what)
