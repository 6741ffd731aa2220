"""Remote worker: what a Dask worker runs for `codecbench.run.cluster`.

Each thread of a Dask worker has a process of its own here, as on one machine (`codecbench.run.pool`): a codec
that crashes, hangs or takes too much memory costs its cell, not the Dask worker.  Nothing of a worker's disk
is needed but codecs and their weights: speech that it cannot see comes with the task, kept speech goes back.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import codecbench
from codecbench import contract, registry, weights
from codecbench.errors import CodecBenchError, StorageError, told
from codecbench.files import sha256_or_unreadable, write_bytes_atomically
from codecbench.metric import RESAMPLER
from codecbench.run.cell import Outcome, Task, compute
from codecbench.run.devices import check_device
from codecbench.run.patience import Limits
from codecbench.run.plan import CELL_VERSION
from codecbench.run.pool import CannotStart, WorkerPool
from codecbench.store.manifest import device_kind

GPU = "GPU"
"""Dask resource of which a cell on CUDA takes one, from workers that declare it."""

RUNS_KEPT = 2
"""Runs whose processes a worker keeps: a new run gets fresh ones, which try anew what failed to load."""

_pools: OrderedDict[str, WorkerPool] = OrderedDict()
_guard = threading.Lock()


@dataclass(frozen=True)
class Setting:
    """What all tasks of a run share: its id, limits, and where the coordinator stands."""

    run: str
    limits: Limits
    folder: str = field(default_factory=os.getcwd)
    weights: str = field(default_factory=lambda: os.environ.get(weights.VARIABLE, ""))


@dataclass(frozen=True)
class Fitness:
    """What a worker must have to take part: versions, signatures of codecs by spec and of metrics by name."""

    versions: tuple[tuple[str, str], ...]
    codecs: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, str], ...]
    absent: tuple[str, ...] = ()
    """Metrics that the coordinator lacks too: their scores are missing with the reason, as on one machine."""
    device: str = "cpu"
    """What each worker must have, as ``--device`` has it."""


@dataclass(frozen=True)
class Found:
    """What a worker showed: why it cannot take part, "" if it can, and how many `GPU` it declares."""

    reason: str
    gpus: int = 0


@dataclass(frozen=True)
class Reply:
    """What came of a task: an outcome with kept files by name below the run's folder, or an error.

    ``blind`` says that the worker does not see the reference; the task must come with it.  ``unfit`` says why
    the worker at ``address`` can compute no cell, such as a full disk: that is no fault of the cell.
    """

    outcome: Outcome | None = None
    files: tuple[tuple[str, bytes], ...] = ()
    error: CodecBenchError | None = None
    blind: bool = False
    unfit: str = ""
    address: str = ""


def versions() -> tuple[tuple[str, str], ...]:
    """Return what must be the same everywhere besides signatures."""
    return (("codecbench", codecbench.__version__), ("cells", str(CELL_VERSION)), ("resampler", RESAMPLER))


def examine(setting: Setting, needed: Fitness, threads: int) -> Found:
    """Return whether this worker can take part."""
    from distributed import get_worker

    try:
        reason: str = _pool(setting, threads).submit(_unfit, setting, needed).result()
    except CodecBenchError as error:
        return Found(told(error))
    gpus = get_worker().state.total_resources.get(GPU, 0) if device_kind(needed.device) == "cuda" else 0
    return Found(reason, int(gpus))


def compute_there(setting: Setting, task: Task, reference: bytes | None, threads: int) -> Reply:
    """Compute one cell in a process of this worker; ``reference`` is the file's content where it is sent."""
    from distributed import get_worker

    worker = get_worker()
    try:
        return _compute_in(Path(worker.local_directory), setting, task, reference, threads)
    except (StorageError, CannotStart, OSError) as error:
        return Reply(unfit=told(error), address=worker.address)


def _compute_in(local: Path, setting: Setting, task: Task, reference: bytes | None, threads: int) -> Reply:
    utterance = task.cell.utterance
    if sha256_or_unreadable(utterance.path) != task.cell.digest:
        if reference is None:
            return Reply(blind=True)
        name = f"codecbench-{task.cell.digest[:32]}{utterance.path.suffix}"
        copy = local / name
        if not copy.exists():
            write_bytes_atomically(copy, reference)
        task = replace(task, cell=replace(task.cell, utterance=replace(utterance, path=copy)))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        try:
            mine = task if task.out is None else replace(task, out=out)
            outcome: Outcome = _pool(setting, threads).submit(_settled, setting, compute, (mine,)).result()
        except (StorageError, CannotStart):
            raise
        except CodecBenchError as error:
            return Reply(error=error)
        files = tuple(
            (path.relative_to(out).as_posix(), path.read_bytes()) for path in out.rglob("*") if path.is_file()
        )
    return Reply(outcome, files)


def let_go(run: str) -> None:
    """End the processes of a run; they finish what they are at."""
    with _guard:
        pool = _pools.pop(run, None)
    if pool is not None:
        pool.shutdown(wait=False)


def _pool(setting: Setting, threads: int) -> WorkerPool:
    with _guard:
        if setting.run not in _pools:
            # Dask's nanny marks its worker daemonic, which may have no children; ours end with it anyhow.
            multiprocessing.current_process().daemon = False
            _pools[setting.run] = WorkerPool(threads, setting.limits)
        oldest = _pools.popitem(last=False)[1] if len(_pools) > RUNS_KEPT else None
    if oldest is not None:
        oldest.shutdown(wait=False)
    return _pools[setting.run]


def _settled(setting: Setting, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function as the coordinator would: relative names and the folder of weights are its own."""
    if Path(setting.folder).is_dir():
        os.chdir(setting.folder)
    if setting.weights and Path(setting.weights).is_dir():
        os.environ[weights.VARIABLE] = setting.weights
    return function(*arguments)


def _unfit(setting: Setting, needed: Fitness) -> str:
    found: str = _settled(setting, _lack, (needed,))
    return found


def _lack(needed: Fitness) -> str:
    for (name, theirs), (_, here) in zip(needed.versions, versions(), strict=True):
        if theirs != here:
            return f"{name} is {here} there and {theirs} here"
    try:
        check_device(needed.device)
        for spec, signature in needed.codecs:
            codec = registry.codec(spec)
            contract.check_here(codec)
            if (here := contract.signature(codec)) != signature:
                return f"codec {spec} is {here} there and {signature} here"
        for name, signature in needed.metrics:
            metric = registry.metric(name)
            if (here := contract.signature(metric)) != signature:
                return f"metric {name} is {here} there and {signature} here"
            if name not in needed.absent:
                contract.check_here(metric)
    except CodecBenchError as error:
        return told(error)
    return ""
