"""Worker state between cells: opened codecs and metrics, the current reference."""

from __future__ import annotations

import hashlib
import platform
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from codecbench import audio, calls, contract, registry
from codecbench.codec import Codec, Wave
from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.files import sha256_or_unreadable
from codecbench.guard import guarded
from codecbench.metric import Metric
from codecbench.run.plan import HELD_PARAMETERS, Cell

K = TypeVar("K")
T = TypeVar("T")


@dataclass
class _Held:
    """Errors are kept too: what failed to load is not tried again."""

    codecs: OrderedDict[tuple[str, str], Codec | Exception] = field(default_factory=OrderedDict)
    metrics: dict[str, Metric | Exception] = field(default_factory=dict)


_held = _Held()


def forget() -> None:
    """Let go of everything held, as a fresh process would have it."""
    _held.codecs.clear()
    _held.metrics.clear()
    reference.cache_clear()


@lru_cache(maxsize=6)
def reference(path: Path, digest: str, rate_hz: int | None) -> tuple[Wave, int]:
    """Return the reference at a rate, at its own for None; refuse a file of another digest than planned."""
    if rate_hz is None:
        if sha256_or_unreadable(path) != digest:
            raise InvalidInput(f"{path}: has changed since the run began; the same command computes it anew")
        return audio.load(path)
    wave, own_hz = reference(path, digest, None)
    return audio.resample(wave, own_hz, rate_hz), rate_hz


def at(cell: Cell, rate_hz: int) -> Wave:
    """Return a cell's reference at a rate."""
    return reference(cell.utterance.path, cell.digest, rate_hz)[0]


def open_codec(cell: Cell, device: str) -> Codec:
    """Return the cell's codec, opened in this process; the last used are kept, as the plan counts on."""

    def make() -> Codec:
        codec = registry.codec(cell.spec)
        _same(contract.signature(codec), cell.signature, f"codec {cell.codec!r}")
        calls.open_codec(codec, device)
        _warm_up(codec, cell)
        return codec

    opened = _once(_held.codecs, (cell.spec, device), make)
    _held.codecs.move_to_end((cell.spec, device))
    while len(_held.codecs) > 1 and sum(map(_weights, _held.codecs.values())) > HELD_PARAMETERS:
        _held.codecs.popitem(last=False)
    return opened


def _weights(opened: Codec | Exception) -> int:
    return 0 if isinstance(opened, Exception) else opened.info.parameters or 0


def open_metric(metric: Metric) -> Metric:
    """Return the metric, opened in this process; raises what its `check` or `open` raised."""

    def make() -> Metric:
        contract.check_here(metric)
        with guarded(loading=True):
            metric.open()
        return metric

    return _once(_held.metrics, metric.signature(), make)


def batch(turns: str) -> str | None:
    """Return the name of a call together with this machine's, a cluster having several; None without one."""
    return hashlib.sha256(f"{turns} {platform.node()}".encode()).hexdigest()[:16] if turns else None


def _once(held: MutableMapping[K, T | Exception], key: K, make: Callable[[], T]) -> T:
    if key not in held:
        try:
            held[key] = make()
        except Exception as error:
            held[key] = error
    found = held[key]
    if isinstance(found, Exception):
        raise found.with_traceback(None)
    return found


def _same(here: str, planned: str, what: str) -> None:
    if here != planned:
        raise CodecBenchError(
            f"{what} is {here} in the worker and {planned} in the plan; install the same version everywhere"
        )


def _warm_up(codec: Codec, cell: Cell) -> None:
    """Code one second before a codec's first timed cell; what it raises, the cell will raise again."""
    rate_hz = codec.info.sample_rate_hz
    with suppress(Exception):
        coded, _ = calls.encode(codec, at(cell, rate_hz)[:rate_hz], cell.point)
        calls.decode(codec, coded, cell.point)
