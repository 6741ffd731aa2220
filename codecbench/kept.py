"""State of a process that plugins may change: kept before a call, put back after it, see `codecbench.guard`.

A keeper looks at one thing and returns what puts it back.
"""

from __future__ import annotations

import ctypes
import gc
import locale
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

Back = Callable[[], None]
Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""How a setting is read, and how it is written."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]
_OURS = "CODECBENCH_"
_FENV_BYTES = 512
"""More than a floating-point environment takes on any system."""


def keep(*, loading: bool) -> list[Back]:
    """Return what puts back everything; ``loading`` as `codecbench.guard.guarded` says."""
    keepers = (_signals, _timer, _floats, _numpy, _random, _warnings, _interpreter, _folder)
    return [*(keeper() for keeper in keepers), _environment(loading), _path(loading)]


@cache
def libc() -> Any:
    """Return the C library of this process; None on Windows."""
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


def _nothing() -> None:
    pass


def kept(settings: list[Setting]) -> Back:
    """Return what puts settings back to what they are now."""
    before = [get() for get, _ in settings]

    def back() -> None:
        for (get, put), value in zip(settings, before, strict=True):
            if get() != value:
                put(value)

    return back


def _signals() -> Back:
    if threading.current_thread() is not threading.main_thread():
        return _nothing
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def back() -> None:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    return back


def _timer() -> Back:
    """Stop an alarm that is left running: once its handler is gone, it would end the process."""
    if not hasattr(signal, "setitimer") or any(signal.getitimer(signal.ITIMER_REAL)):
        return _nothing

    def back() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    return back


def _floats() -> Back:
    """Keep how this thread rounds, and whether subnormal numbers are taken for zero.

    Libraries compiled with ``-ffast-math`` change that by being loaded.
    """
    get, put = getattr(libc(), "fegetenv", None), getattr(libc(), "fesetenv", None)
    if get is None or put is None:
        return _nothing
    before = ctypes.create_string_buffer(_FENV_BYTES)
    get(before)

    def back() -> None:
        put(before)

    return back


def _numpy() -> Back:
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "seterr"):  # half imported
        return _nothing
    errors = numpy.geterr, lambda before: numpy.seterr(**before)
    return kept([errors, (numpy.geterrcall, numpy.seterrcall), (numpy.getbufsize, numpy.setbufsize)])


def _numpys_generator() -> Any:
    """Return numpy's module with its global generator, which numpy imports when it is asked for."""
    found = sys.modules.get("numpy.random")
    return found if hasattr(found, "set_state") else None


def _random() -> Back:
    ours, generator = random.getstate(), _numpys_generator()
    numpys = generator and generator.get_state()

    def back() -> None:
        random.setstate(ours)
        if generator:
            generator.set_state(numpys)
        elif imported := _numpys_generator():
            imported.seed()  # as the import itself did

    return back


def _warnings() -> Back:
    before, show = list(warnings.filters), warnings.showwarning

    def back() -> None:
        warnings.showwarning = show
        if warnings.filters != before:
            warnings.filters[:] = before  # type: ignore[index]

    return back


def attribute(of: Any, name: str) -> Setting:
    """Return an attribute as a setting."""
    return lambda: getattr(of, name), lambda value: setattr(of, name, value)


def _interpreter() -> Back:
    """Keep what Python calls for errors nobody catches and for each call, its limits, and the locale.

    Without a thread's hook for errors no thread starts any more.
    """
    return kept(_INTERPRETER)


def _set_locale(name: str) -> None:
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, name)


_INTERPRETER: list[Setting] = [
    attribute(sys, "excepthook"),
    attribute(sys, "unraisablehook"),
    attribute(threading, "excepthook"),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    (lambda: locale.setlocale(locale.LC_ALL), _set_locale),
]


def _environment(loading: bool) -> Back:
    # The table behind it: what `os.environ` shows is decoded anew at each look, a third of a guard.
    table: Mapping[Any, Any] = vars(os.environ).get("_data", os.environ)
    before = dict(table)

    def back() -> None:
        if table == before:
            return
        for name in map(os.fsdecode, set(table) - set(before)):
            if not loading or name.startswith(_OURS):
                del os.environ[name]
        os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before.items()})

    return back


def _path(loading: bool) -> Back:
    """Keep where modules are looked for; what loading adds stays, behind all others."""
    path, before = sys.path, list(sys.path)

    def back() -> None:
        now, sys.path = list(sys.path), path
        if now != before:
            added = [folder for folder in now if folder not in before] if loading else []
            path[:] = [*before, *added]

    return back


def _folder() -> Back:
    try:
        before = os.getcwd()  # noqa: PTH109 - a path object is made twice as slowly, and never used
    except OSError:  # the folder is gone; there is none to come back to
        return _nothing

    def back() -> None:
        with suppress(OSError):
            os.chdir(before)

    return back
