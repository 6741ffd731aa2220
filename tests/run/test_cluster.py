"""A cluster of real processes gives the records of one machine, whatever becomes of workers and scheduler."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codecbench import load_dataset, make_plan
from codecbench.errors import Unavailable
from codecbench.run.cell import Task, compute
from codecbench.run.executors import make_executor
from codecbench.store.records import read_records, without_timings

pytest.importorskip("distributed")

TORCH = """
from types import SimpleNamespace
__version__ = "0"
cuda = SimpleNamespace(device_count=lambda: 1)
accelerator = SimpleNamespace(is_available=lambda: False)
"""
"""A module that finds one CUDA device."""

FAKE_METRICS = ("--metrics", "fake-snr,fake-level", "--audio", "1")


class HiddenPath(type(Path())):  # type: ignore[misc]
    """A path that means something else on any other machine."""

    def __reduce__(self) -> tuple[Callable[..., Path], tuple[str]]:
        return Path, ("/nowhere/" + self.name,)


class Dask:
    """A scheduler and workers on loopback, each a process that leads a group."""

    def __init__(self, fakes: Path, folder: Path) -> None:
        self._fakes, self._folder = fakes, folder
        self._running: list[subprocess.Popen[bytes]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        options = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        self.scheduler = self._start("scheduler", *options)
        return self.scheduler

    def worker(
        self, *options: str, path: Path | None = None, room: int | None = None, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker in a folder of its own, so that no relative path means there what it means here.

        With ``room`` it can write no file of more blocks of 512 bytes.
        """
        known = ("--nthreads", "1", "--no-dashboard", "--memory-limit", "0", "--no-nanny")
        return self._start("worker", self.address, *known, *options, path=path, room=room, **environment)

    def _start(
        self, *command: str, path: Path | None = None, room: int | None = None, **environment: str
    ) -> subprocess.Popen[bytes]:
        place = self._folder / f"dask-{len(self._running)}"
        place.mkdir()
        limit = () if room is None else ("sh", "-c", 'ulimit -f "$0" && exec "$@"', str(room))
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [*limit, sys.executable, "-m", "dask", *command],
                cwd=place,
                env={
                    **os.environ,
                    "PYTHONPATH": f"{path or self._fakes}{os.pathsep}{Path.cwd()}",
                    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "6s",
                    **environment,
                },
                stdout=subprocess.DEVNULL,
                stderr=log if room is None else subprocess.DEVNULL,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def dask(fakes: Path, tmp_path: Path) -> Iterator[Dask]:
    cluster = Dask(fakes, tmp_path)
    yield cluster
    cluster.end()


@pytest.fixture
def command(process: Callable[..., subprocess.Popen[str]], dask: Dask, folder: Path, tmp_path: Path):
    """Return a function that starts a run on the cluster, or on this machine, and one that gives its end."""

    started: list[subprocess.Popen[str]] = []

    def start(name: str, codecs: str, *options: object, here: bool = False) -> subprocess.Popen[str]:
        where = ("--executor", "serial") if here else ("--executor", "dask", "--scheduler", dask.address)
        parts = ("run", "--codecs", codecs, "--data", folder, "--out", tmp_path / name, *FAKE_METRICS)
        with (tmp_path / f"{name}.err").open("w") as said:
            running = process(*parts, *where, *options, stderr=said, stdout=subprocess.DEVNULL)
        started.append(running)
        return running

    yield start
    for running in started:
        kill(running)


