"""The runner computes each missing cell once, whoever dies on the way."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import numpy as np
import pytest

from codecbench.data.folders import load_dataset
from codecbench.errors import CodecBenchError, InvalidInput, StorageError
from codecbench.run.cell import Task
from codecbench.run.executors import Serial, make_executor
from codecbench.run.patience import Limits, OverMemory, TimedOut, resident_bytes
from codecbench.run.plan import Plan, make_plan
from codecbench.run.pool import ONE_THREAD, WorkerDied, WorkerPool, cores
from codecbench.run.runner import missing, run
from codecbench.store.records import without_timings
from codecbench.store.store import Store


def tasks(plan: Plan) -> list[Task]:
    return [Task(cell, plan.metrics) for cell in plan]


@pytest.fixture
def plan(folder: Path, fakes: Path):
    def make(codecs: str, metrics: str = "fake-snr") -> Plan:
        return make_plan(load_dataset(str(folder)), codecs, metrics.split(","))

    return make


def compute_all(plan: Plan, out: Path, executor, slots: int = 1) -> dict[str, dict]:
    with Store(out) as store:
        run(tasks(plan), store, executor, lambda: slots)
        return {record["key"]: record for record in store.records()}


def test_any_executor_gives_the_same_records(plan, tmp_path: Path) -> None:
    made = plan("fake,fake-8k,fake-late:40", "fake-snr,fake-level")
    serial = compute_all(made, tmp_path / "serial", Serial())
    with WorkerPool(2) as pool:
        parallel = compute_all(made, tmp_path / "parallel", pool, 2)
    assert len(serial) == len(made) == 20
    assert {key: without_timings(record) for key, record in serial.items()} == {
        key: without_timings(record) for key, record in parallel.items()
    }


@pytest.mark.parametrize(
    ("codecs", "metrics", "error"),
    [
        ("fake-faulty:segfault@64", "fake-snr", "worker died (signal 11, SIGSEGV)"),
        ("fake-faulty:exit@64", "fake-snr", "worker died (exit code 3)"),
        ("fake@64", "fake-crash", "worker died (signal 11, SIGSEGV)"),
    ],
)
def test_what_kills_its_worker_costs_its_cell_only(plan, tmp_path, codecs, metrics, error) -> None:
    with WorkerPool(1) as pool:
        records = compute_all(plan(codecs, metrics), tmp_path, pool)
    states = {record["utterance"]: record["error"] for record in records.values()}
    assert states == {**{f"quiet-{number}": None for number in range(4)}, "the-loud": error}


def test_a_worker_that_dies_once_gets_a_second_attempt(plan, tmp_path: Path) -> None:
    marker = str(tmp_path / "died-once").replace("/", "|")
    with WorkerPool(1) as pool:
        records = compute_all(plan(f"fake-faulty:once={marker}@64"), tmp_path / "run", pool)
    assert (tmp_path / "died-once").exists()
    assert {record["status"] for record in records.values()} == {"ok"}


def test_a_cell_that_takes_too_long_is_ended(plan, tmp_path: Path) -> None:
    with WorkerPool(1, Limits(timeout_s=8)) as pool:
        records = compute_all(plan("fake-faulty:hang@64"), tmp_path, pool)
    errors = [record["error"] for record in records.values() if record["error"]]
    assert errors == ["took longer than 8 s; raise --timeout"]


def test_each_record_is_stored_before_the_next_is_told(plan, tmp_path: Path) -> None:
    seen = []
    with Store(tmp_path) as store:
        summary = run(
            tasks(plan("fake@64")),
            store,
            Serial(),
            on_record=lambda record: seen.append((record["key"], [item["key"] for item in store.records()])),
        )
    assert summary.computed == 5
    assert summary.failed == 0
    assert 0 < summary.busy_s < summary.wall_s
    assert [key for key, _ in seen] == seen[-1][1]
    assert all(key in stored for key, stored in seen)


def test_a_storage_error_stops_the_run(plan, tmp_path: Path, monkeypatch) -> None:
    with Store(tmp_path) as store:

        def full(record: dict) -> None:
            raise StorageError("full")

        monkeypatch.setattr(store, "append", full)
        with pytest.raises(StorageError, match="full"):
            run(tasks(plan("fake@64")), store, Serial())


def test_missing_cells(plan, tmp_path: Path) -> None:
    made = plan("fake@64,fake-faulty:raise@64", "fake-snr,fake-missing")
    with Store(tmp_path) as store:
        assert len(missing(made, store)) == 10
        run(tasks(made)[:7], store, Serial())
        assert [cell.key for cell in missing(made, store)] == [task.cell.key for task in tasks(made)[7:]]
        run(tasks(made)[7:], store, Serial())
        assert missing(made, store) == []
        # All lack the metric that is not here; of the faulty codec's, the loud one failed.
        assert len(missing(made, store, "failed")) == 10
        assert len(missing(made, store, "all")) == 10
        kept = missing(made, store, audio={"quiet-0", "the-loud"})
        assert [(cell.codec, cell.utterance.id) for cell in kept] == [
            ("fake", "quiet-0"),
            ("fake-faulty:raise", "quiet-0"),
            ("fake", "the-loud"),
        ]
    other = plan("fake@64,fake-faulty:raise@64")
    with Store(tmp_path / "other") as store:
        run(tasks(other), store, Serial())
        assert [cell.utterance.id for cell in missing(other, store, "failed")] == ["the-loud"]


class Breaking(Serial):
    """What a `ProcessPoolExecutor` does when a process of it dies."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future: Future = Future()
        future.set_exception(BrokenExecutor("gone"))
        return future


