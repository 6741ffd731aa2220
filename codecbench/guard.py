"""Isolation of plugin code: whatever it changes in the process is put back for others.

Inside the guard, standard output goes to standard error, for tables and CSV own it.  Afterwards the process
is put back as it was, see `codecbench.kept`.  What would end the process (`SystemExit`, any `BaseException`)
becomes an ordinary error, and a copy of the process that the plugin has forked ends.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from codecbench import kept, kept_torch
from codecbench.errors import CodecBenchError, PluginStopped, StorageError, told


@contextmanager
def guarded(*, loading: bool = False) -> Iterator[None]:
    """Run the block as code of a plugin.

    Parameters
    ----------
    loading : bool
        Whether the block imports or opens something: libraries may then add variables to the environment
        (not change them, and none of the suite's own) and folders of modules, for they use them later.

    Raises
    ------
    PluginStopped
        In place of a `BaseException` that is no `Exception`; Ctrl-C of a user stays what it is.
    CodecBenchError
        In place of a `StorageError`, which only the suite itself may raise.
    """
    with ExitStack() as after:
        after.callback(_keep_streams())
        for back in (*kept.keep(loading=loading), kept_torch.keep()):
            after.callback(back)
        after.callback(_end_if_forked, os.getpid())
        try:
            yield
        except StorageError as error:
            raise CodecBenchError(told(error)) from error
        except Exception:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and _is_interruptible():
                raise
            raise PluginStopped(f"{told(error)} (raised by the plugin)") from error


def to_stderr() -> None:
    """Send the process's standard output to standard error for good, as workers do."""
    _flush()
    with suppress(OSError):
        os.dup2(2, 1)
    sys.stdout = sys.stderr


def open_closed_streams() -> None:
    """Open what of standard input, output and error is closed, so that no file of ours takes its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _end_if_forked(pid: int) -> None:
    """End a copy that came out of plugin code: it would go on as we do, and answer or store twice."""
    if os.getpid() != pid:
        os._exit(1)


class _Stderr(io.TextIOBase):
    """What a plugin sees as ``sys.stdout``: writes to standard error, and closing it closes nothing."""

    encoding = "utf-8"

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def buffer(self) -> Any:
        return self._stream.buffer

    def write(self, text: str) -> int:
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return 2

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        pass


def _keep_streams() -> Callable[[], None]:
    out, err = sys.stdout, sys.stderr
    _flush()
    before: int | None = None
    with suppress(OSError):  # a process without one of the two has nothing to keep clean
        os.fstat(2)
        before = os.dup(1)
        os.dup2(2, 1)
    if err is not None:
        sys.stdout = _Stderr(err)

    def back() -> None:
        _flush()
        sys.stdout, sys.stderr = out, err
        if before is not None:
            os.dup2(before, 1)
            os.close(before)

    return back


def _flush() -> None:
    for stream in {sys.stdout, sys.stderr, sys.__stdout__}:
        with suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    libc = kept.libc()  # the C library has a buffer of its own for standard output
    if libc is not None:
        libc.fflush(None)


def _is_interruptible() -> bool:
    """Say whether a `KeyboardInterrupt` can be a user's: workers ignore Ctrl-C, and threads never get it."""
    import multiprocessing

    in_main = threading.current_thread() is threading.main_thread()
    return in_main and multiprocessing.parent_process() is None