def records(out: Path) -> dict[str, dict]:
    return {record["key"]: without_timings(record) for record in read_records(out)}


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_cluster_gives_the_records_of_one_machine(command, dask: Dask, tmp_path: Path) -> None:
    """None at the start, one without the plugins, one of another version of a metric, one killed."""
    other = tmp_path / "other"
    other.mkdir()
    for item in dask._fakes.iterdir():
        (other / item.name).symlink_to(item)
    source = other / "codecbench_fakes.py"
    text = source.read_text()
    source.unlink()
    source.write_text(text.replace("eps: float = 1e-9", "eps: float = 1e-3"))
    codecs = "fake,fake-8k,fake-late:40,fake-faulty:segfault@64"
    running = command("there", codecs)
    time.sleep(2)
    assert running.poll() is None, "a run waits for workers"
    dask.worker(path=other)
    dask.worker(path=tmp_path)
    doomed = dask.worker()
    wait_for(lambda: list(records(tmp_path / "there")) if (tmp_path / "there").exists() else [])
    dask.worker()
    kill(doomed)
    assert running.wait(120) == 0, (tmp_path / "there.err").read_text()
    assert command("here", codecs.replace(",fake-faulty:segfault@64", ""), here=True).wait(60) == 0
    there, here = records(tmp_path / "there"), records(tmp_path / "here")
    assert {key: there[key] for key in here} == here
    faulty = {it["utterance"]: it["error"] for key, it in there.items() if key not in here}
    assert faulty == {
        **{f"quiet-{number}": None for number in range(4)}, "the-loud": "worker died (signal 11, SIGSEGV)"
    }  # fmt: skip
    said = (tmp_path / "there.err").read_text()
    assert re.search(r"worker tcp://\S+ is left out: metric fake-snr is \S+ there and \S+ here", said)
    assert re.search(r"worker tcp://\S+ is left out: .*fake", said)
    assert "Traceback" not in said
    assert "distributed" not in said
    kept = sorted(path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*.flac"))
    assert kept
    for name in kept:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@pytest.mark.slow
def test_cells_on_cuda_go_to_workers_that_declare_gpus(command, dask: Dask, fakes, tmp_path: Path) -> None:
    with_cuda, opened = tmp_path / "with-cuda", tmp_path / "opened"
    with_cuda.mkdir()
    opened.mkdir()
    for item in fakes.iterdir():
        (with_cuda / item.name).symlink_to(item)
    (with_cuda / "torch.py").write_text(TORCH)
    dask.worker(WORKER="cpu")
    codec = f"fake-faulty:where={str(opened).replace('/', '|')}@64"
    running = command("there", codec, "--device", "cuda:0")
    wait_for(lambda: "is left out" in (tmp_path / "there.err").read_text())
    dask.worker("--nthreads", "2", "--resources", "GPU=1", path=with_cuda, WORKER="gpu")
    assert running.wait(120) == 0
    assert [path.name for path in opened.iterdir()] == ["gpu cuda:0"]
    said = (tmp_path / "there.err").read_text()
    assert re.search(r"worker tcp://\S+ is left out: --device cuda:0: torch \S+ finds 0 such devices", said)


@pytest.mark.slow
def test_a_lost_scheduler_is_waited_for(command, dask: Dask, tmp_path: Path) -> None:
    out = tmp_path / "there"
    worker = dask.worker()
    running = command("there", "fake,fake-8k,fake-late:40,fake-faulty:none@64")
    wait_for(lambda: out.exists() and len(records(out)) > 3)
    kill(dask.scheduler)
    kill(worker)
    wait_for(lambda: "is lost; waiting" in (tmp_path / "there.err").read_text())
    dask.start_scheduler()
    dask.worker()
    assert running.wait(120) == 0, (tmp_path / "there.err").read_text()
    command("here", "fake,fake-8k,fake-late:40,fake-faulty:none@64", here=True).wait(60)
    assert records(out) == records(tmp_path / "here")
    assert "Traceback" not in (tmp_path / "there.err").read_text()


@pytest.mark.slow
def test_a_worker_that_hangs_loses_its_cells_to_another(command, dask: Dask, tmp_path: Path) -> None:
    out = tmp_path / "there"
    worker = dask.worker()
    running = command("there", "fake,fake-8k,fake-late:40")
    wait_for(lambda: out.exists() and len(records(out)) > 3)
    worker.send_signal(signal.SIGSTOP)
    dask.worker()
    assert running.wait(120) == 0, (tmp_path / "there.err").read_text()
    command("here", "fake,fake-8k,fake-late:40", here=True).wait(60)
    assert records(out) == records(tmp_path / "here")


@pytest.mark.slow
def test_speech_that_a_worker_cannot_see_is_sent(
    dask: Dask, folder: Path, fakes: Path, tmp_path: Path
) -> None:
    """Another file lies at its path there: what is sent is the content."""
    dask.worker()
    task = Task(next(iter(make_plan(load_dataset(folder), "fake@64", ["fake-snr"]))), (), "cpu")
    utterance = replace(task.cell.utterance, path=HiddenPath(task.cell.utterance.path))
    hidden = replace(task, cell=replace(task.cell, utterance=utterance))
    with make_executor("dask", 1, scheduler=dask.address) as (executor, _):
        sent = executor.submit(compute, hidden).result(60)
    assert without_timings(sent.record) == without_timings(compute(task).record)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [False, True])
def test_a_worker_without_room_on_its_disk_is_left_out(
    dask: Dask, folder: Path, fakes: Path, tmp_path: Path, sent: bool
) -> None:
    """Neither sent speech nor speech to keep can be written there; another worker does it."""
    dask.worker(room=8)
    task = Task(next(iter(make_plan(load_dataset(folder), "fake@64", ["fake-snr"]))), (), out=tmp_path / "o")
    utterance = task.cell.utterance
    if sent:
        utterance = replace(utterance, path=HiddenPath(utterance.path))
    notes: list[str] = []
    with make_executor("dask", 1, scheduler=dask.address, note=notes.append) as (executor, _):
        future = executor.submit(compute, replace(task, cell=replace(task.cell, utterance=utterance)))
        wait_for(lambda: any("is left out: cannot write" in note for note in notes))
        dask.worker()
        record = future.result(60).record
    assert record["status"] == "ok" and (tmp_path / "o" / record["audio"]).is_file()
    assert len(notes) == 1 and "File too large" in notes[0]


@pytest.mark.slow
def test_a_cell_that_takes_too_long_is_ended_there_too(command, dask: Dask, tmp_path: Path) -> None:
    dask.worker("--nthreads", "2")
    assert command("there", "fake-faulty:hang@64", "--timeout", "20").wait(180) == 0
    errors = [record["error"] for record in records(tmp_path / "there").values() if record["error"]]
    assert errors == ["took longer than 20 s; raise --timeout"]


@pytest.mark.slow
def test_an_absent_scheduler_is_one_clear_error() -> None:
    with (
        pytest.raises(Unavailable, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        make_executor("dask", 1, scheduler="tcp://127.0.0.1:9"),
    ):
        pass
