"""Experiment planning: which codecs at which points on which utterances, decided before anything is loaded.

`make_plan` turns the words of a command line into a `Plan`, which iterates over its cells.  A codec that
cannot run here, or has no point at the rate asked for, is kept in the plan by name with the reason, never
dropped.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codecbench import contract, registry
from codecbench.codec import Codec, OperatingPoint
from codecbench.data.folders import Dataset, Utterance
from codecbench.errors import CodecBenchError, ContractBroken, InvalidInput, Unavailable
from codecbench.files import sha256_or_unreadable
from codecbench.metric import RESAMPLER, Metric
from codecbench.store.records import FIELDS as COLUMNS
from codecbench.text import shown_name

CELL_VERSION = 3
"""Raised when the computation of a cell changes; stored cells of another version are computed again."""

HELD_PARAMETERS = 250_000_000
"""Weights of all codecs that a worker holds open, 1 GB in single precision; one codec may have more."""

DEFAULT_METRICS = ("stoi", "estoi", "pesq-wb", "pesq-nb", "mcd", "visqol", "si-sdr", "mel-distance")


@dataclass(frozen=True)
class Request:
    """One codec of ``--codecs``: ``NAME[:ARGUMENT]`` and its points' names, none for the default ladder."""

    spec: str
    points: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The codec's name in records and tables: ``spc:FILE`` without folder and suffix of the file."""
        name, separator, argument = self.spec.partition(":")
        # Not Path.stem: "opus@7.5" is the name of a folder, not of a file of type ".5".
        short = shown_name(re.sub(r"[.][A-Za-z]+$", "", Path(argument).name))
        return f"{name}:{short}" if separator else name


@dataclass(frozen=True)
class Contestant:
    """A codec that can run here, and the points at which it will."""

    label: str
    spec: str
    codec: Codec = field(compare=False)
    signature: str
    points: tuple[OperatingPoint, ...]


@dataclass(frozen=True)
class LeftOut:
    """What was asked for and is not run, why, and what to do about it.

    ``kind`` is ``"codec"`` or ``"metric"`` for one that cannot run here, ``"rate"`` for a codec that has no
    point near enough to a rate asked for.
    """

    kind: str
    name: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return "; ".join(part for part in (f"{self.name} is left out: {self.reason}", self.remedy) if part)


@dataclass(frozen=True)
class Cell:
    """One utterance through one codec at one point; ``key`` names the result among all runs.

    Metrics are no part of it: a record may get further scores, each under its metric's own signature.
    """

    key: str
    utterance: Utterance
    digest: str
    codec: str
    spec: str
    signature: str
    point: OperatingPoint


@dataclass(frozen=True)
class Plan:
    """The cells of a run and what it had to leave out.

    Iteration goes utterance by utterance, so that codecs share what metrics make of the reference, over as
    many codecs as a worker may hold open (`held_together`); where there are more, one group after the other.
    """

    dataset: Dataset
    contestants: tuple[Contestant, ...]
    metrics: tuple[Metric, ...]
    left_out: tuple[LeftOut, ...] = ()
    """A metric among them stays in ``metrics``: its scores are missing, with the reason."""

    def __len__(self) -> int:
        return len(self.dataset.utterances) * sum(len(entry.points) for entry in self.contestants)

    def __iter__(self) -> Iterator[Cell]:
        digests = {item.id: sha256_or_unreadable(item.path) for item in self.dataset.utterances}
        groups = held_together(self.contestants)
        for group, utterance in itertools.product(groups, self.dataset.utterances):
            for entry in group:
                for point in entry.points:
                    digest = digests[utterance.id]
                    key = _key(utterance.id, digest, entry.signature, point)
                    yield Cell(key, utterance, digest, entry.label, entry.spec, entry.signature, point)


def held_together(contestants: Sequence[Contestant]) -> list[list[Contestant]]:
    """Part codecs into groups, in their order, whose models a worker may hold open at once."""
    groups: list[list[Contestant]] = []
    held = 0
    for entry in contestants:
        weights = entry.codec.info.parameters or 0
        held += weights
        if not groups or held > HELD_PARAMETERS:
            groups.append([])
            held = weights
        groups[-1].append(entry)
    return groups


def make_plan(
    dataset: Dataset,
    codecs: str | Sequence[Request],
    metrics: Sequence[str] = DEFAULT_METRICS,
    kbps: Sequence[float] = (),
    tolerance: float = 0.1,
) -> Plan:
    """Decide what to compute.

    Parameters
    ----------
    dataset : Dataset
        The utterances.
    codecs : str or sequence of Request
        The value of ``--codecs``, see `parse_codecs`, or what it stands for.
    metrics : sequence of str
        Names of metrics.
    kbps : sequence of float
        For codecs without explicit points: run the point nearest to each of these rates.
    tolerance : float
        How far that point may be off, relative to the rate.

    Raises
    ------
    InvalidInput
        If a name is unknown or a value malformed.
    """
    contestants: list[Contestant] = []
    left_out: list[LeftOut] = []
    for request in parse_codecs(codecs) if isinstance(codecs, str) else codecs:
        try:
            codec = registry.codec(request.spec)
            contract.check_here(codec)
            points, missed = _choose(request, codec, kbps, tolerance)
            signature = contract.signature(codec)
        except Unavailable as error:
            left_out.append(LeftOut("codec", request.label, error.reason, error.remedy))
            continue
        left_out += missed
        if points:
            contestants.append(Contestant(request.label, request.spec, codec, signature, points))
    scored, absent = _metrics(metrics)
    return Plan(dataset, tuple(contestants), scored, (*left_out, *absent))


