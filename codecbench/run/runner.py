"""Run loop: the missing cells of a plan are computed, each record is appended the moment it exists.

A codec's lag at a point is settled on the way, see `codecbench.run.settle`.

The runner knows an executor and a store, nothing of codecs.  Only it writes the store.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from codecbench.alignment import IN_TIME
from codecbench.errors import CodecBenchError, StorageError
from codecbench.run.cell import UNAVAILABLE, Outcome, Task, compute, lost, reason
from codecbench.run.cluster import ClusterLost
from codecbench.run.plan import Cell, Plan
from codecbench.run.pool import CannotStart, WorkerDied
from codecbench.run.settle import Delays, unsettled
from codecbench.run.together import compute_together
from codecbench.store.records import Record
from codecbench.store.store import Store

RERUN = ("missing", "failed", "all")
"""Cells to compute: those without a record; also failed ones and those with an unavailable metric; all."""

ATTEMPTS = 2
"""How often a cell may kill its worker; the first time may be another process's fault (memory)."""

AHEAD = 2
"""Cells handed out for each one that is being computed, so that no worker waits for the store."""


GROWTH_S = 2.0
"""Seconds after which it is looked whether the executor has grown, if no cell ended before."""


@dataclass
class Summary:
    """What a run did.  ``busy_s`` is the time in codecs and metrics, summed over workers.

    ``rescored`` cells were computed, here or before, with another lag undone than their codec's turned out.
    """

    computed: int = 0
    rescored: int = 0
    failed: int = 0
    busy_s: float = 0.0
    wall_s: float = 0.0


@dataclass
class _Job:
    """What one worker gets at once: one task, or several to be coded together."""

    tasks: tuple[Task, ...]
    deaths: int = 0


class Known(Protocol):
    """What a folder holds already."""

    @property
    def out(self) -> Path:
        """The folder."""

    def get(self, key: str) -> Record | None:
        """Return the `codecbench.store.records.essence` of a cell's record, or None."""


def missing(plan: Plan, store: Known, rerun: str = "missing", audio: Collection[str] = ()) -> list[Cell]:
    """Return the cells still to compute.

    Parameters
    ----------
    plan : Plan
        All cells.
    store : Known
        What is there, a `Store` or what was read of one.
    rerun : str
        One of `RERUN`.
    audio : collection of str
        Ids of utterances whose decoded speech is to be kept; their cells count as missing where it is not.
    """

    def wanted(cell: Cell) -> bool:
        known = store.get(cell.key)
        if known is None or rerun == "all":
            return True
        if rerun == "failed" and _incomplete(known):
            return True
        kept = known["audio"] is not None and (store.out / known["audio"]).exists()
        return known["status"] == "ok" and cell.utterance.id in audio and not kept

    return [cell for cell in plan if wanted(cell)]


