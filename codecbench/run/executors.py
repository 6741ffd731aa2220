"""Executors: cells are computed in isolated processes, in this process, or on a Dask cluster.

All are `concurrent.futures.Executor`, which is what `codecbench.run.runner.run` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from codecbench.errors import WrongUsage
from codecbench.run.cluster import Cluster
from codecbench.run.patience import Limits, OnSlow, watched
from codecbench.run.pool import WorkerPool
from codecbench.run.there import Fitness, versions

KINDS = ("processes", "serial", "dask")
ANY = Fitness(versions(), (), ())
"""Of workers nothing is asked but our version."""


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
    """Raise `WrongUsage` if the options of `make_executor` do not go together."""
    if kind not in KINDS:
        raise WrongUsage(f"unknown executor {kind!r}; known: {', '.join(KINDS)}")
    for option, limit in (("--timeout", limits.timeout_s), ("--memory", limits.memory_gb)):
        if limit is not None and kind == "serial":
            raise WrongUsage(f"{option} needs --executor processes or dask, which can end a worker")
    if scheduler and kind != "dask":
        raise WrongUsage("--scheduler goes with --executor dask; add it or leave the address out")
    if kind == "dask" and not scheduler:
        raise WrongUsage("--executor dask needs --scheduler ADDRESS, e.g. tcp://host:8786")


@contextmanager
def make_executor(
    kind: str,
    workers: int,
    limits: Limits | None = None,
    scheduler: str = "",
    on_slow: OnSlow = lambda *_: None,
    *,
    needed: Fitness = ANY,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """Give an executor of a kind in `KINDS` and a function that tells how many cells it computes at once now.

    ``on_slow`` is told of cells that take long, except by Dask, which shows them itself.  Dask's workers must
    have what is ``needed``; ``note`` is told which are left out.

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
        yield Serial(on_slow), lambda: 1
    elif kind == "processes":
        with WorkerPool(workers, limits, on_slow) as pool:
            yield pool, lambda: workers
    else:
        with Cluster(scheduler, limits, needed, note) as cluster:
            yield cluster, cluster.slots
