"""``codecbench run`` and ``codecbench score``: compute cells, then print the table."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from codecbench import weights as weights_lookup
from codecbench.cli import about_data
from codecbench.cli.progress import Progress, note
from codecbench.cli.tables import print_table, say_unscored, write_table
from codecbench.data.folders import Dataset, load_dataset
from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.run.cell import Task
from codecbench.run.describe import describe
from codecbench.run.executors import KINDS, check_options, make_executor
from codecbench.run.patience import Limits
from codecbench.run.plan import (
    DEFAULT_METRICS,
    Plan,
    Request,
    make_plan,
    parse_rates,
    parse_tolerance,
    require_something,
)
from codecbench.run.pool import cores
from codecbench.run.runner import RERUN, Summary, missing
from codecbench.run.runner import run as compute
from codecbench.store import manifest as manifests
from codecbench.store.delete import delete_run
from codecbench.store.layout import MANIFEST, RECORDS
from codecbench.store.store import Run, Store, load_run, read_manifest
from codecbench.text import printable

DEFAULT_AUDIO = "12"

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """How to run, apart from what."""

    out: Path
    workers: int
    executor: str
    scheduler: str
    limits: Limits
    device: str
    rerun: str
    audio: str
    seed: int
    overwrite: bool
    strict: bool
    as_json: bool


_SHARED_OPTIONS = (
    click.option(
        "--metrics",
        default=",".join(DEFAULT_METRICS),
        show_default=True,
        help="Metrics, separated by commas; codecbench list shows all.",
    ),
    click.option("--limit", type=click.IntRange(min=1), help="Take a speaker-balanced sample of so many."),
    click.option("--seed", default=0, show_default=True, help="Chooses the sample."),
    click.option("--workers", type=click.IntRange(min=1), help="Number of processes.  [default: cores]"),
    click.option(
        "--executor",
        type=click.Choice(KINDS),
        default="processes",
        show_default=True,
        help="Where to compute: isolated processes, this process, or a Dask cluster.",
    ),
    click.option("--scheduler", default="", help="Address of the Dask scheduler."),
    click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        help="End a cell that takes longer, in seconds, loading included.  [default: no limit]",
    ),
    click.option(
        "--memory",
        "memory_gb",
        type=click.FloatRange(min=0, min_open=True),
        help="End a worker that takes more memory, in GB, loaded models included.  [default: no limit]",
    ),
    click.option("--device", default="cpu", show_default=True, help="For neural codecs: cpu, cuda or mps."),
    click.option(
        "--rerun",
        type=click.Choice(RERUN),
        default="missing",
        show_default=True,
        help="Which cells to compute where the folder has records already.",
    ),
    click.option(
        "--audio",
        default=DEFAULT_AUDIO,
        show_default=True,
        help="Keep decoded speech of so many utterances (speaker-balanced), of all, or of none.",
    ),
    click.option("--overwrite", is_flag=True, help="Delete the run that the folder holds first."),
    click.option("--strict", is_flag=True, help="Exit with 1 if anything was left out or a cell failed."),
    click.option("--json", "as_json", is_flag=True, help="Print the table as JSON."),
)


def _how(command: Command) -> Command:
    """Add the options that ``run`` and ``score`` share."""
    for option in reversed(_SHARED_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.option("--codecs", required=True, help="NAME[:FILE][@POINT+POINT], separated by commas.")
@click.option("--data", default="demo", show_default=True, help="A folder of audio or the name of a set.")
@click.option(
    "--kbps", default="", help="Run the point nearest to this rate (or rates: 6,9,12) of each codec."
)
@click.option("--tolerance", default="10%", show_default=True, help="How far off --kbps a point may be.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: runs/SET]")
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with model files by codec, DIR/<codec>/; sets CODECBENCH_WEIGHTS.",
)
@_how
def run(
    *,
    codecs: str,
    data: str,
    kbps: str,
    tolerance: str,
    out: Path | None,
    weights: Path | None,
    metrics: str,
    limit: int | None,
    **how: Any,
) -> int:
    """Push a speech set through codecs and score every utterance.

    Records go to OUT/records.jsonl the moment they exist; the same command continues an interrupted run.  The
    table is printed and written to OUT/table.csv.
    """
    if weights is not None:
        # The environment is what workers inherit.
        os.environ[weights_lookup.VARIABLE] = str(weights.resolve())
    whole = load_dataset(data, [out] if out else [])
    options = _options(out or Path("runs") / whole.name, **how)
    plan = make_plan(
        whole.sample(limit, options.seed),
        codecs,
        _names(metrics),
        parse_rates(kbps) if kbps else (),
        parse_tolerance(tolerance),
    )
    return _run(plan, whole, limit, options)


@click.command()
@click.option("--ref", required=True, help="Folder with the reference files.")
@click.option(
    "--deg",
    required=True,
    help="Folder with the decoded files; paired by path below the folder, else by stem.",
)
@click.option(
    "--kbps", type=click.FloatRange(min=0, min_open=True), help="The rate to show for them, in kbit/s."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: runs/DEG]")
@_how
def score(
    *, ref: str, deg: str, kbps: float | None, out: Path | None, metrics: str, limit: int | None, **how: Any
) -> int:
    """Score speech that some codec has decoded already, against its references."""
    whole = load_dataset(ref, [Path(deg), *([out] if out else [])])
    options = _options(out or Path("runs") / Path(deg).resolve().name, **how)
    decoded = Request(f"folder:{deg}", () if kbps is None else (f"{kbps:g}",))
    plan = make_plan(whole.sample(limit, options.seed), [decoded], _names(metrics))
    return _run(plan, whole, limit, options)


def _options(
    out: Path, *, workers: int | None, timeout_s: float | None, memory_gb: float | None, **rest: Any
) -> Options:
    limits = Limits(timeout_s, memory_gb)
    check_options(rest["executor"], limits, rest["scheduler"])
    return Options(out=out, workers=workers or cores(), limits=limits, **rest)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _run(plan: Plan, whole: Dataset, limit: int | None, options: Options) -> int:
    kept = _utterances_kept(plan.dataset, options)
    _say_left_out(plan)
    require_something(plan)
    if options.overwrite:
        delete_run(options.out)
    elif (options.out / MANIFEST).exists():
        read_manifest(options.out)  # refuses before anything is written into a folder that is not ours
    command = [Path(sys.argv[0]).name, *map(printable, sys.argv[1:])]
    described = describe(
        plan,
        seed=options.seed,
        limit=limit,
        device=options.device,
        audio=kept,
        command=command,
    )
    with Store(options.out) as store:
        old = store.manifest()
        if old is not None:
            manifests.check_same(old, described, options.out)
        elif len(store):
            raise InvalidInput(f"{options.out} has records but no {MANIFEST}; choose another --out")
        if store.repaired_bytes:
            note(
                f"removed an incomplete last line of {store.repaired_bytes} bytes; its cell is computed again"
            )
        merged = manifests.merge(old, described)
        store.write_manifest(merged)
        about_data.say(plan, whole)
        summary = _compute(plan, store, options, kept)
        store.write_manifest({**merged, "finished": manifests.now()})
    finished = load_run(options.out)
    print_table(write_table(finished), as_json=options.as_json)
    unscored = say_unscored(finished)
    _say_failures(finished, summary)
    left_out = plan.unavailable or plan.unmatched or plan.unavailable_metrics or unscored or summary.failed
    return 1 if options.strict and left_out else 0


def _compute(plan: Plan, store: Store, options: Options, kept: Collection[str]) -> Summary:
    cells = missing(plan, store, options.rerun, kept)
    tasks = [
        Task(cell, plan.metrics, options.device, store.out if cell.utterance.id in kept else None)
        for cell in cells
    ]
    stored = len(plan) - len(tasks)
    note(f"{len(tasks)} cells to compute" + (f", {stored} stored" if stored else ""))
    if not tasks:
        return Summary()
    workers = min(options.workers, len(tasks))
    how = (options.executor, workers, options.limits, options.scheduler)
    with Progress(len(tasks)) as progress, make_executor(*how, progress.slow) as (executor, slots):
        return compute(tasks, store, executor, slots, progress.advance)


def _utterances_kept(dataset: Dataset, options: Options) -> frozenset[str]:
    if options.audio == "none":
        return frozenset()
    if options.audio == "all":
        return frozenset(item.id for item in dataset.utterances)
    if not options.audio.isdecimal():
        raise InvalidInput(f"--audio {options.audio!r} is not usable; give a number, all or none")
    number = int(options.audio)
    if number == 0:
        return frozenset()
    return frozenset(item.id for item in dataset.sample(number, options.seed).utterances)


def _say_left_out(plan: Plan) -> None:
    for absent in (*plan.unavailable, *plan.unavailable_metrics):
        note(f"{absent.name} is unavailable: {absent.reason}; {absent.remedy}")
    for item in plan.unmatched:
        note(str(item))


def _say_failures(run: Run, summary: Summary) -> None:
    failures = run.failures
    if failures.empty:
        return
    counted = Counter(zip(failures["codec"], failures["error"], strict=True))
    for (codec, error), count in counted.most_common(5):
        note(f"{count} failed with {codec}: {error}")
    if len(counted) > 5:
        note(f"and {len(counted) - 5} other reasons; see {run.out / RECORDS}")
    if summary.computed and summary.failed == summary.computed:
        raise CodecBenchError(f"all {summary.failed} cells failed; correct the cause and add --rerun failed")
