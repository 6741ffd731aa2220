"""Run pieces of code each as a fresh process would, without paying for torch and pandas every time.

One process imports heavy packages of others and nothing of ours, then forks a child for each piece.  Run as a
program, this file is that process: pieces as JSON on standard input, answers as JSON on standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

HEAVY = (
    "click", "jinja2", "lightning.fabric", "matplotlib.figure", "numpy", "pandas", "pooch", "rich.progress",
    "safetensors.torch", "scipy.signal", "scipy.stats", "soundfile", "torch",
)  # fmt: skip


class Ended(NamedTuple):
    """How a piece of code ended, and all that it printed."""

    status: int
    output: str


def run_alone(pieces: Mapping[str, str]) -> dict[str, Ended]:
    """Run every piece of code in a process that has imported nothing of this project; answers by name."""
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(pieces), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: Ended(*answer) for name, answer in json.loads(done.stdout).items()}


def main() -> None:
    """Answer what `run_alone` asks."""
    pieces = json.load(sys.stdin)
    for name in HEAVY:
        with suppress(ImportError):
            importlib.import_module(name)
    ours = [name for name in sys.modules if name.startswith("codecbench")]
    if ours:
        sys.exit(f"already imported: {ours}")
    json.dump({name: _forked(code) for name, code in pieces.items()}, sys.stdout)


def _forked(code: str) -> tuple[int, str]:
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if not child:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            os._exit(_run(code))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        file.seek(0)
        return status, file.read().decode(errors="replace")


def _run(code: str) -> int:
    try:
        exec(code, {"__name__": "alone"})
        status: object = 0
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


if __name__ == "__main__":
    main()
