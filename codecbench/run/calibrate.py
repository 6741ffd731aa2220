"""Dry run: a few cells are really computed, and what the whole plan will take is reckoned from them.

Nothing is written into the run's folder.  The cells go through the same worker as those of a run, in the
same order, so that points share a reference here as there.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

from codecbench.data.sets import Dataset, Utterance
from codecbench.errors import InvalidInput, WrongUsage
from codecbench.run.benchmark import DEFAULT_AUDIO, chosen
from codecbench.run.cell import Outcome, Task, compute
from codecbench.run.describe import describe
from codecbench.run.devices import check_device
from codecbench.run.estimate import OTHER, Cost, Costs, Estimate, Piece, expect
from codecbench.run.executors import check_options, make_executor
from codecbench.run.patience import Limits
from codecbench.run.plan import Cell, Contestant, Plan, require_something
from codecbench.run.pool import cores
from codecbench.run.recoding import DEFAULT_RECODED
from codecbench.run.runner import missing
from codecbench.run.shard import parse_shard
from codecbench.store import manifest as manifests
from codecbench.store.layout import MANIFEST, reference_path
from codecbench.store.records import Record, essence, read_records
from codecbench.store.store import read_manifest

UTTERANCES = 4
"""Utterances that each codec codes at each of its points, unless asked otherwise."""

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Numbers of workers that are told of, up to the number of cells, besides the one asked for."""


@dataclass
class _Folder:
    """What a run's folder holds, read without taking it."""

    out: Path
    known: dict[str, Record] = field(default_factory=dict)

    def get(self, key: str) -> Record | None:
        return self.known.get(key)


def estimate(
    plan: Plan,
    out: str | Path,
    *,
    workers: int | None = None,
    executor: str = "processes",
    timeout_s: float | None = None,
    memory_gb: float | None = None,
    device: str = "cpu",
    align: str = "codec",
    rerun: str = "missing",
    audio: int | str = DEFAULT_AUDIO,
    recode: int | str = DEFAULT_RECODED,
    overwrite: bool = False,
    shard: str = "",
    costs: bool = False,
    batch: int = 1,
    utterances: int = UTTERANCES,
) -> Estimate:
    """Tell what `codecbench.benchmark` with the same arguments would take, and write nothing.

    Parameters
    ----------
    plan : Plan
        What to compute, see `codecbench.make_plan`.
    out : str or Path
        Folder of the run; what it holds already is not counted.
    workers : int, optional
        A number of workers to tell the time for besides others, by default one a core.
    executor, timeout_s, memory_gb, device, align, rerun, audio, recode, overwrite, shard
        As for `codecbench.benchmark`; one worker of the ``executor`` computes.
    costs, batch
        Refused: what the one measures besides and the other saves is not reckoned.
    utterances : int
        How many utterances each codec codes at each point, of all lengths alike.

    Returns
    -------
    Estimate
        Cells, hours by codec and metric, disk, and the time that numbers of workers take.

    Raises
    ------
    InvalidInput
        If an option cannot be used, or the folder holds a run that does not compare with this one.
    CodecBenchError
        If the plan has nothing to run.
    """
    part = parse_shard(shard)
    out = part.folder(Path(out)) if part else Path(out)
    limits = Limits(timeout_s, memory_gb)
    if executor == "dask":
        raise WrongUsage("a dry run measures on this machine; leave --executor dask out")
    check_options(executor, limits, "")
    if costs:
        raise WrongUsage("a dry run does not reckon what --costs measures besides; leave --costs out")
    if batch > 1:
        raise WrongUsage("a dry run codes one utterance at a time; leave --batch out")
    if utterances < 1:
        raise InvalidInput(f"cannot calibrate with {utterances} utterances; give 1 or more")
    kept = chosen(plan.dataset, audio, "--audio")
    recoded = chosen(plan.dataset, recode, "--recode")
    require_something(plan)
    check_device(device)
    ours = part.of(plan) if part else plan
    described = describe(plan, device=device, audio=kept, recoded=recoded, align=align)
    folder = _Folder(out) if overwrite else _read(out, described)
    pieces = _pieces(ours, folder, rerun, kept, recoded)
    if not pieces:
        return expect([], Costs({}), [workers or cores()], len(ours))
    found = _calibrate(_some(ours, pieces, utterances), device, align, executor, limits)
    return expect(pieces, found, _numbers(workers, len(pieces)), len(ours) - len(pieces))


