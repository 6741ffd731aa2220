"""Damaged input of every format ends in one clear line; and what watches over that sees what it must."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import safetensors.numpy

import fuzz_mutations as mutations

SCRIPTS = Path(__file__).parents[2] / "scripts"
QUICK = "^(payload (pcm|g722)|file .cbn pcm|run|abx|results|data|recipe|archive|audio)"
"""Formats whose readers load no large library."""

MADE_UP = """
import os, signal, sys, tempfile, time
sys.path.insert(0, {scripts!r})
import fuzz
from fuzz_formats import Format
from codecbench.errors import CodecBenchError

def make(inputs, scratch):
    def attempt(chance):
        number = next(numbers)
        if number == 1:
            raise CodecBenchError("refused")
        if number == 2:
            {fault}
    numbers = iter(range(1000000))
    return attempt

fuzz.HANG_S, fuzz.STUCK_S, fuzz.MEMORY_GB, fuzz.RESTARTS = 1.0, 5.0, 0.4, 1
with tempfile.TemporaryDirectory() as tempfile.tempdir:
    tally = fuzz.fuzz(fuzz.Job(Format("made up", make), None, 1, time.monotonic() + 0.5))
    (kind, found), = tally.failures.items()
    print(kind, found.case, found.count, found.message, tally.refused, sep="|")
"""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise ValueError('bad luck')", "ValueError (no place)|2|1|bad luck|1"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crash: ended with -11|2|1||1"),
        ("os._exit(3)", "crash: ended with 3|2|1||1"),
        ("time.sleep(60)", "hang: over 5 s by the clock|2|1||1"),
        ("while True: pass", "hang: over 1 s of computing|2|1||1"),
        ("kept = b'x' * 500_000_000; time.sleep(60)", "memory: over 0.4 GB|2|1||1"),
    ],
)
def test_what_falls_is_seen(fault: str, said: str) -> None:
    program = MADE_UP.format(scripts=str(SCRIPTS), fault=fault)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def fuzz(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "fuzz.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_damaged_input_is_refused_in_one_line() -> None:
    done = fuzz("--seconds", 15, "--only", QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, total = done.stdout.splitlines()
    assert re.fullmatch(r"\d+ cases, 0 kinds of failure, seed 1", total)


@pytest.mark.slow
def test_damaged_input_is_refused_in_one_line_for_long() -> None:
    done = fuzz("--seconds", 900, "--seed", 2)
    assert done.returncode == 0, done.stdout + done.stderr


DOCUMENT = json.dumps({"name": "x", "list": [1, 2.5, {"deep": None}], "table": {"a": True}})
TENSORS = safetensors.numpy.save({}, metadata={"config": '{"channels": 4}', "format": "x"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda chance: mutations.damaged(b"\x01\x02\x03" * 20, chance),
        lambda chance: mutations.damaged(b"", chance),
        lambda chance: mutations.damaged_json(DOCUMENT, chance),
        lambda chance: mutations.damaged_json_lines(f"{DOCUMENT}\n" * 3, chance),
        lambda chance: mutations.damaged_text("file,speaker\na.wav,b\n", chance),
        lambda chance: mutations.damaged_safetensors(TENSORS, chance),
        lambda chance: mutations.hostile_archive(chance)[:100],
    ],
)
def test_a_case_follows_from_its_seed_alone_and_cases_differ(damage) -> None:
    made = [damage(Random(f"1/{number}")) for number in range(40)]
    assert made == [damage(Random(f"1/{number}")) for number in range(40)]
    assert len(set(made)) > 10
