"""State of torch that plugins may change: kept before a call, put back after it, see `codecbench.kept`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from operator import attrgetter
from typing import Any

from codecbench.kept import Back, Setting, attribute, kept

_BACKENDS = (
    "backends", "backends.cuda.matmul",
    *("backends." + name + part for name in ("cudnn", "mkldnn") for part in ("", ".matmul", ".conv", ".rnn")),
)  # fmt: skip


def keep() -> Back:
    """Return what puts torch's settings and random state back; where nobody has imported it, torch's own."""
    torch = _imported()
    if torch is None:
        return _back_to_fresh
    settings, state = kept(_torchs_settings()), torch.get_rng_state()

    def back() -> None:
        settings()
        torch.set_rng_state(state)

    return back


def _imported() -> Any:
    found = sys.modules.get("torch")
    return found if hasattr(found, "backends") else None  # it may be half imported


def _back_to_fresh() -> None:
    """Where a plugin has imported torch, and may have changed it, set what it has after its import."""
    torch = _imported()
    if torch is None:
        return
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdecimal():
        torch.set_num_threads(int(threads))
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(False)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(False)
    cudnn, torch.backends.mkldnn.enabled = torch.backends.cudnn, True
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic = True, False, False


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
        *(attribute(backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")),
        attribute(backends.mkldnn, "enabled"),
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
                yield attribute(backend, "fp32_precision")


def _deterministic() -> tuple[bool, bool]:
    import torch

    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
