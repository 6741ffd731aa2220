"""A process pool in which a worker that dies costs the one task it was working on.

`concurrent.futures.ProcessPoolExecutor` breaks as a whole when a worker dies and cannot say whose task it
was.  Here every worker has a thread and a pipe of its own: the thread hands over a task, waits for the answer
or for the process to end, and starts another process when it did.  That also gives each task its time limit.

Workers are started by ``spawn`` (a forked torch may hang) with one thread for every numerical library.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from codecbench.errors import CodecBenchError, told
from codecbench.guard import guarded, to_stderr

ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
"""Environment variables that limit numerical libraries to one thread, set while workers start."""

_environment = threading.Lock()

_Item = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class WorkerDied(CodecBenchError):
    """A worker process ended in the middle of a task: a crash, or the system killed it."""


class TimedOut(CodecBenchError):
    """A task took longer than allowed; its worker was ended."""


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
    timeout_s : float or None
        Longest time for one task, loading codecs and metrics included.

    Notes
    -----
    A future raises `WorkerDied` or `TimedOut` besides what its function raised.  Leaving the context with an
    exception ends the workers at once.
    """

    def __init__(self, workers: int, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
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
            self._stop.set()
        for _ in self._threads:
            self._queue.put(None)
        if wait and self._started:
            for thread in self._threads:
                thread.join()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def _serve(self) -> None:
        _block_interrupts()
        worker: _Worker | None = None
        while (item := self._queue.get()) is not None:
            future, function, arguments = item
            if self._stop.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                worker = worker or _Worker()
                succeeded, value = worker.run(function, arguments, self._timeout_s, self._stop)
            except (WorkerDied, TimedOut) as error:
                worker, succeeded, value = None, False, error
            except Exception as error:
                succeeded, value = False, error
            if succeeded:
                future.set_result(value)
            else:
                future.set_exception(value)
        if worker:
            worker.end()


class _Worker:
    """One process and the pipe to it."""

    _POLL_S = 0.2

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs,), daemon=True)
        with _one_thread_each():
            self._process.start()
        theirs.close()

    def run(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        timeout_s: float | None,
        stop: threading.Event,
    ) -> tuple[bool, Any]:
        """Return whether the call succeeded, and its result or exception."""
        try:
            self._connection.send((function, arguments))
            left = timeout_s
            while not wait([self._connection, self._process.sentinel], self._POLL_S):
                left = None if left is None else left - self._POLL_S
                if stop.is_set():
                    self._process.kill()
                elif left is not None and left <= 0:
                    self._process.kill()
                    self._process.join()
                    raise TimedOut(f"took longer than {timeout_s:g} s; raise --timeout")
            if self._connection.poll():
                answer: tuple[bool, Any] = self._connection.recv()
                return answer
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        self._process.join()
        raise WorkerDied(f"worker died ({_cause(self._process.exitcode)})")

    def end(self) -> None:
        """Let the process finish: the end of the pipe is its signal."""
        self._connection.close()
        self._process.join()


def _work(connection: Connection) -> None:
    """Answer calls until the pipe ends, which it also does when the coordinator is killed.

    Whatever a task prints goes to standard error: the coordinator's standard output is for its result.
    """
    to_stderr()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            call = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            connection.send(_answer(call))
        except OSError:
            return


def _answer(call: bytes) -> tuple[bool, Any]:
    try:
        # Unpickling imports what the arguments are made of, plugins too.
        with guarded(loading=True):
            function, arguments = pickle.loads(call)  # noqa: S301 - from the coordinator, through our pipe
        return True, function(*arguments)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes: would it survive the pipe?
        except Exception:
            return False, RuntimeError(told(error))
        return False, error


def _cause(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = "unknown"
    hint = ", perhaps out of memory" if name == "SIGKILL" else ""
    return f"signal {-exitcode}, {name}{hint}"


def _block_interrupts() -> None:
    """Leave Ctrl-C to the main thread; processes started from this thread inherit the block."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


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
