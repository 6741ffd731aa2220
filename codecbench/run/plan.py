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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from codecbench import contract, registry, weights
from codecbench.codec import Codec, OperatingPoint
from codecbench.data.sets import Dataset, Utterance
from codecbench.errors import CodecBenchError, ContractBroken, InvalidInput, Unavailable
from codecbench.files import sha256_or_unreadable
from codecbench.metric import RESAMPLER, Metric
from codecbench.run.requests import Request, parse_codecs
from codecbench.store.records import FIELDS as COLUMNS

CELL_VERSION = 3
"""Raised when the computation of a cell changes; stored cells of another version are computed again."""

HELD_PARAMETERS = 250_000_000
"""Weights of all codecs that a worker holds open, 1 GB in single precision; one codec may have more."""

DEFAULT_METRICS = (
    "stoi",
    "estoi",
    "pesq-wb",
    "pesq-nb",
    "mcd",
    "visqol",
    "visqol-poly",
    "si-sdr",
    "mel-distance",
)

METRIC_GROUPS = {
    "fast": ("stoi", "estoi", "mcd", "si-sdr", "mel-distance", "bandwidth"),
    "paper": ("stoi", "pesq-wb", "pesq-nb", "mcd", "visqol"),
}
"""What needs no extra and little time; what papers on codecs print.  ``all`` is all but those that need files
of ``codecbench weights``."""


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
class Taken:
    """The point of a codec that was taken for a rate asked for, both in kbit/s."""

    asked_kbps: float
    label: str
    point: str
    nominal_kbps: float

    def __str__(self) -> str:
        off = self.nominal_kbps / self.asked_kbps - 1
        return f"{self.label}@{self.point}" + (f" ({off:+.1%})" if abs(off) >= 0.0005 else "")


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
    With ``in_turns`` there is one group, and the order of its codecs turns round from one utterance to the
    next, so that none is always timed on a warmer machine.
    """

    dataset: Dataset
    contestants: tuple[Contestant, ...]
    metrics: tuple[Metric, ...]
    left_out: tuple[LeftOut, ...] = ()
    """A metric among them stays in ``metrics``: its scores are missing, with the reason."""
    taken: tuple[Taken, ...] = ()
    """For each rate asked for, the points that stand for it."""
    in_turns: bool = False

    def __len__(self) -> int:
        return len(self.dataset.utterances) * sum(len(entry.points) for entry in self.contestants)

    def __iter__(self) -> Iterator[Cell]:
        digests = {item.id: sha256_or_unreadable(item.path) for item in self.dataset.utterances}
        groups = [list(self.contestants)] if self.in_turns else held_together(self.contestants)
        for group, (number, utterance) in itertools.product(groups, enumerate(self.dataset.utterances)):
            for entry in reversed(group) if self.in_turns and number % 2 else group:
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
        Names of metrics, or of groups: ``fast``, ``paper``, ``all``; see `METRIC_GROUPS`.
    kbps : sequence of float
        For codecs without explicit points: run the point nearest to each of these rates, one of the default
        ladder where that has one near enough, else one of the others.
    tolerance : float
        How far that point may be off, relative to the rate.

    Raises
    ------
    InvalidInput
        If a name is unknown or a value malformed.
    """
    contestants: list[Contestant] = []
    left_out: list[LeftOut] = []
    taken: list[Taken] = []
    for request in parse_codecs(codecs) if isinstance(codecs, str) else codecs:
        try:
            codec = registry.codec(request.spec)
            contract.check_here(codec)
            points, missed, found = _choose(request, codec, kbps, tolerance)
            signature = contract.signature(codec)
        except Unavailable as error:
            left_out.append(LeftOut("codec", request.label, error.reason, error.remedy))
            continue
        left_out += missed
        taken += found
        if points:
            contestants.append(Contestant(request.label, request.spec, codec, signature, points))
    _refuse_twins(contestants)
    scored, absent = _metrics(metrics)
    return Plan(dataset, tuple(contestants), scored, (*left_out, *absent), tuple(taken))


def _refuse_twins(contestants: Sequence[Contestant]) -> None:
    """Refuse two labels for one codec with one set of weights: their cells would be the same cells."""
    seen: dict[tuple[str, str], str] = {}
    for entry in contestants:
        for point in entry.points:
            if other := seen.get((entry.signature, point.name)):
                raise InvalidInput(
                    f"{other!r} and {entry.label!r} are the same codec with the same weights "
                    f"at {point.name}; leave one out"
                )
            seen[entry.signature, point.name] = entry.label


def _choose(
    request: Request, codec: Codec, kbps: Sequence[float], tolerance: float
) -> tuple[tuple[OperatingPoint, ...], list[LeftOut], list[Taken]]:
    if request.points:
        return tuple(contract.point(codec, name) for name in request.points), [], []
    if not kbps:
        return tuple(point for point in codec.points if point.default), [], []
    chosen: dict[str, OperatingPoint] = {}
    missed, taken = [], []
    for asked in kbps:
        near = tolerance * asked * (1 + 1e-9)
        # Others than the default points may measure far from their nominal rate, so they come second.
        found = [point for point in codec.points if _distance(point, asked) <= near]
        found = [point for point in found if point.default] or found
        if found:
            best = min(found, key=lambda point: _distance(point, asked))
            chosen[best.name] = best
            taken.append(Taken(asked, request.label, best.name, best.nominal_kbps))
        else:
            nearest = min(codec.points, key=lambda point: (_distance(point, asked), not point.default))
            missed.append(_unmatched(request, asked, nearest))
    return tuple(chosen.values()), missed, taken


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
    for name in dict.fromkeys(chain.from_iterable(map(_members, names))):
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


def _members(name: str) -> Sequence[str]:
    """Return the metrics that a name stands for; a registered metric goes before a group."""
    known = registry.names(registry.METRICS)
    if name == "all" and name not in known:
        return [metric for metric in known if weights.declared(registry.METRICS, metric) is None]
    return (name,) if name in known else METRIC_GROUPS.get(name, (name,))


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
