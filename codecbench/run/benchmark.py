"""Benchmark driver: from a plan to a stored run, all that ``codecbench run`` does but parse and print."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecbench import contract
from codecbench.data.sets import Dataset
from codecbench.errors import InvalidInput, WrongUsage
from codecbench.run.cell import Task
from codecbench.run.describe import describe
from codecbench.run.devices import check_device, parse_devices
from codecbench.run.executors import check_options, make_executor
from codecbench.run.footprint import with_peaks
from codecbench.run.patience import Limits
from codecbench.run.plan import Cell, LeftOut, Plan, require_something
from codecbench.run.pool import cores, end_in_worker
from codecbench.run.recoding import DEFAULT_RECODED
from codecbench.run.runner import RERUN, Summary, run
from codecbench.run.settle import Delays, unsettled
from codecbench.run.shard import parse_shard
from codecbench.run.there import Fitness, versions
from codecbench.run.todo import todo
from codecbench.run.together import batched
from codecbench.store import manifest as manifests
from codecbench.store.delete import delete_run
from codecbench.store.layout import MANIFEST
from codecbench.store.records import Record
from codecbench.store.store import Run, Store, load_run, read_manifest

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_AUDIO = 12


@dataclass(frozen=True)
class Benchmarked:
    """What came of a benchmark.

    Parameters
    ----------
    run : Run
        All that the folder holds now: ``run.records`` is a table of a row a cell.
    left_out : tuple of LeftOut
        What the plan asked for and could not run.
    computed, failed : int
        Cells computed this time, and how many of them gave no decoded speech.
    """

    run: Run
    left_out: tuple[LeftOut, ...]
    computed: int
    failed: int

    @property
    def complete(self) -> bool:
        """Whether nothing was left out, no cell failed this time, and every metric scored something."""
        return not self.left_out and not self.failed and not self.run.unscored

    def failures(self) -> pd.DataFrame:
        """Return why cells failed, earlier ones too: codec, error and count, the most frequent first."""
        counts = self.run.failures.groupby(["codec", "error"], sort=False).size().rename("count")
        return counts.reset_index().sort_values("count", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Watch:
    """Who is told how a benchmark goes on; nobody by default.

    ``note`` gets a sentence; ``ready`` is called once the run is known to fit its folder; ``begin`` gets the
    number of cells to compute, ``record`` each record once it is stored, ``slow`` what a cell that has not
    ended was started with and the seconds it has worked.
    """

    note: Callable[[str], None] = lambda _: None
    begin: Callable[[int], None] = lambda _: None
    record: Callable[[Record], None] = lambda _: None
    slow: Callable[[tuple[Any, ...], float], None] = lambda *_: None
    ready: Callable[[], None] = lambda: None


def benchmark(
    plan: Plan,
    out: str | Path,
    *,
    workers: int | None = None,
    executor: str = "processes",
    scheduler: str = "",
    timeout_s: float | None = None,
    memory_gb: float | None = None,
    device: str = "cpu",
    align: str = "codec",
    rerun: str = "missing",
    audio: int | str = DEFAULT_AUDIO,
    recode: int | str = DEFAULT_RECODED,
    overwrite: bool = False,
    shard: str = "",
    costs: bool = False,
    batch: int = 1,
    command: Sequence[str] = (),
    watch: Watch = Watch(),
) -> Benchmarked:
    """Compute the cells of a plan that a folder does not hold yet, and return all that it holds then.

    Records are stored the moment they exist; the same call continues an interrupted run.

    Parameters
    ----------
    plan : Plan
        What to compute, see `codecbench.make_plan`.
    out : str or Path
        Folder of the run; made where missing.
    workers : int, optional
        Number of processes, by default one a core.
    executor, scheduler : str
        ``"processes"`` (isolated), ``"serial"`` (in this process) or ``"dask"`` with its scheduler's address.
    timeout_s : float, optional
        Longest time for one cell in seconds, loading included.
    memory_gb : float, optional
        Most memory of one process in GB, loaded models included.
    device : str
        For neural codecs: ``"cpu"``, ``"cuda"`` or ``"mps"``; of several, as ``"cuda:0,cuda:1"``, each worker
        takes one.
    align : str
        What is undone before scoring: the lag of a ``"codec"`` at a point, of each ``"file"``, or ``"none"``.
    rerun : str
        Which stored cells to compute again: ``"missing"`` (none), ``"failed"`` or ``"all"``.
    audio : int or str
        Keep decoded speech of so many utterances (speaker-balanced), of ``"all"`` or of ``"none"``.
    recode : int or str
        Have token codecs code the decoded speech of so many utterances again, which tells how stable tokens
        are; chosen as for ``audio``, of the cells that are computed now.
    overwrite : bool
        Delete the run that the folder holds first.
    shard : str
        ``"3/8"`` computes the third of eight parts only, into ``out/shard-3-of-8``, see
        `codecbench.run.shard`.
    costs : bool
        Measure time and memory so that codecs can be compared by them: they take turns on each utterance, and
        processes of their own tell each point's peak memory (with ``executor="processes"``).
    batch : int
        Most utterances of like length that a codec which can do so (`Codec.batches`) codes at once; records
        are the same but for times.
    command : sequence of str
        What the manifest shall say the run was started with.
    watch : Watch
        Who is told how it goes on.

    Raises
    ------
    InvalidInput
        If an option cannot be used, or the folder holds a run that does not compare with this one.
    CodecBenchError
        If the plan has nothing to run, or the executor breaks.
    StorageError
        If a record or its audio cannot be written; what is stored stays whole.

    Notes
    -----
    Worker processes import the main module anew, as always with Python's ``spawn``: a script (not a notebook)
    calls this under ``if __name__ == "__main__":``, or with ``executor="serial"``.
    """
    end_in_worker()
    part = parse_shard(shard)
    out = part.folder(Path(out)) if part else Path(out)
    _check(rerun, workers)
    limits = Limits(timeout_s, memory_gb)
    check_options(executor, limits, scheduler)
    devices = parse_devices(device)
    device = ",".join(devices)
    if len(set(devices)) > 1:
        _check_several(executor, costs)
    _check_batch(batch, executor, costs)
    kept = chosen(plan.dataset, audio, "--audio")
    recoded = chosen(plan.dataset, recode, "--recode")
    require_something(plan)
    if overwrite:
        _check_device(executor, device)
        delete_run(out)
    elif (out / MANIFEST).exists():
        read_manifest(out)  # refuses before anything is written into a folder that is not ours
    described = describe(plan, device=device, audio=kept, recoded=recoded, command=command, align=align)
    with Store(out) as store:
        merged = _merged(store, described)
        _check_device(executor, device)
        if store.repaired_bytes:
            watch.note(
                f"removed an incomplete last line of {store.repaired_bytes} bytes; its cell is computed again"
            )
        store.write_manifest(merged)
        watch.ready()

        turns = uuid.uuid4().hex if costs else ""

        def task_of(cell: Cell) -> Task:
            ident = cell.utterance.id
            folder = out if ident in kept else None
            return Task(cell, plan.metrics, device, folder, align, turns=turns, recode=ident in recoded)

        ours = replace(part.of(plan) if part else plan, in_turns=costs)
        work = todo(ours, store, task_of, merged, rerun=rerun, audio=kept)
        watch.note(str(work))
        if batch > 1 and not any(entry.codec.batches for entry in plan.contestants):
            watch.note("no codec here codes several utterances at once: --batch changes nothing")
        tasks, stored = work.tasks, work.stored
        summary = Summary()
        if tasks or unsettled(stored, store, Delays(store)):
            if tasks:
                watch.begin(len(tasks))
            slots = min(workers or cores(), len(ours))
            if executor == "processes" and slots < len(set(devices)):
                watch.note(f"{slots} workers use {slots} of {len(set(devices))} devices; raise --workers")
            with make_executor(
                executor, slots, limits, scheduler, watch.slow, needed=_needed(plan, device), note=watch.note
            ) as (computing, at_once):
                summary = run(
                    tasks, store, computing, at_once, watch.record, stored=stored,
                    batches=batched(ours, tasks, batch) if batch > 1 else None,
                )  # fmt: skip
        if costs and executor == "processes":
            merged = with_peaks(merged, plan, device, limits, watch.note)
        store.write_manifest({**merged, "finished": manifests.now()})
    return Benchmarked(load_run(out), plan.left_out, summary.computed, summary.failed)


def chosen(dataset: Dataset, many: int | str, option: str) -> frozenset[str]:
    """Return the ids of a speaker-balanced sample: of a number of utterances, of ``all`` or of ``none``."""
    if many == "all":
        return frozenset(item.id for item in dataset.utterances)
    if many == "none" or str(many) == "0":
        return frozenset()
    if not str(many).isdecimal():
        raise WrongUsage(f"{option} {many!r} is not usable; give a number, all or none")
    return frozenset(item.id for item in dataset.sample(int(many), dataset.seed).utterances)


def _needed(plan: Plan, device: str) -> Fitness:
    """Return what other machines must have to compute the same as this one."""
    codecs = tuple((entry.spec, entry.signature) for entry in plan.contestants)
    metrics = tuple((metric.name, contract.signature(metric)) for metric in plan.metrics)
    absent = tuple(item.name for item in plan.left_out if item.kind == "metric")
    return Fitness(versions(), codecs, metrics, absent, device)


def _check(rerun: str, workers: int | None) -> None:
    if rerun not in RERUN:
        raise InvalidInput(f"rerun {rerun!r} is not usable; give one of: {', '.join(RERUN)}")
    if workers is not None and workers < 1:
        raise InvalidInput(f"cannot compute with {workers} workers; give 1 or more")


def _check_several(executor: str, costs: bool) -> None:
    if executor == "serial":
        raise WrongUsage("--executor serial computes on one device; name one with --device")
    if costs:
        raise WrongUsage("speed is compared on one device; name one with --device, or leave out --costs")


def _check_batch(batch: int, executor: str, costs: bool) -> None:
    if batch < 1:
        raise InvalidInput(f"cannot code {batch} utterances at once; give 1 or more")
    if batch > 1 and executor == "dask":
        raise WrongUsage("--batch goes with --executor processes or serial; leave one of the two out")
    if batch > 1 and costs:
        raise WrongUsage("--costs times one utterance at a time; leave --batch out")


def _check_device(executor: str, device: str) -> None:
    if executor != "dask":  # its workers may have what this machine lacks
        check_device(device)


def _merged(store: Store, described: manifests.Manifest) -> manifests.Manifest:
    """Return the manifest of the folder's run and this one together, if they compare."""
    old = store.manifest()
    if old is not None:
        manifests.check_same(old, described, store.out)
    elif len(store):
        raise InvalidInput(f"{store.out} has records but no {MANIFEST}; choose another folder")
    return manifests.merge(old, described)