def test_a_broken_executor_is_one_clear_error(plan, tmp_path: Path) -> None:
    with (
        Store(tmp_path) as store,
        pytest.raises(CodecBenchError, match=r"the executor broke \(gone\); run again"),
    ):
        run(tasks(plan("fake@64")), store, Breaking())


def environment(names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


def identity(value: object) -> object:
    return value


def die(code: int) -> None:
    os._exit(code)


def unpicklable() -> None:
    raise ValueError(lambda: None)


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def test_pool_runs_in_processes_of_one_thread_each(monkeypatch) -> None:
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    with WorkerPool(1) as pool:
        inside = pool.submit(environment, ONE_THREAD).result()
        assert pool.submit(os.getpid).result() != os.getpid()
        big = "x" * 3_000_000
        assert pool.submit(identity, big).result() == big
    assert inside == dict.fromkeys(ONE_THREAD, "1")
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_pool_hands_on_exceptions_and_goes_on() -> None:
    with WorkerPool(1) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()
        with pytest.raises(RuntimeError, match="ValueError"):
            pool.submit(unpicklable).result()
        with pytest.raises(WorkerDied, match="exit code 7"):
            pool.submit(die, 7).result()
        with pytest.raises(WorkerDied, match="signal 9, SIGKILL, perhaps out of memory"):
            pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()
        assert pool.submit(identity, 5).result() == 5
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(identity, 5)


def test_leaving_with_an_error_ends_the_workers_at_once() -> None:
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), WorkerPool(1) as pool:
        pid = pool.submit(os.getpid).result()
        future = pool.submit(sleep, 60)
        queued = pool.submit(sleep, 60)
        time.sleep(0.1)
        raise KeyboardInterrupt
    assert time.monotonic() - begin < 30
    assert queued.cancelled()
    assert isinstance(future.exception(), WorkerDied)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_at_exit() -> None:
    atexit.register(time.sleep, 600)
    threading.Thread(target=time.sleep, args=(600,)).start()


def test_what_goes_on_in_a_worker_does_not_keep_the_run_from_ending(monkeypatch) -> None:
    monkeypatch.setattr("codecbench.run.pool._Worker._END_S", 1.0)
    begin = time.monotonic()
    with WorkerPool(1) as pool:
        pool.submit(wait_at_exit).result()
    assert time.monotonic() - begin < 60


def test_pool_ends_a_task_that_takes_too_long() -> None:
    with WorkerPool(1, Limits(timeout_s=3)) as pool, pytest.raises(TimedOut, match="longer than 3 s"):
        pool.submit(sleep, 60).result()


LEFT: list[np.ndarray] = []


def leave(gigabytes: float) -> int:
    """Take memory, keep it, and be seen with it."""
    LEFT.append(np.ones(int(gigabytes * 1e9), np.uint8))
    time.sleep(0.5)
    return os.getpid()


def test_memory_left_by_earlier_tasks_is_not_held_against_the_next() -> None:
    with WorkerPool(1, Limits(memory_gb=0.8)) as pool:
        first = pool.submit(leave, 0.45).result()
        assert pool.submit(leave, 0.01).result() == first
        assert pool.submit(leave, 0.45).result() != first
        with pytest.raises(OverMemory, match=r"took 0\.\d+ GB of memory, more than 0\.8; raise --memory"):
            pool.submit(leave, 0.9).result()
        assert pool.submit(identity, 5).result() == 5


def test_memory_of_a_process_is_what_it_uses() -> None:
    before = resident_bytes(os.getpid())
    taken = np.ones(200_000_000, np.uint8)
    reserved = np.empty(4_000_000_000, np.uint8)
    assert resident_bytes(os.getpid()) - before == pytest.approx(taken.nbytes, rel=0.1)
    assert reserved.nbytes > 1e9
    assert resident_bytes(2**22 + 1) is None


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        ("threads", {}, InvalidInput, "unknown executor 'threads'"),
        ("serial", {"limits": Limits(timeout_s=5.0)}, InvalidInput, "--timeout needs --executor processes"),
        ("serial", {"limits": Limits(memory_gb=1)}, InvalidInput, "--memory needs --executor processes"),
        ("processes", {"scheduler": "tcp://x:1"}, InvalidInput, "--scheduler goes with --executor dask"),
        ("dask", {}, InvalidInput, "needs --scheduler ADDRESS"),
    ],
)
def test_executor_options_that_do_not_go_together(kind, options, error, message) -> None:
    with pytest.raises(error, match=message), make_executor(kind, 1, **options):
        pass


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
