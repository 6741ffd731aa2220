"""Executors: cells are computed in isolated processes, in this process, or on a Dask cluster.

All are `concurrent.futures.Executor`, which is what `codecbench.run.runner.run` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from codecbench.errors import InvalidInput, Unavailable
from codecbench.run.patience import Limits, OnSlow, watched
from codecbench.run.pool import WorkerPool

KINDS = ("processes", "serial", "dask")


class Serial(Executor):
    """Computes in the calling thread, for debugging: no isolation, a crash ends the run."""

    def __init__(self, on_slow: OnSlow = lambda *_: None) -> None:
        self._on_slow = on_slow

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the finished future of ``fn(*args, **kwargs)``."""
        future: Future[Any] = Future()
        try:
            with watched(args, self._on_slow):
                future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def check_options(kind: str, limits: Limits, scheduler: str) -> None:
    """Raise `InvalidInput` if the options of `make_executor` do not go together."""
    if kind not in KINDS:
        raise InvalidInput(f"unknown executor {kind!r}; known: {', '.join(KINDS)}")
    for option, limit in (("--timeout", limits.timeout_s), ("--memory", limits.memory_gb)):
        if limit is not None and kind != "processes":
            raise InvalidInput(f"{option} needs --executor processes, which can end a worker; {kind} cannot")
    if scheduler and kind != "dask":
        raise InvalidInput("--scheduler goes with --executor dask; add it or leave the address out")
    if kind == "dask" and not scheduler:
        raise InvalidInput("--executor dask needs --scheduler ADDRESS, e.g. tcp://host:8786")


@contextmanager
def make_executor(
    kind: str,
    workers: int,
    limits: Limits | None = None,
    scheduler: str = "",
    on_slow: OnSlow = lambda *_: None,
) -> Iterator[tuple[Executor, int]]:
    """Give an executor of a kind in `KINDS` and how many cells it computes at once.

    ``on_slow`` is told of cells that take long, except by Dask, which shows them itself.

    Raises
    ------
    InvalidInput
        If the options do not go together.
    Unavailable
        If Dask is not installed or its scheduler cannot be reached.
    """
    limits = limits or Limits()
    check_options(kind, limits, scheduler)
    if kind == "serial":
        yield Serial(on_slow), 1
    elif kind == "processes":
        with WorkerPool(workers, limits, on_slow) as pool:
            yield pool, workers
    else:
        with _dask(scheduler) as cluster:
            yield cluster


@contextmanager
def _dask(scheduler: str) -> Iterator[tuple[Executor, int]]:
    with _connect(scheduler) as client:
        slots = sum(client.nthreads().values())
        if slots == 0:
            raise Unavailable(
                f"the scheduler {scheduler} has no workers", "start some with: dask worker ADDRESS"
            )
        # pure=False: a cell asked for again must be computed again.
        yield client.get_executor(pure=False), slots


def _connect(scheduler: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise Unavailable(
            f"Dask cannot be imported ({error})", "run: pip install 'codecbench[dask]'"
        ) from None
    client: Callable[..., Any] = distributed.Client
    try:
        return client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        reason = f"no Dask scheduler answers at {scheduler} ({error})"
        raise Unavailable(reason, "start one with: dask scheduler") from None
