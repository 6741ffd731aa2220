"""A process pool in which a worker that dies costs the one task it was working on.

`concurrent.futures.ProcessPoolExecutor` breaks as a whole when a worker dies and cannot say whose task it
was.  Here every worker has a thread and a pipe of its own: the thread hands over a task, waits for the answer
or for the process to end, and starts another process when it did.  That also gives each task its limits of
time and memory.

Workers are started by ``spawn`` (a forked torch may hang) with one thread for every numerical library.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from codecbench.errors import CodecBenchError
from codecbench.run.child import block_stop_signals, kill_group, work
from codecbench.run.patience import Limits, OnSlow, OverMemory, Patience, TimedOut

ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
"""Environment variables that limit numerical libraries to one thread, set while workers start."""

_environment = threading.Lock()

_Item = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class WorkerDied(CodecBenchError):
    """A worker process ended in the middle of a task: a crash, or the system killed it."""


class CannotStart(CodecBenchError):
    """A worker process ended before its first task, as all others will."""


def end_in_worker() -> None:
    """End a process that runs the main script on its way to become a worker: it would begin the run again."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)


def cores() -> int:
    """Return the cores this process may use: in a container or under ``taskset`` not all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerPool(Executor):
    """An executor of ``workers`` isolated processes.

    Parameters
    ----------
    workers : int
        Number of processes; each starts with its first task.
    limits : Limits or None
        What one task may take.
    on_slow : callable
        Told, in a thread of the pool, of a task that takes long; see `codecbench.run.patience`.

    Notes
    -----
    A future raises `WorkerDied`, `CannotStart`, `TimedOut` or `OverMemory` besides what its function raised.
    Leaving the context with an exception ends the workers at once.
    """

    def __init__(self, workers: int, limits: Limits | None = None, on_slow: OnSlow = lambda *_: None) -> None:
        self.limits = limits or Limits()
        self.on_slow = on_slow
        self.stop = threading.Event()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), daemon=True) for number in range(workers)
        ]
        self._started = False
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue ``fn(*args)``; function and arguments must be importable in another process."""
        if kwargs or self._closed:
            raise RuntimeError("the pool is shut down" if self._closed else "positional arguments only")
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        future: Future[Any] = Future()
        self._queue.put((future, fn, args))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers, after their queued tasks unless these are cancelled."""
        self._closed = True
        if cancel_futures:
            self.stop.set()
        for _ in self._threads:
            self._queue.put(None)
        if wait and self._started:
            for thread in self._threads:
                thread.join()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def _serve(self, number: int) -> None:
        block_stop_signals()
        worker: _Worker | None = None
        while (item := self._queue.get()) is not None:
            future, function, arguments = item
            if self.stop.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            succeeded, value, worker = self._run(number, worker, function, arguments)
            if succeeded:
                future.set_result(value)
            else:
                future.set_exception(value)
        if worker:
            worker.end()

    def _run(
        self,
        number: int,
        worker: _Worker | None,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
    ) -> tuple[bool, Any, _Worker | None]:
        """Return whether a call succeeded, its result or exception, and the worker for the next one."""
        try:
            worker = worker or _Worker(number)
            return *worker.run(function, arguments, self), worker
        except OverMemory as error:
            if worker is not None and worker.used:
                # Earlier tasks may have left the memory taken: this one is measured in a process of its own.
                return self._run(number, None, function, arguments)
            return False, error, None
        except (WorkerDied, CannotStart, TimedOut) as error:
            return False, error, None
        except Exception as error:
            return False, error, worker


class _Worker:
    """One process and the pipe to it."""

    _POLL_S = 0.2
    _END_S = 10.0
    """Threads of plugins and what they do at exit may go on for so long."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=work, args=(theirs, number), daemon=True)
        with _one_thread_each():
            self._process.start()
        theirs.close()
        self.used = False
        self._has_started = False
        # At exit multiprocessing asks its processes to end and waits; ours do not listen.
        atexit.register(self._kill)

    def run(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], pool: WorkerPool
    ) -> tuple[bool, Any]:
        """Return whether the call succeeded, and its result or exception."""
        patience = Patience(arguments, pool.on_slow)
        try:
            self._connection.send((function, arguments))
            if not self._has_started and self._hears(patience, pool):
                self._connection.recv()
                self._has_started = True
            if self._has_started and self._hears(patience, pool):
                answer: tuple[bool, Any] = self._connection.recv()
                self.used = True
                return answer
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        except (TimedOut, OverMemory):
            self._kill()
            raise
        self._process.join(1.0)
        self._kill()
        raise self._end_of(self._process.exitcode)

    def _hears(self, patience: Patience, pool: WorkerPool) -> bool:
        """Wait until the process says something; return False where it has ended."""
        while not wait([self._connection, self._process.sentinel], self._POLL_S):
            if pool.stop.is_set():
                self._process.kill()
            pool.limits.check(self._process, patience.spent_s())
        return self._connection.poll()

    def _end_of(self, exitcode: int | None) -> CodecBenchError:
        if self._has_started or exitcode is None or exitcode < 0:
            return WorkerDied(f"worker died ({_cause(exitcode)})")
        return CannotStart(
            f"worker processes cannot start ({_cause(exitcode)}); they import the main script: call this in "
            "a file, under if __name__ == '__main__', or with executor='serial' (docs/python.md)"
        )

    def end(self) -> None:
        """Let the process finish: the end of the pipe is its signal."""
        self._connection.close()
        self._process.join(self._END_S)
        self._kill()

    def _kill(self) -> None:
        """End the process and all that it started."""
        atexit.unregister(self._kill)
        kill_group(self._process)
        self._process.kill()
        self._process.join()


def _cause(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = "unknown"
    hint = ", perhaps out of memory" if name == "SIGKILL" else ""
    return f"signal {-exitcode}, {name}{hint}"


@contextmanager
def _one_thread_each() -> Iterator[None]:
    with _environment:
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
