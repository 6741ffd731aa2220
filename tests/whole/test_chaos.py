"""A run that is killed again and again ends with the records of one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile

from codecbench.store.records import read_records, without_timings
from suite_fixtures import living, wait_for_end_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

KILLS = 20
CLIPS = 12


@pytest.fixture
def clips(speech, tmp_path: Path) -> Path:
    """Return a folder of twelve clips of real speech, 0.9 s each."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(CLIPS):
        wave = speech[number % len(speech)][4000 * number // len(speech) :][:14_400]
        soundfile.write(folder / f"clip-{number:02}.wav", wave, 16_000)
    return folder


def records(out: Path) -> dict[str, dict]:
    return {record["key"]: without_timings(record) for record in read_records(out)}


def whole_lines(out: Path) -> int:
    path = out / "records.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def table(text: str) -> list[list[str]]:
    """Return the printed table without the columns of timings."""
    header, *lines = [line.split() for line in text.splitlines()]
    kept = [column for column, name in enumerate(header) if not name.startswith("rtf_")]
    return [[line[column] for column in kept] for line in (header, *lines)]


def kill_at_some_moment(running: subprocess.Popen[str], out: Path, chance: random.Random) -> None:
    """Kill the coordinator, or it and its workers, while it starts or after it has added a few records."""
    enough = whole_lines(out) + chance.randint(0, 5)
    patience = time.monotonic() + (chance.uniform(0.1, 2.0) if enough == whole_lines(out) else 60)
    while running.poll() is None and time.monotonic() < patience and whole_lines(out) < max(enough, 1):
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.03))
    if chance.random() < 0.5:
        for pid in living(running.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    else:
        running.send_signal(signal.SIGKILL)
    running.wait()
    wait_for_end_of(running.pid)


def test_twenty_kills_change_nothing(process, clips: Path, tmp_path: Path) -> None:
    command = ("run", "--data", clips, "--codecs", "pcm,g722,opus@6+8+12+24", "--metrics", "si-sdr,fake-snr")
    command = (*command, "--workers", 1, "--audio", 3, "--out")
    calm = process(*command, tmp_path / "calm")
    calm_out, err = calm.communicate(timeout=300)
    assert calm.returncode == 0, err
    expected = records(tmp_path / "calm")
    assert len(expected) == CLIPS * 6

    out = tmp_path / "killed"
    chance = random.Random(7)
    stored = []
    for _ in range(KILLS):
        running = process(*command, out)
        with running.stdout, running.stderr:
            kill_at_some_moment(running, out, chance)
        stored.append(whole_lines(out))
    assert stored == sorted(stored)
    assert 0 < stored[-1] < len(expected), "the kills must hit a run at work"
    last = process(*command, out)
    last_out, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    assert records(out) == expected
    assert table(last_out) == table(calm_out)
    kept, calm_kept = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.flac")}
        for root in (out, tmp_path / "calm")
    )
    assert kept == calm_kept
    assert len(kept) == 3 * 7
