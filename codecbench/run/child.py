"""Main loop of a worker process of `codecbench.run.pool`: calls are answered until the pipe ends.

A worker must not outlive its coordinator, however that ends and whatever a codec does: it may sleep, spin in
C without letting a Python thread run, or wait for a program it started.  So each worker leads a process group
of its own and has a guard in it, a process that waits for the coordinator's end and then kills the group.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from codecbench.errors import told
from codecbench.guard import guarded, to_stderr
from codecbench.run.devices import take_place

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What asks a run to stop.  They concern the coordinator alone, which ends its workers itself."""


def block_stop_signals() -> None:
    """Leave these signals to the main thread; processes started from this thread inherit the block."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def work(connection: Connection, number: int) -> None:
    """Answer calls until the pipe ends, as the worker of that number in its pool.

    Whatever a task prints goes to standard error: the coordinator's standard output is for its result.
    """
    to_stderr()
    take_place(number)
    _leave_stop_signals_to_the_coordinator()
    if hasattr(os, "fork"):
        _start_guard()
    with suppress(OSError):
        connection.send("started")
    while True:
        try:
            call = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            connection.send(_answer(call))
        except OSError:
            return


def kill_group(worker: BaseProcess) -> None:
    """Kill a worker's guard and what the worker started; no error where all have ended."""
    if hasattr(os, "killpg") and worker.pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)


def _answer(call: bytes) -> tuple[bool, Any]:
    try:
        # Unpickling imports what the arguments are made of, plugins too.
        with guarded(loading=True):
            function, arguments = pickle.loads(call)  # noqa: S301 - from the coordinator, through our pipe
        return True, function(*arguments)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes: would it survive the pipe?
        except Exception:
            return False, RuntimeError(told(error))
        return False, error


def _leave_stop_signals_to_the_coordinator() -> None:
    """Do nothing at a signal sent to every process of a job; programs started from here get the default."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
        if hasattr(signal, "siginterrupt"):
            signal.siginterrupt(number, False)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _start_guard() -> None:
    coordinator = multiprocessing.parent_process()
    if coordinator is None:
        return
    os.setpgid(0, 0)
    if os.fork():
        return
    try:
        # An end of a pipe kept open here would hide the worker's end from the coordinator.
        for entry in list(Path("/dev/fd").iterdir()):
            if int(entry.name) != coordinator.sentinel:
                with suppress(OSError):
                    os.close(int(entry.name))
        os.read(coordinator.sentinel, 1)
    finally:
        os.killpg(0, signal.SIGKILL)
