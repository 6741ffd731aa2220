"""Fixtures of the suite's tests: a plugin package of fakes, a small speech folder, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

import hostile
from codecbench import registry
from codecbench.cli import status_of
from codecbench.run import worker

FAKES = Path(__file__).parents[1] / "fakes"


class Answer(NamedTuple):
    """What a command line gave."""

    status: int
    out: str
    err: str


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the fake codecs and metrics for one test, in this process and in workers."""
    monkeypatch.syspath_prepend(str(FAKES))
    registry._tables.cache_clear()
    worker.forget()
    yield FAKES
    registry._tables.cache_clear()
    worker.forget()


def living(session: int) -> list[int]:
    """Return the processes of a session that have not ended: coordinator, workers, what they started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True)
    found = []
    for line in listed.stdout.splitlines():
        pid, state = line.split()
        with suppress(ProcessLookupError):
            if not state.startswith("Z") and os.getsid(int(pid)) == session:
                found.append(int(pid))
    return found


def wait_for_end_of(session: int, seconds: float = 30) -> None:
    """Wait until no process of a session is left: workers must not outlive a killed coordinator."""
    deadline = time.monotonic() + seconds
    while left := living(session):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.1)


def voice(seconds: float, seed: int, peak: float, rate_hz: int = 16_000) -> np.ndarray:
    """Return something like speech: noise with a syllable rhythm, float32 [T]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.convolve(rng.standard_normal(time.size), np.hanning(9), "same") * (1.1 + np.sin(25 * time))
    return (peak * wave / np.abs(wave).max()).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of four quiet clips of two speakers and a loud one, on which faults trigger."""
    root = tmp_path / "speech"
    root.mkdir()
    for number in range(4):
        soundfile.write(root / f"quiet-{number}.wav", voice(0.6, number, 0.5), 16_000)
    soundfile.write(root / "the-loud.wav", voice(0.6, 9, 0.99), 16_000)
    rows = [f"quiet-{number}.wav,{'ab'[number % 2]}" for number in range(4)] + ["the-loud.wav,b"]
    (root / "manifest.csv").write_text("file,speaker\n" + "\n".join(rows) + "\n")
    return root


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], fakes: Path) -> Callable[..., Answer]:
    """Return a function that runs a command line in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        status = status_of([str(argument) for argument in arguments])
        return Answer(status, *capsys.readouterr())

    return call


@pytest.fixture
def process(fakes: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts a command line as a process, the leader of a group of its own."""

    def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(fakes)}
        command = [sys.executable, "-m", "codecbench", *(str(argument) for argument in arguments)]
        return subprocess.Popen(
            command,
            env=environment,
            text=True,
            start_new_session=True,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
        )

    return start


@pytest.fixture(scope="module")
def hostile_plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Install plugins that break their contract, in this process and in workers; give the path to them."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile.install(folder)
    paths = (str(folder), str(Path(hostile.__file__).parent))
    with pytest.MonkeyPatch.context() as patch:
        for path in paths:
            patch.syspath_prepend(path)
        registry._tables.cache_clear()
        worker.forget()
        yield os.pathsep.join(paths)
    registry._tables.cache_clear()
    worker.forget()