def parse_codecs(text: str) -> list[Request]:
    """Parse ``NAME[:ARGUMENT][@POINT[+POINT...]],...``; a codec named twice gets the points of both.

    Raises
    ------
    InvalidInput
        If a part is empty, or two arguments of one codec would share a label.
    """
    requests: dict[str, Request] = {}
    for part in text.split(","):
        spec, points = _split_points(part.strip())
        if not spec or "" in points:
            raise InvalidInput(f"codec list {text!r} has an empty part; write e.g. opus,codec2@2400+3200")
        before = requests.get(spec)
        if before and before.points and points:
            points = tuple(dict.fromkeys(before.points + points))
        elif before:
            raise InvalidInput(f"codec {spec!r} is listed twice; name its points once, e.g. opus@8+12")
        requests[spec] = Request(spec, points)
    labels: dict[str, str] = {}
    for request in requests.values():
        if other := labels.get(request.label):
            raise InvalidInput(
                f"{other!r} and {request.spec!r} would share the label {request.label!r}; rename one"
            )
        labels[request.label] = request.spec
    return list(requests.values())


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
        raise InvalidInput(f"{what} {text.strip()!r} is not usable; give {wanted}")
    return number


def _split_points(part: str) -> tuple[str, tuple[str, ...]]:
    """Split at the last ``@``, unless it belongs to a path."""
    spec, separator, points = part.rpartition("@")
    if not separator or re.search(r"[/\\]", points):
        return part, ()
    return spec, tuple(name.strip() for name in points.split("+"))


def _choose(
    request: Request, codec: Codec, kbps: Sequence[float], tolerance: float
) -> tuple[tuple[OperatingPoint, ...], list[LeftOut]]:
    if request.points:
        return tuple(contract.point(codec, name) for name in request.points), []
    if not kbps:
        return tuple(point for point in codec.points if point.default), []
    chosen: dict[str, OperatingPoint] = {}
    missed = []
    for asked in kbps:
        # Of points at the same rate the default one is taken, then the first.
        best = min(codec.points, key=lambda point: (_distance(point, asked), not point.default))
        if _distance(best, asked) <= tolerance * asked * (1 + 1e-9):
            chosen[best.name] = best
        else:
            missed.append(_unmatched(request, asked, best))
    return tuple(chosen.values()), missed


def _distance(point: OperatingPoint, asked: float) -> float:
    difference = abs(point.nominal_kbps - asked)
    return math.inf if math.isnan(difference) else difference


def _unmatched(request: Request, asked: float, nearest: OperatingPoint) -> LeftOut:
    if math.isnan(nearest.nominal_kbps):
        reason = f"it has no known rate to compare with {asked:g} kbit/s"
        return LeftOut("rate", request.label, reason, f"declare it, e.g. {request.spec}@{asked:g}")
    return LeftOut(
        "rate",
        request.label,
        f"no point near {asked:g} kbit/s, its nearest has {nearest.nominal_kbps:g}",
        f"name that one, {request.spec}@{nearest.name}, or give a wider --tolerance",
    )


def _metrics(names: Sequence[str]) -> tuple[tuple[Metric, ...], tuple[LeftOut, ...]]:
    """Return the metrics to score with, and which of them cannot score here or could not even be made."""
    scored: list[Metric] = []
    absent: list[LeftOut] = []
    for name in dict.fromkeys(names):
        try:
            if name in COLUMNS:
                raise ContractBroken(f"metric {name!r}: a column of every record has this name")
            metric = registry.metric(name)
            scored.append(metric)
            contract.check_here(metric)
        except Unavailable as error:
            absent.append(LeftOut("metric", name, error.reason, error.remedy))
    if not scored:
        why = f"no metric can score: {absent[0].reason}; {absent[0].remedy}" if absent else "no metric given"
        raise InvalidInput(f"{why}; name one or more, e.g. --metrics stoi,pesq-wb")
    return tuple(scored), tuple(absent)


def _key(utterance: str, digest: str, signature: str, point: OperatingPoint) -> str:
    rate = None if math.isnan(point.nominal_kbps) else point.nominal_kbps
    settings = sorted((name, value) for name, value in point.settings.items())
    parts = [CELL_VERSION, RESAMPLER, utterance, digest, signature, point.name, rate, settings]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def require_something(plan: Plan) -> None:
    """Raise in one line where a plan has nothing to run, with the first reason."""
    if plan.contestants:
        return
    reasons = [str(item) for item in plan.left_out if item.kind != "metric"]
    raise CodecBenchError("nothing to run: " + " | ".join(reasons))
