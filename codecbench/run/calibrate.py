"""Dry run: a few cells are really computed, and what the whole plan will take is reckoned from them.

Nothing is written into the run's folder.  The cells go through the same worker as those of a run, in the
same order, so that points share a reference here as there.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

from codecbench.data.sets import Dataset, Utterance
from codecbench.errors import InvalidInput, WrongUsage
from codecbench.run.benchmark import DEFAULT_AUDIO, Watch, chosen
from codecbench.run.cell import Outcome, Task, compute
from codecbench.run.describe import describe
from codecbench.run.devices import check_device
from codecbench.run.estimate import OTHER, Cost, Costs, Estimate, Piece, expect
from codecbench.run.executors import check_options, make_executor
from codecbench.run.patience import Limits
from codecbench.run.plan import Cell, Plan, held_together, require_something
from codecbench.run.pool import cores, end_in_worker
from codecbench.run.recoding import DEFAULT_RECODED
from codecbench.run.runner import missing
from codecbench.run.shard import parse_shard
from codecbench.store import manifest as manifests
from codecbench.store.layout import MANIFEST, reference_path
from codecbench.store.records import Record, essence, read_records
from codecbench.store.store import read_manifest

PATIENCE_S = 60.0
"""Seconds after which no further utterance is begun; the first goes through all points in any case."""

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
    watch: Watch | None = None,
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
        How many utterances each codec codes at each point at most, of all lengths alike; fewer, one at
        least, where all take longer than `PATIENCE_S` seconds.
    watch : Watch, optional
        Who is told how it goes on: `note`, `begin` the most cells that it computes, `record`, `slow`.

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
    end_in_worker()
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
    some = _some(ours, pieces, utterances)
    task = Task(next(iter(some)), some.metrics, device, align=align, recode=True)
    found = _calibrate(some, task, executor, limits, watch or Watch())
    return expect(pieces, found, _numbers(workers, len(pieces)), len(ours) - len(pieces))


def spread(dataset: Dataset, many: int) -> tuple[Utterance, ...]:
    """Return so many utterances whose lengths stand for all: the middles of equal parts by length.

    Those of middle length come first, so that a few of them do as well.
    """
    ordered = sorted(dataset.utterances, key=lambda item: (item.seconds or 0.0, item.id))
    many = min(many, len(ordered))
    parts = sorted(range(many), key=lambda index: abs(2 * index + 1 - many))
    return tuple(ordered[(2 * index + 1) * len(ordered) // (2 * many)] for index in parts)


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


def _calibrate(plan: Plan, task: Task, executor: str, limits: Limits, watch: Watch) -> Costs:
    """Compute the plan's cells like a task in one worker, as far as patience goes; return what they cost."""
    most, loading = len(plan), len(plan.contestants)
    least = most // len(plan.dataset.utterances)
    watch.note(f"computing {least + loading} cells, and up to {most - least} more within {PATIENCE_S:g} s")
    watch.begin(most + loading)
    with (
        tempfile.TemporaryDirectory() as name,
        make_executor(executor, 1, limits, on_slow=watch.slow) as (computing, _),
    ):
        out = Path(name)
        meter = _Meter(computing, out, replace(task, out=out), watch)
        for group in held_together(plan.contestants):
            part = replace(plan, contestants=tuple(group))
            meter.measure(part, PATIENCE_S * len(part) / len(plan))
        return meter.costs()


class _Meter:
    """Runs cells and keeps what they took."""

    def __init__(self, computing: Executor, out: Path, task: Task, watch: Watch) -> None:
        self._computing, self._out, self._task, self._watch = computing, out, task, watch
        self._outcomes: dict[tuple[str, str], list[tuple[Cell, Outcome]]] = {}
        self._first: dict[str, tuple[Cell, Outcome]] = {}
        self._start_s: float | None = None
        self._references: dict[str, float] = {}
        self._failed: list[str] = []
        self._begin = time.perf_counter()

    def measure(self, plan: Plan, patience_s: float) -> None:
        """Compute the cells of codecs that are open together, in the order of a run.

        Those of the first utterance in any case.  Before them each codec codes the last utterance, so that
        what is loaded once is not counted as work.
        """
        rounds = [list(replace(plan, dataset=plan.dataset.only([item]))) for item in plan.dataset.utterances]
        for cell in {cell.codec: cell for cell in rounds[-1]}.values():
            self._first[cell.codec] = cell, self._compute(cell)
        longest = 0.0
        for number, cells in enumerate(rounds):
            begin = time.perf_counter()
            if number and patience_s < longest:
                break
            for cell in cells:
                place = cell.codec, cell.point.name
                self._outcomes.setdefault(place, []).append((cell, self._compute(cell)))
            spent = time.perf_counter() - begin
            longest, patience_s = max(longest, spent), patience_s - spent

    def costs(self) -> Costs:
        seconds = sum(self._references.values())
        size = sum((self._out / reference_path(name)).stat().st_size for name in self._references)
        cells = {place: self._cost(outcomes) for place, outcomes in self._outcomes.items()}
        return Costs(
            cells,
            {codec: self._load_s(cell, outcome, cells) for codec, (cell, outcome) in self._first.items()},
            self._start_s or 0.0,
            size / seconds if seconds else 0.0,
            tuple(dict.fromkeys(self._failed)),
            sum(map(len, self._outcomes.values())) + len(self._first),
            time.perf_counter() - self._begin,
        )

    def _load_s(self, cell: Cell, first: Outcome, cells: Mapping[tuple[str, str], Cost]) -> float:
        """Return what the first cell of a codec took beyond its work."""
        work_s = sum(cells[cell.codec, cell.point.name].spent.values()) * (cell.utterance.seconds or 0.0)
        return max(0.0, first.wall_s - work_s)

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
        self._watch.record(record)
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
