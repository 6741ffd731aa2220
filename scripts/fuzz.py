"""Damage every format that the program reads, and see that it says so in one line.

``python scripts/fuzz.py --seconds 180`` shares the time among the formats.  Each is tried in a process of its
own; an error that is not the program's own, a crash, a case that does not end and memory over the bound are
failures, and the exit status is 1.  A case is made of the seed, the format's name and its number alone:
``--only NAME --case NUMBER`` repeats it with a traceback.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO

import click

from codecbench.errors import CodecBenchError
from codecbench.run.patience import GB, resident_bytes
from fuzz_formats import Attempt, Defect, Format, formats, prepare, scratch_folder

HANG_S, STUCK_S = 60.0, 600.0
"""Most that a case may compute, and may take by the clock: a machine that is shared makes nothing hang."""
MEMORY_GB = 2.0
LEAST_CASES = 3
RESTARTS = 20
"""After so many crashes, hangs or memory failures a format is left."""

_SHARED = struct.Struct("<4qd")  # number of the case, refused, read, failed, when the case began


@dataclass
class Failures:
    """Those of one kind: how many, and the first of them."""

    case: int
    message: str
    count: int = 0


@dataclass
class Tally:
    """What came of one format."""

    cases: int = 0
    refused: int = 0
    read: int = 0
    failures: dict[str, Failures] = field(default_factory=dict)

    def fail(self, kind: str, case: int, message: str = "") -> None:
        """Count one failure."""
        self.failures.setdefault(kind, Failures(case, message)).count += 1


@dataclass(frozen=True)
class Job:
    """One format with the whole inputs, the seed, and when to stop (`time.monotonic`)."""

    tried: Format
    inputs: Path
    seed: int
    deadline: float

    def chance(self, case: int) -> Random:
        """Return what decides a case."""
        return Random(f"{self.seed}/{self.tried.name}/{case}")


def fuzz(job: Job) -> Tally:
    """Try one format until its time is over."""
    tally, first = Tally(), 0
    for _ in range(RESTARTS):
        first, ended = _one_process(job, first, tally)
        if ended or time.monotonic() > job.deadline:
            break
    return tally


def _one_process(job: Job, first: int, tally: Tally) -> tuple[int, bool]:
    """Fork a process for cases from ``first`` on; return where to go on, and whether it ended by itself."""
    board = mmap.mmap(-1, _SHARED.size)
    board[:] = _SHARED.pack(first, 0, 0, 0, time.monotonic())
    with tempfile.TemporaryFile("w+") as told:
        child = os.fork()
        if child == 0:
            _in_child(job, first, board, told)
        why = _watch(child, board)
        told.seek(0)
        for line in told:
            tally.fail(*json.loads(line))
    number, refused, read, failed, _ = _SHARED.unpack(board[:])
    tally.cases += refused + read + failed
    tally.refused += refused
    tally.read += read
    if why:
        tally.cases += 1
        tally.fail(why, number)
    return number + 1, not why


def _watch(child: int, board: mmap.mmap) -> str:
    """Wait for a process and return what it did wrong, if it did not end by itself."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code == -signal.SIGPROF:
                return f"hang: over {HANG_S:g} s of computing"
            return f"crash: ended with {code}" if code else ""
        began = _SHARED.unpack(board[:])[4]
        taken = resident_bytes(child) or 0
        why = ""
        if time.monotonic() - began > STUCK_S:
            why = f"hang: over {STUCK_S:g} s by the clock"
        elif taken > MEMORY_GB * GB:
            why = f"memory: over {MEMORY_GB:g} GB"
        if why:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return why
        time.sleep(0.1)


def _in_child(job: Job, first: int, board: mmap.mmap, told: IO[str]) -> None:
    """Try cases until the deadline, then leave the process."""
    code = 1
    try:
        _silence()
        os.environ["CODECBENCH_DEBUG"] = "1"
        counts = {"refused": 0, "read": 0, "failed": 0}
        number = first
        with scratch_folder(Path(tempfile.gettempdir()), job.tried.name) as scratch:
            attempt = job.tried.make(job.inputs, scratch)
            while time.monotonic() < job.deadline or number < first + LEAST_CASES:
                board[:] = _SHARED.pack(number, *counts.values(), time.monotonic())
                signal.setitimer(signal.ITIMER_PROF, HANG_S)
                kind, message = _try(attempt, job.chance(number))
                if kind in counts:
                    counts[kind] += 1
                else:
                    counts["failed"] += 1
                    _tell(told, kind, number, message)
                number += 1
            board[:] = _SHARED.pack(number, *counts.values(), time.monotonic())
        code = 0
    except BaseException as error:
        _tell(told, "setup", first, f"{type(error).__name__}: {error}")
    finally:
        os._exit(code)


def _tell(told: IO[str], kind: str, number: int, message: str) -> None:
    told.write(json.dumps([kind, number, message]) + "\n")
    told.flush()


def _try(attempt: Attempt, chance: Random) -> tuple[str, str]:
    """Return ``refused``, ``read`` or the kind of a failure (its error and place), and its message."""
    try:
        attempt(chance)
    except CodecBenchError:
        return "refused", ""
    except Defect as error:
        return error.kind, str(error)
    except Exception as error:
        places = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "codecbench" in frame.filename
        ]
        place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "no place"
        return f"{type(error).__name__} ({place})", " ".join(str(error).split())[:200]
    return "read", ""


def _silence() -> None:
    """Send what libraries print to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


@contextmanager
def _folders() -> Iterator[Path]:
    """Make the whole inputs in a temporary folder, which then is where children write too."""
    with tempfile.TemporaryDirectory(prefix="codecbench-fuzz-") as folder:
        tempfile.tempdir = folder
        prepare(Path(folder) / "inputs")
        yield Path(folder) / "inputs"


@click.command()
@click.option("--seconds", default=180.0, show_default=True, help="Time in all, shared among the formats.")
@click.option("--seed", default=1, show_default=True, help="Chooses the cases.")
@click.option("--only", default="", help="Formats whose name this regular expression matches.")
@click.option("--case", type=int, help="Repeat this case of the one format chosen, in this process.")
def main(seconds: float, seed: int, only: str, case: int | None) -> None:
    """Fuzz the formats; fail where one falls."""
    chosen = [item for item in formats() if re.search(only, item.name)]
    if not chosen or (case is not None and len(chosen) != 1):
        raise click.UsageError(f"--only {only!r} chooses {len(chosen)} formats")
    deadline = time.monotonic() + seconds
    with _folders() as inputs:
        if case is not None:
            with scratch_folder(inputs.parent, chosen[0].name) as scratch:
                chosen[0].make(inputs, scratch)(Job(chosen[0], inputs, seed, deadline).chance(case))
            return
        click.echo(f"{'format':<22}{'cases':>8}{'refused':>9}{'read':>8}{'failed':>8}")
        whole, kinds = 0, 0
        for number, item in enumerate(chosen):
            now = time.monotonic()
            tally = fuzz(Job(item, inputs, seed, now + (deadline - now) / (len(chosen) - number)))
            failed = sum(found.count for found in tally.failures.values())
            click.echo(f"{item.name:<22}{tally.cases:>8}{tally.refused:>9}{tally.read:>8}{failed:>8}")
            for kind, found in sorted(tally.failures.items()):
                click.echo(f"  {kind}: {found.count} times, first in case {found.case}: {found.message}")
            whole, kinds = whole + tally.cases, kinds + len(tally.failures)
        click.echo(f"{whole} cases, {kinds} kinds of failure, seed {seed}")
    sys.exit(1 if kinds else 0)


if __name__ == "__main__":
    main()
