"""Dask executor: cells on the workers of a cluster, whatever becomes of workers and scheduler.

What is the cluster's fault is never a record.  A worker is examined before its first cell and left out by
name where it would compute something else; cells of lost workers and of a lost scheduler are handed out
again.  Workers may come and go at any time.  Each thread of a worker computes one cell at once, in a process
of its own, see `codecbench.run.there`.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from codecbench.errors import CodecBenchError, StorageError, Unavailable, told
from codecbench.files import unwritable, write_bytes_atomically
from codecbench.run import there
from codecbench.run.cell import Task
from codecbench.run.connect import connect
from codecbench.run.patience import Limits

LOOK_S = 1.0
"""Seconds between two looks at the workers."""

SAY_S = 30.0
"""Seconds between two lines while there is no worker."""

LOST_S = 60.0
"""Seconds to wait for a lost scheduler to answer again."""

ATTEMPTS = 10
"""How often a cell may be lost with its worker before the run stops."""


@dataclass
class _Job:
    task: Task
    future: Future[Any]
    lost: int = 0
    allowed: frozenset[str] = frozenset()


class ClusterLost(CodecBenchError):
    """The scheduler or worker after worker was lost; stored records stay."""


class Cluster(Executor):
    """An executor on a Dask cluster.

    Parameters
    ----------
    scheduler : str
        Address, or path of a scheduler file.
    limits : Limits
        What one cell may take.
    needed : Fitness
        What workers must have.
    note : callable
        Told of workers that are left out, and every `SAY_S` seconds that there is none.

    Raises
    ------
    Unavailable
        If Dask is not installed or its scheduler cannot be reached.
    """

    def __init__(
        self, scheduler: str, limits: Limits, needed: there.Fitness, note: Callable[[str], None]
    ) -> None:
        self._scheduler, self._needed, self._note = scheduler, needed, note
        self._setting = there.Setting(uuid.uuid4().hex, limits)
        self._client = connect(scheduler)
        self._waiting: deque[_Job] = deque()
        self._handed: dict[Any, _Job] = {}
        self._examined: dict[Any, str] = {}
        self._threads: dict[str, int] = {}
        self._left_out: dict[str, str] = {}
        self._fit: frozenset[str] = frozenset()
        self._gpus: dict[str, int] = {}
        self._said_at = time.monotonic()
        self._send = False
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def slots(self) -> int:
        """Return how many cells the workers that take part compute at once now."""
        able = self._able()
        return max(1, sum(min(self._threads.get(each, 0), self._gpus[each] or 10**9) for each in able))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a task; ``fn`` is `codecbench.run.cell.compute` and runs on some worker."""
        (task,) = args
        future: Future[Any] = Future()
        self._waiting.append(_Job(task, future))
        self._ended.put(None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take back what is handed out and leave the cluster."""
        self._stop.set()
        self._ended.put(None)
        self._thread.join()
        with suppress(Exception):
            self._client.cancel(list(self._handed), force=True)
            self._client.run(there.let_go, self._setting.run, workers=list(self._fit), on_error="ignore")
        with suppress(Exception):
            self._client.close(timeout=5)

    def _serve(self) -> None:
        try:
            looked = -LOOK_S
            while not self._stop.is_set():
                if self._client.status != "running":
                    self._reconnect()
                if time.monotonic() - looked >= LOOK_S:
                    self._look()
                    looked = time.monotonic()
                self._hand_out()
                self._take_back()
        except Exception as error:
            self._fail(error if isinstance(error, CodecBenchError) else ClusterLost(told(error)))

    def _fail(self, error: CodecBenchError) -> None:
        """End every task with what stopped us; later ones too."""
        while not self._stop.wait(0.1) or self._waiting or self._handed:
            jobs = [*self._handed.values(), *self._waiting]
            self._handed.clear()
            self._waiting.clear()
            for job in jobs:
                if job.future.set_running_or_notify_cancel():
                    job.future.set_exception(error)

    def _reconnect(self) -> None:
        """Wait for the scheduler, or another one at its address, and hand out all anew."""
        self._note(f"the scheduler {self._scheduler} is lost; waiting {LOST_S:g} s for it")
        with suppress(Exception):
            self._client.close(timeout=1)
        self._waiting.extendleft(reversed(self._handed.values()))
        for known in (self._handed, self._examined, self._threads, self._left_out):
            known.clear()
        self._fit = frozenset()
        deadline = time.monotonic() + LOST_S
        while not self._stop.is_set():
            try:
                self._client = connect(self._scheduler, timeout_s=2)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise ClusterLost(
                        f"the scheduler {self._scheduler} is lost; what is stored stays: start it and its "
                        "workers, and the same command continues"
                    ) from None
                time.sleep(0.5)
            else:
                return

    def _look(self) -> None:
        """Examine new workers, forget lost ones, take back what only lost ones may compute."""
        try:
            self._threads = dict(self._client.nthreads())
        except Exception:
            time.sleep(0.5)  # the next look finds the client's status changed, or all well
            return
        asked = {*self._examined.values(), *self._left_out, *self._fit}
        for address in self._threads.keys() - asked:
            future = self._client.submit(
                there.examine, self._setting, self._needed, self._threads[address],
                workers=[address], pure=False, priority=10,
            )  # fmt: skip
            self._examined[future] = address
            future.add_done_callback(self._ended.put)
        self._fit &= self._threads.keys()
        for future, job in list(self._handed.items()):
            if not job.allowed & self._threads.keys():
                del self._handed[future]
                future.cancel()
                self._waiting.appendleft(job)
        for future, address in list(self._examined.items()):
            if address not in self._threads:
                del self._examined[future]
                future.cancel()
        self._say_if_none()

    def _say_if_none(self) -> None:
        if self._fit or time.monotonic() - self._said_at < SAY_S:
            return
        self._said_at = time.monotonic()
        out = f" ({len(self._left_out)} left out)" if self._left_out else ""
        self._note(
            f"waiting for workers at {self._scheduler}{out}; start some with: dask worker {self._scheduler}"
        )

    def _hand_out(self) -> None:
        while self._waiting and self._fit and len(self._handed) < 2 * self.slots():
            job = self._waiting.popleft()
            if job.future.cancelled():
                continue
            job.allowed = self._able()
            future = self._client.submit(
                there.compute_there, self._setting, job.task, self._reference(job.task),
                max(self._threads.get(address, 1) for address in job.allowed),
                workers=list(job.allowed), pure=False,
                resources={there.GPU: 1} if any(self._gpus[each] for each in job.allowed) else None,
            )  # fmt: skip
            self._handed[future] = job
            future.add_done_callback(self._ended.put)

    def _able(self) -> frozenset[str]:
        """Return who computes: of workers fit for it those that declare GPUs, where any does."""
        return frozenset(each for each in self._fit if self._gpus[each]) or self._fit

    def _reference(self, task: Task) -> bytes | None:
        if not self._send:
            return None
        try:
            return task.cell.utterance.path.read_bytes()
        except OSError:
            return b""

    def _take_back(self) -> None:
        try:
            future = self._ended.get(timeout=LOOK_S / 2)
        except queue.Empty:
            return
        if future in self._examined:
            self._admit(self._examined.pop(future), future)
        elif future in self._handed:
            self._end(self._handed.pop(future), future)

    def _admit(self, address: str, future: Any) -> None:
        if future.status == "finished":
            found = future.result()
        elif future.status == "error":
            found = there.Found(told(future.exception()))
        else:
            return  # lost: the next look examines it anew if it is still there
        if found.reason:
            self._leave_out(address, found.reason)
        else:
            self._gpus[address] = found.gpus
            self._fit |= {address}

    def _leave_out(self, address: str, reason: str) -> None:
        self._fit -= {address}
        if address not in self._left_out:
            self._left_out[address] = reason
            self._note(f"worker {address} is left out: {reason}")

    def _end(self, job: _Job, future: Any) -> None:
        reply = future.result() if future.status == "finished" else None
        if reply is None or reply.blind or reply.unfit:
            self._again(job, future, reply)
            return
        try:
            if reply.error is not None:
                raise reply.error
            self._keep(job.task, reply)
        except CodecBenchError as error:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(error)
            return
        if job.future.set_running_or_notify_cancel():
            job.future.set_result(reply.outcome)

    def _again(self, job: _Job, future: Any, reply: there.Reply | None) -> None:
        """Hand out again what a worker lost, or cannot compute at all or without the reference's content."""
        if reply is None:
            job.lost += 1
        elif reply.unfit:
            self._leave_out(reply.address, reply.unfit)
        else:
            self._send = True
        if job.lost >= ATTEMPTS:
            why = told(future.exception()) if future.status == "error" else "its workers were lost"
            raise ClusterLost(
                f"{job.task.cell.codec} on {job.task.cell.utterance.id}: given up after {ATTEMPTS} workers "
                f"({why}); what is stored stays, mend the cluster, and the same command continues"
            )
        self._waiting.appendleft(job)

    def _keep(self, task: Task, reply: there.Reply) -> None:
        """Write kept speech; only the coordinator writes the run's folder."""
        for name, content in reply.files:
            assert task.out is not None
            path = task.out / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists() or "reference" not in path.parts:
                    write_bytes_atomically(path, content)
            except OSError as error:
                raise StorageError(str(unwritable(path, error))) from None
