"""Timeouts and memory limits of one call, and when it is named as slow."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from codecbench.errors import CodecBenchError, InvalidInput

FIRST_WORD_S = 60.0
"""Seconds after which a call that still runs is spoken of; then each time these have doubled."""

GB = 1e9
"""Bytes of a gigabyte."""

OnSlow = Callable[[tuple[Any, ...], float], None]
"""Told the arguments of a call that still runs, and the seconds it has taken so far."""


class TimedOut(CodecBenchError):
    """A task took longer than allowed; its worker was ended."""


class OverMemory(CodecBenchError):
    """A worker took more memory than allowed during a task; it was ended."""


@dataclass(frozen=True)
class Limits:
    """What one task may take before its worker is ended.

    Parameters
    ----------
    timeout_s : float or None
        Longest time of a task, loading codecs and metrics included.
    memory_gb : float or None
        Most resident memory of a worker in 10^9 bytes, libraries and loaded models included.  What a process
        has merely reserved is not counted: torch reserves far more than it uses.

    Raises
    ------
    InvalidInput
        If memory cannot be watched on this system.
    """

    timeout_s: float | None = None
    memory_gb: float | None = None

    def __post_init__(self) -> None:
        if self.memory_gb is not None and sys.platform == "win32":
            raise InvalidInput("--memory needs Linux or macOS; leave it out")

    def check(self, process: BaseProcess, spent_s: float) -> None:
        """Raise `TimedOut` or `OverMemory` if a process has taken too much for its task."""
        if self.timeout_s is not None and spent_s > self.timeout_s:
            raise TimedOut(f"took longer than {self.timeout_s:g} s; raise --timeout")
        if self.memory_gb is None:
            return
        taken = resident_bytes(process.pid) if process.pid else None
        if taken is not None and taken > self.memory_gb * GB:
            raise OverMemory(
                f"its worker took {taken / GB:.3g} GB of memory, more than {self.memory_gb:g}; raise --memory"
            )


def resident_bytes(pid: int) -> int | None:
    """Return the memory of a process that lies in RAM, in bytes; None where it has ended."""
    if sys.platform == "linux":
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return None
        kilobytes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    else:
        command = ["ps", "-o", "rss=", "-p", str(pid)]
        kilobytes = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return 1024 * int(kilobytes[0]) if kilobytes else None


class Patience:
    """Speaks of one call while it runs: sparsely, see `FIRST_WORD_S`."""

    def __init__(self, arguments: tuple[Any, ...], on_slow: OnSlow) -> None:
        self._arguments, self._on_slow = arguments, on_slow
        self._begin = time.monotonic()
        self._next_s = FIRST_WORD_S

    def spent_s(self) -> float:
        """Return the seconds since the call began; speak where it is time to."""
        spent = time.monotonic() - self._begin
        if spent >= self._next_s:
            self._next_s *= 2
            self._on_slow(self._arguments, spent)
        return spent


@contextmanager
def watched(arguments: tuple[Any, ...], on_slow: OnSlow) -> Iterator[None]:
    """Speak of what this thread does inside the context, from another thread."""
    done = threading.Event()
    patience = Patience(arguments, on_slow)

    def watch() -> None:
        while not done.wait(0.5):
            patience.spent_s()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
