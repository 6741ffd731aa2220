"""Validation of what plugins return, cast to plain types: coded speech, waves, scores, delays.

Anything else raises `BadReturn`, which costs that cell or score and nothing more.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from codecbench.codec import Coded, Codes, Wave
from codecbench.errors import BadReturn, Unscorable
from codecbench.plain import kind, number, shown, whole
from codecbench.text import one_line

MAX_CONTAINER_BYTES = 1 << 30
MAX_TOKEN = (1 << 32) - 1
"""Tokens are stored in at most 32 bits."""

MAX_TOKENS_A_SAMPLE = 8
FREE_TOKENS = 1 << 16
"""So many tokens any utterance may have, however short."""


def lend(wave: Wave) -> Wave:
    """Return a copy of a wave for a plugin, read-only: who works in place fails, and harms nobody else."""
    copy = wave.copy()
    copy.flags.writeable = False
    return copy


def check_unchanged(lent: Wave, wave: Wave, what: str) -> None:
    """Raise `BadReturn` if a plugin has written into what was lent to it, past numpy's protection."""
    if lent.shape != wave.shape or not np.array_equal(lent, wave):
        raise BadReturn(f"{what} was given a read-only wave and changed it in place; copy it first")


def coded(value: Any, length: int) -> Coded:
    """Return what an encoder gave for ``length`` samples, as plain types."""
    if not isinstance(value, Coded):
        raise BadReturn(f"the encoder gave {kind(value)}, not Coded(payload, length, ...)")
    payload = value.payload
    if not isinstance(payload, bytes | bytearray | memoryview):
        raise BadReturn(f"the encoder gave a payload of type {kind(payload)}, not bytes")
    # A view looks past what a subclass says of itself.
    payload = memoryview(payload).tobytes()
    if whole(value.length) != length:
        raise BadReturn(f"the encoder says {shown(value.length)} samples, {length} went in")
    return Coded(
        payload,
        length,
        _whole(value.container_bytes, "container_bytes", 0, MAX_CONTAINER_BYTES),
        _packets(value.packet_bytes, len(payload)),
        None if value.codes is None else _codes(value.codes, length),
    )


def wave(value: Any, length: int) -> Wave:
    """Return a decoder's wave as float32 [length], finite, read-only and no one else's memory."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim != 1:
        raise BadReturn(f"the decoder gave {kind(value)}, not a mono wave, float32 [T]")
    if value.size != length:
        raise BadReturn(f"the decoder gave {value.size} samples, {length} went in")
    with np.errstate(over="ignore"):
        plain = np.array(value, dtype=np.float32, subok=False)
    if not np.isfinite(plain).all():
        raise BadReturn("the decoder gave NaN or infinite samples")
    plain.flags.writeable = False
    return plain


def several(value: Any, many: int, what: str) -> Sequence[Any]:
    """Return what a codec gave for so many utterances, an object each."""
    if not isinstance(value, list | tuple) or len(value) != many:
        raise BadReturn(f"{what} gave {kind(value)}, not a list of {many}")
    return value


def score(value: Any, name: str) -> float:
    """Return a metric's score as a float; raise `Unscorable` where it is not finite."""
    found = number(value)
    if found is None:
        raise BadReturn(f"{name} gave {kind(value)}, not a number; raise Unscorable where there is no score")
    if not -sys.float_info.max <= found <= sys.float_info.max:
        raise Unscorable(f"{name} gave {shown(found)}")
    return float(found)


def weight(value: Any, name: str) -> float:
    """Return what an utterance counts in a metric's means: a finite number above 0."""
    found = number(value)
    if found is None or not 0 < found < math.inf:
        raise BadReturn(f"{name} gave the weight {shown(value)}, not a finite number above 0")
    return float(found)


def delay_ms(value: Any) -> float | None:
    """Return a codec's algorithmic delay: finite and not negative, or None."""
    if value is None:
        return None
    found = number(value)
    if found is None or not 0 <= found < math.inf:
        raise BadReturn(f"delay_ms is {shown(value)}, not a finite number of ms from 0, or None")
    return float(found)


def text(value: Any, what: str) -> str:
    """Return a plugin's text, as one line."""
    if not isinstance(value, str):
        raise BadReturn(f"{what} is {kind(value)}, not text")
    return one_line(value)


def _codes(value: Any, length: int) -> Codes:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "iu":
        raise BadReturn(f"codes are {kind(value)}, not whole numbers [streams, steps]")
    if value.size > max(FREE_TOKENS, MAX_TOKENS_A_SAMPLE * length):
        raise BadReturn(f"codes hold {value.size} tokens, over {MAX_TOKENS_A_SAMPLE} a sample")
    plain = np.array(value, subok=False)
    if plain.size and not (int(plain.min()) >= 0 and int(plain.max()) <= MAX_TOKEN):
        raise BadReturn(
            f"codes run from {plain.min()} to {plain.max()}; tokens lie between 0 and {MAX_TOKEN}"
        )
    return plain.astype(np.int64)


def _packets(value: Any, total: int) -> tuple[int, ...]:
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str | bytes):
        raise BadReturn(f"packet_bytes is {kind(value)}, not a tuple of sizes")
    if len(value) > max(1, total):
        raise BadReturn(f"{len(value)} packets in a payload of {total} bytes")
    sizes = tuple(_whole(size, "packet_bytes", 0, total) for size in value)
    if sizes and sum(sizes) != total:
        raise BadReturn(f"packets of {sum(sizes)} bytes in all do not make up the payload of {total}")
    return sizes


def _whole(value: Any, what: str, low: int, high: int) -> int:
    number = whole(value)
    if number is None:
        raise BadReturn(f"{what} is {shown(value)}, not a whole number")
    if not low <= number <= high:
        raise BadReturn(f"{what} is {shown(number)}, not between {low} and {high}")
    return number
