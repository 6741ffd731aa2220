"""However a run is stopped, nothing of it stays behind, one line says so, and the same command continues."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from codecbench.cli import progress
from codecbench.run import patience
from codecbench.store.store import load_run
from suite_fixtures import living, wait_for_end_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

INTERRUPTED = "codecbench: interrupted; what is stored stays, the same command continues"


@pytest.fixture
def stuck(process, folder: Path, tmp_path: Path):
    """Return a function that starts a run and waits until its last cell, the loud one, is being computed."""

    def start(fault: str, *options: object, **how: object) -> subprocess.Popen[str]:
        out = tmp_path / "out"
        running = process(
            "run", "--data", folder, "--out", out, "--codecs", f"fake-faulty:{fault}@64", "--workers", 1,
            "--metrics", "fake-snr", *options, **how,
        )  # fmt: skip
        stored = out / "records.jsonl"
        deadline = time.monotonic() + 60
        while not (stored.exists() and stored.read_bytes().count(b"\n") == 4):
            assert time.monotonic() < deadline
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.05)
        time.sleep(0.3)
        return running

    return start


@pytest.mark.parametrize("fault", [pytest.param("hang", marks=pytest.mark.slow), "hold", "child"])
def test_a_worker_ends_with_its_coordinator(stuck, fault: str) -> None:
    running = stuck(fault)
    with running.stdout, running.stderr:
        assert len(living(running.pid)) >= 3
        running.kill()
        running.wait()
        wait_for_end_of(running.pid, seconds=5)


@pytest.mark.parametrize(
    ("number", "everyone"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGHUP, True)],
)
def test_a_signal_stops_in_order(stuck, tmp_path: Path, number: signal.Signals, everyone: bool) -> None:
    running = stuck("hang")
    for pid in living(running.pid) if everyone else [running.pid]:
        os.kill(pid, number)
    _, err = running.communicate(timeout=10)
    assert running.returncode == 128 + number
    assert err.count(INTERRUPTED) == 1
    assert err.endswith(INTERRUPTED + "\n")
    assert "Traceback" not in err
    wait_for_end_of(running.pid, seconds=1)
    assert len(load_run(tmp_path / "out").records) == 4


def test_the_same_command_continues(stuck, cli, folder: Path, tmp_path: Path) -> None:
    running = stuck("hang")
    running.terminate()
    running.communicate(timeout=10)
    again = cli(
        "run", "--data", folder, "--out", tmp_path / "out", "--codecs", "fake-faulty:hang@64",
        "--metrics", "fake-snr", "--workers", 1, "--timeout", 2,
    )  # fmt: skip
    assert "1 cells to compute, 4 stored" in again.err
    assert "1 failed with fake-faulty:hang: took longer than 2 s; raise --timeout" in again.err


def test_a_second_signal_ends_what_will_not_listen(stuck) -> None:
    running = stuck("stubborn", "--executor", "serial")
    running.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=5)
    assert running.returncode == 130
    assert err.endswith(INTERRUPTED + "\n")
    assert err.count(INTERRUPTED) == 1


def ignore_hangup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_signal_that_the_caller_ignores_stays_ignored(stuck) -> None:
    running = stuck("hang", "--timeout", 3, preexec_fn=ignore_hangup)
    running.send_signal(signal.SIGHUP)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "took longer than 3 s" in err


@pytest.mark.parametrize("signals", [1, 2])
def test_the_terminal_is_restored(stuck, signals: int) -> None:
    ours, theirs = pty.openpty()
    fault, executor = ("hang", "processes") if signals == 1 else ("stubborn", "serial")
    running = stuck(fault, "--executor", executor, stderr=theirs)
    os.close(theirs)
    for _ in range(signals):
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
    running.wait(timeout=10)
    running.stdout.close()
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:
        pass
    os.close(ours)
    hidden, _, after = shown.rpartition(b"\x1b[?25l")
    assert hidden, "the bar hides the cursor"
    assert b"\x1b[?25h" in after
    assert after.decode().rstrip().endswith(INTERRUPTED)


def test_a_terminal_that_closes_stops_the_run(stuck) -> None:
    ours, theirs = pty.openpty()
    running = stuck("hang", stderr=theirs)
    os.close(theirs)
    os.close(ours)
    running.send_signal(signal.SIGHUP)
    assert running.wait(timeout=10) == 128 + signal.SIGHUP
    running.stdout.close()
    wait_for_end_of(running.pid, seconds=5)


@pytest.mark.parametrize("executor", ["processes", "serial"])
def test_a_cell_that_takes_long_is_named_sparsely(
    cli, folder: Path, tmp_path: Path, monkeypatch, executor: str
) -> None:
    monkeypatch.setattr(patience, "FIRST_WORD_S", 0.5)
    monkeypatch.setattr("time.sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 3)))
    limit = ("--timeout", 5) if executor == "processes" else ()
    answer = cli(
        "run", "--data", folder, "--out", tmp_path / "out", "--codecs", "fake-faulty:hang@64",
        "--metrics", "fake-snr", "--executor", executor, "--workers", 1, *limit,
    )  # fmt: skip
    named = [line for line in answer.err.splitlines() if "the-loud" in line]
    assert 2 <= len(named) <= 4
    said = "codecbench: fake-faulty:hang@64 has worked on the-loud for "
    assert all(line.startswith(said) and line.endswith("--timeout SECONDS ends such cells") for line in named)
    assert named[0].removeprefix(said).startswith(("0 s", "1 s"))


def test_a_cell_is_named_above_the_bar(monkeypatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=terminal, force_terminal=True))
    cell = SimpleNamespace(codec="c", point=SimpleNamespace(name="6"), utterance=SimpleNamespace(id="[b]u"))
    with progress.Progress() as shown:
        shown.begin(1)
        shown.slow((SimpleNamespace(cell=cell),), 60.2)
    (line,) = [line for line in re.split(r"[\r\n]+", terminal.getvalue()) if "[b]u" in line]
    assert line.removeprefix("\x1b[2K") == (
        "codecbench: c@6 has worked on [b]u for 60 s; --timeout SECONDS ends such cells"
    )


def test_what_takes_too_much_memory_costs_its_cell_only(cli, folder: Path, tmp_path: Path) -> None:
    answer = cli(
        "run", "--data", folder, "--out", tmp_path / "out", "--codecs", "fake-faulty:memory=0.8@64",
        "--metrics", "fake-snr", "--workers", 1, "--memory", 0.6,
    )  # fmt: skip
    assert answer.status == 0
    records = load_run(tmp_path / "out").records.set_index("utterance")
    error = records["error"].pop("the-loud")
    assert error.startswith("its worker took 0.")
    assert error.endswith(" GB of memory, more than 0.6; raise --memory")
    assert records["error"].drop("the-loud").isna().all()


def test_memory_is_bounded_only_where_a_worker_can_be_ended(cli, folder: Path) -> None:
    answer = cli("run", "--data", folder, "--codecs", "fake", "--memory", 1, "--executor", "serial")
    assert answer.status == 2
    assert "--memory needs --executor processes or dask, which can end a worker" in answer.err