def spread(dataset: Dataset, many: int) -> tuple[Utterance, ...]:
    """Return so many utterances whose lengths stand for all: the middles of equal parts by length."""
    ordered = sorted(dataset.utterances, key=lambda item: (item.seconds or 0.0, item.id))
    many = min(many, len(ordered))
    return tuple(ordered[(2 * index + 1) * len(ordered) // (2 * many)] for index in range(many))


def _read(out: Path, described: manifests.Manifest) -> _Folder:
    if not (out / MANIFEST).exists():
        return _Folder(out)
    manifests.check_same(read_manifest(out), described, out)
    return _Folder(out, {record["key"]: essence(record) for record in read_records(out)})


def _pieces(
    plan: Plan, folder: _Folder, rerun: str, kept: frozenset[str], recoded: frozenset[str]
) -> list[Piece]:
    wanted = {cell.key for cell in missing(plan, folder, rerun, kept)}
    names = tuple(metric.name for metric in plan.metrics)
    pieces = []
    for cell in plan:
        if cell.key in wanted:
            ident = cell.utterance.id
            pieces.append(_piece(cell, names, keep=ident in kept, recode=ident in recoded))
            continue
        known = folder.known[cell.key]
        lacking = tuple(name for name in names if name not in known["scored"])
        if lacking and known["status"] == "ok":
            pieces.append(_piece(cell, lacking))
    return pieces


def _piece(cell: Cell, metrics: tuple[str, ...], *, keep: bool = False, recode: bool = False) -> Piece:
    utterance = cell.utterance
    return Piece(cell.codec, cell.point.name, utterance.id, utterance.seconds or 0.0, metrics, keep, recode)


def _some(plan: Plan, pieces: Sequence[Piece], utterances: int) -> Plan:
    """Return the plan to calibrate: a few utterances, codecs and points that have something to do."""
    wanted = {(piece.codec, piece.point) for piece in pieces}
    contestants = []
    for entry in plan.contestants:
        points = tuple(point for point in entry.points if (entry.label, point.name) in wanted)
        if points:
            contestants.append(replace(entry, points=points))
    dataset = replace(plan.dataset, utterances=spread(plan.dataset, utterances))
    return replace(plan, dataset=dataset, contestants=tuple(contestants))


def _numbers(workers: int | None, cells: int) -> list[int]:
    return sorted({workers or cores(), *(many for many in WORKERS if many <= max(1, cells))})


def _calibrate(plan: Plan, device: str, align: str, executor: str, limits: Limits) -> Costs:
    """Compute the plan's cells in one worker and return what they cost."""
    with (
        tempfile.TemporaryDirectory() as name,
        make_executor(executor, 1, limits) as (computing, _),
    ):
        out = Path(name)
        task = Task(next(iter(plan)), plan.metrics, device, out, align, recode=True)
        meter = _Meter(computing, out, task)
        for entry in plan.contestants:
            meter.measure(replace(plan, contestants=(entry,)), entry)
        return meter.costs()


class _Meter:
    """Runs cells and keeps what they took."""

    def __init__(self, computing: Executor, out: Path, task: Task) -> None:
        self._computing, self._out, self._task = computing, out, task
        self._cells: dict[tuple[str, str], Cost] = {}
        self._load_s: dict[str, float] = {}
        self._start_s: float | None = None
        self._references: dict[str, float] = {}
        self._failed: list[str] = []

    def measure(self, plan: Plan, entry: Contestant) -> None:
        """Compute one codec's cells; before them its last one, in which all that is loaded once is loaded."""
        cells = list(plan)
        first = self._compute(cells[-1])
        by_point: dict[str, list[tuple[Cell, Outcome]]] = {}
        for cell in cells:
            by_point.setdefault(cell.point.name, []).append((cell, self._compute(cell)))
        for point, outcomes in by_point.items():
            self._cells[entry.label, point] = self._cost(outcomes)
        second = by_point[cells[-1].point.name][-1][1]
        self._load_s[entry.label] = max(0.0, first.wall_s - second.wall_s)

    def costs(self) -> Costs:
        seconds = sum(self._references.values())
        size = sum((self._out / reference_path(name)).stat().st_size for name in self._references)
        return Costs(
            self._cells,
            self._load_s,
            self._start_s or 0.0,
            size / seconds if seconds else 0.0,
            tuple(dict.fromkeys(self._failed)),
        )

    def _compute(self, cell: Cell) -> Outcome:
        begin = time.perf_counter()
        future = self._computing.submit(compute, replace(self._task, cell=cell))
        outcome: Outcome = future.result()
        if self._start_s is None:
            self._start_s = max(0.0, time.perf_counter() - begin - outcome.wall_s)
        record = outcome.record
        if record["status"] == "failed":
            self._failed.append(
                f"{cell.codec}@{cell.point.name} failed on {cell.utterance.id}: {record['error']}"
            )
        if record["audio"]:
            self._references[cell.utterance.id] = record["seconds"]
        return outcome

    def _cost(self, outcomes: Sequence[tuple[Cell, Outcome]]) -> Cost:
        seconds = sum(cell.utterance.seconds or 0.0 for cell, _ in outcomes) or 1.0
        spent: dict[str, float] = {}
        for _, outcome in outcomes:
            other = outcome.wall_s - sum(outcome.spent.values())
            for what, value in {**outcome.spent, OTHER: other}.items():
                spent[what] = spent.get(what, 0.0) + value
        records = [outcome.record for _, outcome in outcomes]
        audio = [(self._out / record["audio"]).stat().st_size for record in records if record["audio"]]
        return Cost(
            {what: value / seconds for what, value in spent.items()},
            sum(len(json.dumps(record, separators=(",", ":"))) + 1 for record in records) / seconds,
            sum(audio) / seconds,
        )
