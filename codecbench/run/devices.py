"""Accelerators: which devices a run names, whether they are here, and which one a worker computes on."""

from __future__ import annotations

from dataclasses import dataclass

from codecbench.errors import Unavailable, WrongUsage
from codecbench.store.manifest import device_kind

KINDS = ("cpu", "cuda", "mps")


@dataclass
class _Place:
    number: int = 0


_place = _Place()


def parse_devices(text: str) -> tuple[str, ...]:
    """Return the devices that ``--device`` names: ``cuda:0,cuda:1``, or ``cuda:0,1`` for short.

    Raises
    ------
    WrongUsage
        If one is none of `KINDS`, or they are of several kinds, whose times and rounding differ.
    """
    found: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        device = f"{device_kind(found[-1])}:{part}" if found and part.isdecimal() else part
        kind, separator, number = device.partition(":")
        if kind not in KINDS or (separator and not number.isdecimal()):
            raise WrongUsage(
                f"--device {text!r} is not usable; give {', '.join(KINDS)}, or cuda:0,1 for two of them"
            )
        found.append(device)
    if len({device_kind(device) for device in found}) > 1:
        raise WrongUsage(f"--device {text!r} names devices of several kinds; give those of one kind")
    return tuple(found)


def check_device(text: str) -> None:
    """Raise unless all devices (``cpu``, ``cuda``, ``cuda:0,1``, ``mps``) can be used in this process.

    Raises
    ------
    WrongUsage
        If one is none of `KINDS`.
    Unavailable
        If there is none here.
    """
    devices = parse_devices(text)
    kind = device_kind(text)
    if kind == "cpu":
        return
    try:
        import torch
    except ImportError as error:
        raise Unavailable(f"--device {text} needs torch ({error})", "run with --device cpu") from None
    there = torch.cuda.device_count() if kind == "cuda" else int(torch.backends.mps.is_available())
    for device in devices:
        if int(device.partition(":")[2] or 0) >= there:
            raise Unavailable(
                f"--device {device}: torch {torch.__version__} finds {there} such devices here",
                "run with --device cpu, or install a build of torch for it"
                if not there
                else f"name some of {', '.join(f'{kind}:{number}' for number in range(there))}",
            )


def check_one(text: str) -> None:
    """Raise like `check_device`, and where several are named."""
    if len(parse_devices(text)) > 1:
        raise WrongUsage(f"--device {text!r} names several and one is used here; name one")
    check_device(text)


def take_place(number: int) -> None:
    """Make this process the worker of that number, from 0, of those that share a run's devices."""
    _place.number = number


def own_device(devices: str) -> str:
    """Return this process's device of those of a run: worker i has the one at i modulo their number."""
    named = parse_devices(devices)
    return named[_place.number % len(named)]
