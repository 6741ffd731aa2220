"""Codec lists and rates as the command line writes them: ``[LABEL=]NAME[:ARGUMENT][@POINT[+POINT...]]``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codecbench.errors import WrongUsage
from codecbench.names import NAME, WHAT_A_NAME_IS
from codecbench.run.groups import expanded
from codecbench.text import shown_name


@dataclass(frozen=True)
class Request:
    """One codec of ``--codecs``: ``NAME[:ARGUMENT]`` and its points' names, none for the default ladder.

    ``given`` is the label that stands for it in records and tables, empty for the one made of the spec.
    """

    spec: str
    points: tuple[str, ...] = ()
    given: str = ""

    @property
    def label(self) -> str:
        """The codec's name in records and tables: ``spc:FILE`` without folder and suffix of the file."""
        if self.given:
            return self.given
        name, separator, argument = self.spec.partition(":")
        # Not Path.stem: "opus@7.5" is the name of a folder, not of a file of type ".5".
        short = shown_name(re.sub(r"[.][A-Za-z]+$", "", Path(argument).name))
        return f"{name}:{short}" if separator else name


def parse_codecs(text: str) -> list[Request]:
    """Parse ``[LABEL=]NAME[:ARGUMENT][@POINT[+POINT...]],...``; a codec named twice gets the points of both.

    Files of one name get the part of their paths that tells them apart: ``spc:old`` and ``spc:new`` for
    ``spc:old/last.safetensors`` and ``spc:new/last.safetensors``.

    Raises
    ------
    WrongUsage
        If a part is empty, or two codecs would share a label.
    """
    requests: dict[tuple[str, str], Request] = {}
    for part in expanded(text):
        given, labelled = _split_label(part.strip())
        spec, points = _split_points(labelled)
        if not spec or "" in points:
            raise WrongUsage(f"codec list {text!r} has an empty part; write e.g. opus,codec2@2400+3200")
        before = requests.get((given, spec))
        if before and before.points and points:
            points = tuple(dict.fromkeys(before.points + points))
        elif before:
            raise WrongUsage(f"codec {spec!r} is listed twice; name its points once, e.g. opus@8+12")
        requests[given, spec] = Request(spec, points, given)
    told_apart = _told_apart(list(requests.values()))
    distinct(told_apart)
    return told_apart


def distinct(requests: Sequence[Request]) -> None:
    """Raise `WrongUsage` where two codecs would share a label."""
    labels: dict[str, str] = {}
    for request in requests:
        if other := labels.get(request.label):
            raise WrongUsage(
                f"{other!r} and {request.spec!r} would share the label {request.label!r}; "
                f"label them, e.g. old={other},new={request.spec}"
            )
        labels[request.label] = request.spec


def parse_rates(text: str) -> tuple[float, ...]:
    """Parse ``--kbps``: positive rates in kbit/s separated by commas."""
    return tuple(
        _positive(part, "rate", "kbit/s above 0, e.g. --kbps 6 or --kbps 6,9,12") for part in text.split(",")
    )


def parse_tolerance(text: str) -> float:
    """Parse ``--tolerance``: ``10%`` or ``0.1``."""
    number = _positive(text.removesuffix("%"), "tolerance", "a share, e.g. 10% or 0.1")
    return number / 100 if text.endswith("%") else number


def _positive(text: str, what: str, wanted: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise WrongUsage(f"{what} {text.strip()!r} is not usable; give {wanted}")
    return number


def _split_label(part: str) -> tuple[str, str]:
    """Split ``LABEL=CODEC``; an equals sign behind a colon belongs to the codec's argument."""
    label, separator, rest = part.partition("=")
    if not separator or ":" in label:
        return "", part
    if not NAME.fullmatch(label):
        raise WrongUsage(f"the label {label!r} cannot be used; a label is {WHAT_A_NAME_IS}")
    return label, rest


def _told_apart(requests: list[Request]) -> list[Request]:
    """Name files of one name by the last folder of their paths that all of them have differently."""
    alike: dict[str, list[Request]] = {}
    for request in requests:
        alike.setdefault(request.label, []).append(request)
    named: dict[Request, Request] = {}
    for group in alike.values():
        if len(group) < 2 or any(request.given for request in group):
            continue
        folders = [Path(request.spec.partition(":")[2]).parent.parts[::-1] for request in group]
        depth = next((parts for parts in zip(*folders, strict=False) if len(set(parts)) == len(parts)), None)
        for request, folder in zip(group, depth or (), strict=False):
            label = f"{request.spec.partition(':')[0]}:{shown_name(folder)}"
            named[request] = replace(request, given=label)
    return [named.get(request, request) for request in requests]


def _split_points(part: str) -> tuple[str, tuple[str, ...]]:
    """Split at the last ``@``, unless it belongs to a path."""
    spec, separator, points = part.rpartition("@")
    if not separator or re.search(r"[/\\]", points):
        return part, ()
    return spec, tuple(name.strip() for name in points.split("+"))
