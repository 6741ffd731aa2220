"""State of a process that plugins may change: kept before a call, put back after it, see `codecbench.guard`.

A keeper looks at one thing and returns what puts it back.  Libraries that nobody has imported are left alone.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from operator import attrgetter
from typing import Any

Back = Callable[[], None]
Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""How a setting is read, and how it is written."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]
_OURS = "CODECBENCH_"
_BACKENDS = (
    "backends", "backends.cuda.matmul",
    *("backends." + name + part for name in ("cudnn", "mkldnn") for part in ("", ".matmul", ".conv", ".rnn")),
)  # fmt: skip
_FENV_BYTES = 512
"""More than a floating-point environment takes on any system."""


def keep(*, loading: bool) -> list[Back]:
    """Return what puts back everything; ``loading`` as `codecbench.guard.guarded` says."""
    keepers = (_signals, _timer, _floats, _numpy, _random, _warnings, _torch, _interpreter, _folder)
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


def _kept(settings: list[Setting]) -> Back:
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
    return _kept([errors, (numpy.geterrcall, numpy.seterrcall), (numpy.getbufsize, numpy.setbufsize)])


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


def _torch() -> Back:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "backends"):  # half imported
        return _nothing
    settings, state = _kept(_torchs_settings()), torch.get_rng_state()

    def back() -> None:
        settings()
        torch.set_rng_state(state)

    return back


@cache
def _torchs_settings() -> list[Setting]:
    import torch

    backends = torch.backends
    return [
        (torch.get_num_threads, torch.set_num_threads),
        (torch.get_default_dtype, torch.set_default_dtype),
        # Naming the CPU is not the same as naming none, and slower.
        (torch.get_default_device, lambda on: torch.set_default_device(None if on.type == "cpu" else on)),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        (_matmul_precision, _set_matmul_precision),
        *_precisions(),
        (_deterministic, lambda how: torch.use_deterministic_algorithms(how[0], warn_only=how[1])),
        *(_attribute(backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")),
        _attribute(backends.mkldnn, "enabled"),
    ]


def _matmul_precision() -> str:
    """Return how precise torch's products are; "" where single backends differ, and torch tells none."""
    import torch

    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return ""


def _set_matmul_precision(how: str) -> None:
    import torch

    if how:
        torch.set_float32_matmul_precision(how)


def _precisions() -> Iterator[Setting]:
    """Yield the precision of each backend, where torch (2.9 and later) has one for each."""
    import torch

    for path in _BACKENDS:
        with suppress(AttributeError):
            backend = attrgetter(path)(torch)
            if hasattr(backend, "fp32_precision"):
                yield _attribute(backend, "fp32_precision")


def _deterministic() -> tuple[bool, bool]:
    import torch

    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _attribute(of: Any, name: str) -> Setting:
    return lambda: getattr(of, name), lambda value: setattr(of, name, value)


def _interpreter() -> Back:
    """Keep what Python calls for errors nobody catches and for each call, its limits, and the locale.

    Without a thread's hook for errors no thread starts any more.
    """
    return _kept(_INTERPRETER)


def _set_locale(name: str) -> None:
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, name)


_INTERPRETER: list[Setting] = [
    _attribute(sys, "excepthook"),
    _attribute(sys, "unraisablehook"),
    _attribute(threading, "excepthook"),
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
