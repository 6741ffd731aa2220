"""Isolation of plugin code: whatever it changes in the process is put back for others.

Inside the guard, standard output goes to standard error, for tables and CSV own it.  Afterwards the process
is put back as it was: working folder, environment, random states, numpy's error handling, filters of
warnings, torch's threads, handlers of signals, Python's hooks for errors and its limit on recursion.  What
would end the process (`SystemExit`, any `BaseException`) becomes an ordinary error.
"""

from __future__ import annotations

import ctypes
import io
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import Any

from codecbench.errors import CodecBenchError, PluginStopped, StorageError, told

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]
_OURS = "CODECBENCH_"


@contextmanager
def guarded(*, loading: bool = False) -> Iterator[None]:
    """Run the block as code of a plugin.

    Parameters
    ----------
    loading : bool
        Whether the block imports or opens something: libraries may then add variables to the environment
        (not change them, and none of the suite's own), for they read them later.

    Raises
    ------
    PluginStopped
        In place of a `BaseException` that is no `Exception`; Ctrl-C of a user stays what it is.
    CodecBenchError
        In place of a `StorageError`, which only the suite itself may raise.
    """
    with ExitStack() as after:
        for keep in (_keep_streams, _keep_signals, _keep_numpy, _keep_random, _keep_warnings, _keep_torch):
            after.callback(keep())
        after.callback(_keep_hooks())
        after.callback(_keep_environment(loading))
        after.callback(_keep_folder())
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
    kept: int | None = None
    with suppress(OSError):  # a process without one of the two has nothing to keep clean
        os.fstat(2)
        kept = os.dup(1)
        os.dup2(2, 1)
    if err is not None:
        sys.stdout = _Stderr(err)

    def back() -> None:
        _flush()
        sys.stdout, sys.stderr = out, err
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)

    return back


def _flush() -> None:
    for stream in {sys.stdout, sys.stderr, sys.__stdout__}:
        with suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    libc = _libc()
    if libc is not None:
        libc.fflush(None)


@cache
def _libc() -> Any:
    """Return the C library, which has a buffer of its own for standard output; None on Windows."""
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


def _keep_signals() -> Callable[[], None]:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def back() -> None:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    return back


def _keep_hooks() -> Callable[[], None]:
    """Keep what Python calls for errors nobody catches: without a thread's hook no thread starts any more."""
    whole, unraisable, thread = sys.excepthook, sys.unraisablehook, threading.excepthook
    depth = sys.getrecursionlimit()

    def back() -> None:
        sys.excepthook, sys.unraisablehook, threading.excepthook = whole, unraisable, thread
        if sys.getrecursionlimit() != depth:
            sys.setrecursionlimit(depth)

    return back


def _keep_numpy() -> Callable[[], None]:
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "seterr"):  # half imported
        return lambda: None
    before = numpy.geterr()

    def back() -> None:
        numpy.seterr(**before)

    return back


def _numpys_generator() -> Any:
    """Return numpy's module with its global generator, which numpy imports when it is asked for."""
    found = sys.modules.get("numpy.random")
    return found if hasattr(found, "set_state") else None


def _keep_random() -> Callable[[], None]:
    ours, generator = random.getstate(), _numpys_generator()
    numpys = generator and generator.get_state()

    def back() -> None:
        random.setstate(ours)
        if generator:
            generator.set_state(numpys)
        elif imported := _numpys_generator():
            imported.seed()  # as the import itself did

    return back


def _keep_warnings() -> Callable[[], None]:
    before, show = list(warnings.filters), warnings.showwarning

    def back() -> None:
        warnings.showwarning = show
        if warnings.filters != before:
            warnings.filters[:] = before  # type: ignore[index]

    return back


def _keep_torch() -> Callable[[], None]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_rng_state"):  # half imported
        return lambda: None
    threads, dtype, state = torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state()
    grad = torch.is_grad_enabled()

    def back() -> None:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.set_rng_state(state)

    return back


def _keep_environment(loading: bool) -> Callable[[], None]:
    before = dict(os.environ)

    def back() -> None:
        if os.environ == before:
            return
        for name in set(os.environ) - set(before):
            if not loading or name.startswith(_OURS):
                del os.environ[name]
        os.environ.update(before)

    return back


def _keep_folder() -> Callable[[], None]:
    try:
        before = os.getcwd()  # noqa: PTH109 - a path object is made twice as slowly, and never used
    except OSError:  # the folder is gone; there is none to come back to
        return lambda: None

    def back() -> None:
        with suppress(OSError):
            os.chdir(before)

    return back


def _is_interruptible() -> bool:
    """Say whether a `KeyboardInterrupt` can be a user's: workers ignore Ctrl-C, and threads never get it."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and multiprocessing.parent_process() is None
