"""Coding as the runner times it: of one utterance, or of several of like length at once.

What is coded at once takes its share of the time by length; bytes and samples are those of one at a time,
which a codec promises by `codecbench.codec.Codec.batches`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from codecbench import calls
from codecbench.codec import Codec, Coded, OperatingPoint, Wave

T = TypeVar("T")


@dataclass(frozen=True)
class Made:
    """What a codec made of one utterance, and the seconds that it took."""

    coded: Coded
    encode_s: float
    decoded: Wave
    decode_s: float


def code(codec: Codec, wave: Wave, point: OperatingPoint, device: str) -> Made:
    """Code one utterance, float32 [T] at the codec's rate."""
    timer = partial(timed, device)
    coded, encode_s = calls.encode(codec, wave, point, timer)
    decoded, decode_s = calls.decode(codec, coded, point, timer)
    return Made(coded, encode_s, decoded, decode_s)


def code_together(codec: Codec, waves: Sequence[Wave], point: OperatingPoint, device: str) -> list[Made]:
    """Code utterances at once, each float32 [T] at the codec's rate; raises what the codec raises."""
    timer = partial(timed, device)
    coded, encode_s = calls.encode_batch(codec, waves, point, timer)
    decoded, decode_s = calls.decode_batch(codec, coded, point, timer)
    shares = [wave.size / sum(each.size for each in waves) for wave in waves]
    return [
        Made(one, share * encode_s, speech, share * decode_s)
        for one, speech, share in zip(coded, decoded, shares, strict=True)
    ]


def timed(device: str, work: Callable[[], T]) -> tuple[T, float]:
    """Call a function and return its result and the seconds until a device has done its work."""
    _synchronise(device)
    begin = time.perf_counter()
    result = work()
    _synchronise(device)
    return result, time.perf_counter() - begin


def _synchronise(device: str) -> None:
    """Wait for the accelerator, so that time is taken of work done, not of work queued."""
    torch = sys.modules.get("torch")
    if torch is not None and device != "cpu" and torch.accelerator.is_available():
        torch.accelerator.synchronize(device)