def run(
    tasks: Iterable[Task],
    store: Store,
    executor: Executor,
    slots: Callable[[], int] = lambda: 1,
    on_record: Callable[[Record], None] = lambda _: None,
    *,
    stored: Iterable[Task] = (),
    batches: Iterable[tuple[Task, ...]] | None = None,
) -> Summary:
    """Compute tasks and append their records.

    Parameters
    ----------
    tasks : iterable of Task
        One a cell, see `missing`.
    store : Store
        Where records go.
    executor : Executor
        Who computes; see `codecbench.run.executors`.
    slots : callable
        Tells how many cells the executor computes at once now; twice as many are handed out.
    on_record : callable
        Told of each record after it is stored.
    batches : iterable of tuple of Task, optional
        The same tasks in parts, each of which one worker gets at once, see `codecbench.run.together`.
    stored : iterable of Task
        Those whose records exist; they are scored again only where the lag of their codec has moved.

    Raises
    ------
    StorageError
        If a record or its audio cannot be written; what is stored stays whole.
    CodecBenchError
        If the executor itself broke.
    """
    begin = time.perf_counter()
    summary = Summary()
    delays = Delays(store)
    tasks = list(tasks)
    whole = [*stored, *tasks]
    parts = ((task,) for task in tasks) if batches is None else batches
    waiting = deque(_Job(part) for part in parts) or _to_settle(whole, store, delays)
    pending: dict[Future[Any], _Job] = {}
    try:
        while waiting or pending:
            while waiting and len(pending) < AHEAD * slots():
                job = waiting.popleft()
                pending[_submit(job, executor, delays)] = job
            done, _ = wait(pending, GROWTH_S, return_when=FIRST_COMPLETED)
            for future in done:
                job = pending.pop(future)
                outcomes = _outcomes(future, job)
                if outcomes is None:
                    waiting.extendleft(_again(job))
                    continue
                for task, outcome in zip(job.tasks, outcomes, strict=True):
                    store.append(outcome.record)
                    delays.add(outcome.record)
                    _count(summary, task, outcome)
                    on_record(outcome.record)
            if not waiting and not pending:
                waiting = _to_settle(whole, store, delays)
    finally:
        for future in pending:
            future.cancel()
        summary.wall_s = time.perf_counter() - begin
    return summary


def _to_settle(tasks: Iterable[Task], store: Store, delays: Delays) -> deque[_Job]:
    return deque(_Job((task,)) for task in unsettled(tasks, store, delays))


def _informed(task: Task, delays: Delays) -> Task:
    """Return a task that knows the delay to undo: the settled one, the one expected of its codec, none."""
    if task.known is not None or task.align == "file":
        return task
    if task.align == "none":
        return replace(task, delay=IN_TIME)
    return replace(task, delay=delays.expected(task.cell.codec, task.cell.point.name))


def _count(summary: Summary, task: Task, outcome: Outcome) -> None:
    anew = task.known is None or bool(task.more)
    summary.computed += anew
    summary.rescored += not anew
    summary.failed += outcome.record["status"] == "failed"
    summary.busy_s += outcome.busy_s


def _submit(job: _Job, executor: Executor, delays: Delays) -> Future[Any]:
    tasks = tuple(_informed(task, delays) for task in job.tasks)
    if len(tasks) == 1:
        return executor.submit(compute, tasks[0])
    return executor.submit(compute_together, tasks)


def _again(job: _Job) -> list[_Job]:
    """Return the job for another attempt; tasks that went together go one by one."""
    return [job] if len(job.tasks) == 1 else [_Job((task,)) for task in reversed(job.tasks)]


def _outcomes(future: Future[Any], job: _Job) -> list[Outcome] | None:
    """Return what came of a job's tasks, or None where it is worth another attempt."""
    if len(job.tasks) == 1:
        outcome = _outcome(future, job)
        return None if outcome is None else [outcome]
    try:
        found: list[Outcome] = future.result()
    except (StorageError, ClusterLost, CannotStart):
        raise
    except BrokenExecutor as error:
        raise _broke(error) from None
    except Exception:
        return None
    return found


def _broke(error: BrokenExecutor) -> CodecBenchError:
    return CodecBenchError(f"the executor broke ({error}); run again to continue, e.g. with fewer --workers")


def _outcome(future: Future[Any], job: _Job) -> Outcome | None:
    """Return what came of a job of one task, or None where it is worth another attempt."""
    (task,) = job.tasks
    try:
        found: Outcome = future.result()
    except (StorageError, ClusterLost, CannotStart):
        raise
    except WorkerDied as error:
        job.deaths += 1
        return None if job.deaths < ATTEMPTS else Outcome(lost(task, reason(error)))
    except BrokenExecutor as error:
        raise _broke(error) from None
    except Exception as error:
        return Outcome(lost(task, reason(error)))
    return found


def _incomplete(known: Record) -> bool:
    return known["status"] == "failed" or any(
        why.startswith(UNAVAILABLE) for why in known["reasons"].values()
    )
