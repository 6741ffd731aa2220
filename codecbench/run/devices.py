"""Accelerators: whether the device asked for is here, before anything is computed."""

from __future__ import annotations

from codecbench.errors import Unavailable, WrongUsage

KINDS = ("cpu", "cuda", "mps")


def check_device(device: str) -> None:
    """Raise unless a device (``cpu``, ``cuda``, ``cuda:1``, ``mps``) can be used in this process.

    Raises
    ------
    WrongUsage
        If it is none of `KINDS`.
    Unavailable
        If there is none here.
    """
    kind, _, number = device.partition(":")
    if kind not in KINDS or (number and not number.isdecimal()):
        raise WrongUsage(
            f"--device {device!r} is not usable; give {', '.join(KINDS)}, or cuda:1 for a second one"
        )
    if kind == "cpu":
        return
    try:
        import torch
    except ImportError as error:
        raise Unavailable(f"--device {device} needs torch ({error})", "run with --device cpu") from None
    there = torch.cuda.device_count() if kind == "cuda" else int(torch.backends.mps.is_available())
    if int(number or 0) >= there:
        raise Unavailable(
            f"--device {device}: torch {torch.__version__} finds {there} such devices here",
            "run with --device cpu, or install a build of torch for it",
        )
