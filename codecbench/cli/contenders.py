"""What ``gate`` and ``compare`` take: stored systems, and codecs that are run first on the same speech."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from codecbench import registry
from codecbench.analysis.counted import SPEED
from codecbench.analysis.parts import choose, with_utterances
from codecbench.analysis.systems import System, is_stored, read_system
from codecbench.cli import about_data
from codecbench.cli.progress import Progress, download_bar, note
from codecbench.data.folders import load_dataset
from codecbench.data.sets import Dataset
from codecbench.errors import InvalidInput, WrongUsage
from codecbench.run.benchmark import Watch, benchmark
from codecbench.run.describe import describe
from codecbench.run.plan import DEFAULT_METRICS, Contestant, Plan, make_plan
from codecbench.run.requests import Request, parse_codecs
from codecbench.store.manifest import differences
from codecbench.store.store import Run
from codecbench.text import printable

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--data", help="Speech to run codecs on: a folder of audio or the name of a set."),
    click.option("--limit", type=click.IntRange(min=1), help="Run a speaker-balanced sample of so many."),
    click.option(
        "-o", "--out", type=click.Path(path_type=Path), help="Folder of that run.  [default: runs/SET]"
    ),
    click.option(
        "-j", "--workers", type=click.IntRange(min=1), help="Number of processes.  [default: cores]"
    ),
    click.option(
        "--device",
        default="cpu",
        show_default=True,
        help="For neural codecs: cpu, cuda or mps; cuda:0,1: each worker takes one.",
    ),
)


def options(command: Command) -> Command:
    """Add the options that say how codecs are run."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Contest:
    """Systems, some stored and some yet to run by one plan; ``names`` are theirs in the order given."""

    names: tuple[str, ...]
    stored: dict[str, System]
    plan: Plan | None
    whole: Dataset | None
    out: Path
    how: dict[str, Any]

    @property
    def dataset(self) -> Dataset:
        """The speech that codecs are run on; raises `WrongUsage` where none is to be run."""
        if self.plan is None:
            raise WrongUsage("nothing is left to run: name a codec as NEW, or leave out --sequential")
        return self.plan.dataset

    @property
    def checks(self) -> int:
        """How many checks rest on samples: of metrics and of speed, at each point."""
        assert self.plan is not None
        points = max(len(entry.points) for entry in self.plan.contestants)
        return points * (len(self.plan.metrics) + len(SPEED))

    def systems(self, dataset: Dataset | None = None) -> list[System]:
        """Run what is missing, on a part of the speech where one is given; return the systems in order."""
        if self.plan is None or self.whole is None:
            return [self.stored[name] for name in self.names]
        plan = replace(self.plan, dataset=dataset or self.plan.dataset)
        whole = self.whole
        command = [Path(sys.argv[0]).name, *map(printable, sys.argv[1:])]
        with Progress() as progress:
            watch = Watch(
                note, progress.begin, progress.advance, progress.slow,
                ready=lambda: about_data.say(plan, whole),
            )  # fmt: skip
            run = benchmark(plan, self.out, command=command, watch=watch, **self.how).run
        # The folder may hold more, of other commands.
        ids = {item.id for item in plan.dataset.utterances}
        run = choose(with_utterances(run, ids), metrics=[metric.name for metric in plan.metrics])
        return [self.stored.get(name) or _system(name, run, plan.contestants) for name in self.names]


def contest(
    names: Sequence[str],
    *,
    metrics: Sequence[str],
    judged: Collection[str] | None = None,
    seed: int,
    costs: bool,
    data: str | None,
    limit: int | None,
    out: Path | None,
    workers: int | None,
    device: str,
) -> Contest:
    """Read the systems that are stored, and plan to run those that are codecs.

    Parameters
    ----------
    names : sequence of str
        As on the command line.
    metrics : sequence of str
        Those asked for; by default those of the first stored system, else of ``codecbench run``, as far as
        they are ``judged``.
    judged : collection of str, optional
        Metrics that can be decided on; all where None.
    seed : int
        Of the sample.
    costs : bool
        Measure speed and memory where both of two systems are run.
    data, limit, out, workers, device
        How codecs are run, as `options` has them.

    Raises
    ------
    InvalidInput
        If a name stands for neither, or what is stored is of other speech.
    WrongUsage
        If the options do not fit the names.
    """
    bare = [name for name in names if is_codec(name)]
    stored = {name: read_system(name) for name in names if name not in bare}
    if not bare:
        if data or limit or out:
            raise WrongUsage("--data, --limit and --out go with codecs to run, and all systems are stored")
        return Contest(tuple(names), stored, None, None, Path(), {})
    if twice := [name for name in bare if bare.count(name) > 1]:
        raise WrongUsage(f"{twice[0]} is named twice; name different codecs or points")
    if not data:
        raise WrongUsage(f"{bare[0]} is to be run and no speech is given; add --data FOLDER or --data SET")
    with download_bar() as progress:
        whole = load_dataset(data, [out] if out else [], progress)
    first = next(iter(stored.values()), None)
    known = first.run.metrics if first else DEFAULT_METRICS
    wanted = list(metrics) or [name for name in known if judged is None or name in judged]
    plan = make_plan(whole, _requests(bare, first), wanted)
    if absent := [item for item in plan.left_out if item.kind != "metric"]:
        raise InvalidInput(str(absent[0]))
    for system in stored.values():
        _check_alike(system, plan)
    plan = replace(plan, dataset=_shared(whole, list(stored.values())).sample(limit, seed))
    how: dict[str, Any] = {
        "workers": workers,
        "device": device,
        "costs": costs and len(bare) == len(names) == 2,
    }
    if first:
        how["align"] = first.run.manifest.get("align", "codec")
    return Contest(tuple(names), stored, plan, whole, out or Path("runs") / whole.name, how)


def is_codec(name: str) -> bool:
    """Say whether a name stands for a codec to run; a run or baseline of that name goes before."""
    if is_stored(name):
        return False
    label, separator, rest = name.partition("=")
    spec = rest if separator and ":" not in label else name
    return spec.partition(":")[0].partition("@")[0] in registry.names(registry.CODECS)


def _check_alike(system: System, plan: Plan) -> None:
    """Refuse, before anything is run, speech or metrics other than those of a stored system."""
    here = {**describe(plan), "codecs": {}}
    if found := differences({**system.run.manifest, "codecs": {}}, here):
        raise InvalidInput(f"{system.name} does not compare with what is to be run: {'; '.join(found)}")


def _shared(whole: Dataset, stored: Sequence[System]) -> Dataset:
    """Return the utterances that every stored system has."""
    ids = [set(system.run.records["utterance"]) for system in stored]
    return whole.only([item for item in whole.utterances if all(item.id in known for known in ids)])


def _requests(bare: Sequence[str], first: System | None) -> list[Request]:
    """Return what to run: of codecs named without points those of the stored system, where they have them."""
    requests = parse_codecs(",".join(bare))
    points = {point for _, point in first.entries} if first else set()
    return [
        request if request.points or not first
        else replace(request, points=tuple(
            point.name for point in registry.codec(request.spec).points if point.name in points
        ))
        for request in requests
    ]  # fmt: skip


def _system(name: str, run: Run, contestants: Sequence[Contestant]) -> System:
    """Return what a name stands for in a run; one codec may be named twice, at different points."""
    (request,) = parse_codecs(name)
    entry = next(it for it in contestants if it.spec == request.spec and request.given in ("", it.label))
    points = request.points or tuple(point.name for point in entry.points)
    return System(name, run, tuple((entry.label, point) for point in points))
