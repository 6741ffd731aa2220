"""``codecbench run`` and ``codecbench score``: compute cells, then print the table."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from codecbench import weights as weights_lookup
from codecbench.anchors import Folder
from codecbench.cli import remarks
from codecbench.cli.progress import Progress, note
from codecbench.data.folders import Dataset, load_dataset
from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.run.cell import Task
from codecbench.run.describe import describe
from codecbench.run.executors import KINDS, check_options, make_executor
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
from codecbench.run.scoring import ALIGN
from codecbench.run.settle import Delays, unsettled
from codecbench.store import manifest as manifests
from codecbench.store.layout import MANIFEST, RECORDS
from codecbench.store.store import Store, load_run

DEFAULT_AUDIO = "12"
_OWN_FILES = (RECORDS, MANIFEST, "table.csv")

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """How to run, apart from what."""

    out: Path
    workers: int
    executor: str
    scheduler: str
    timeout_s: float | None
    device: str
    rerun: str
    audio: str
    seed: int
    overwrite: bool
    strict: bool
    as_json: bool
    align: str = "codec"


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
        help="Longest time for one cell in seconds, loading included.",
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
    whole = load_dataset(data)
    options = _options(out or Path("runs") / whole.name, **how)
    plan = make_plan(
        whole.sample(limit, options.seed),
        codecs,
        _names(metrics),
        parse_rates(kbps) if kbps else (),
        parse_tolerance(tolerance),
    )
    return _run(plan, limit, options)


@click.command()
@click.option("--ref", required=True, help="Folder with the reference files.")
@click.option("--deg", required=True, help="Folder with the decoded files; names match by stem.")
@click.option(
    "--kbps", type=click.FloatRange(min=0, min_open=True), help="The rate to show for them, in kbit/s."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: runs/DEG]")
@click.option(
    "--align",
    type=click.Choice(ALIGN),
    default=ALIGN[0],
    show_default=True,
    help="Undo before scoring: the lag of all files together, of each file by itself, or none.",
)
@_how
def score(
    *, ref: str, deg: str, kbps: float | None, out: Path | None, metrics: str, limit: int | None, **how: Any
) -> int:
    """Score speech that some codec has decoded already, against its references."""
    whole = load_dataset(ref)
    options = _options(out or Path("runs") / Path(deg).name, **how)
    decoded = Request(f"folder:{deg}", () if kbps is None else (f"{kbps:g}",))
    paired, said = remarks.with_files(whole, Folder(deg))
    if said:
        note(said)
    plan = make_plan(paired.sample(limit, options.seed), [decoded], _names(metrics))
    status = _run(plan, limit, options)
    return 1 if options.strict and said else status


def _options(out: Path, *, workers: int | None, **rest: Any) -> Options:
    check_options(rest["executor"], rest["timeout_s"], rest["scheduler"])
    return Options(out=out, workers=workers or cores(), **rest)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _run(plan: Plan, limit: int | None, options: Options) -> int:
    kept = _utterances_kept(plan.dataset, options)
    _say_left_out(plan)
    require_something(plan)
    if options.overwrite:
        _delete_run(options.out)
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    described = describe(
        plan,
        seed=options.seed,
        limit=limit,
        device=options.device,
        audio=kept,
        command=command,
        align=options.align,
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
        summary = _compute(plan, store, options, kept)
        store.write_manifest({**merged, "finished": manifests.now()})
    _print_table(options)
    for line in remarks.after(load_run(options.out)):
        note(line)
    _say_failures(options.out, summary)
    left_out = plan.unavailable or plan.unmatched or plan.unavailable_metrics or summary.failed
    return 1 if options.strict and left_out else 0


def _compute(plan: Plan, store: Store, options: Options, kept: Collection[str]) -> Summary:
    cells = missing(plan, store, options.rerun, kept)
    every = [
        Task(
            cell,
            plan.metrics,
            options.device,
            store.out if cell.utterance.id in kept else None,
            options.align,
        )
        for cell in plan
    ]
    wanted = {cell.key for cell in cells}
    tasks = [task for task in every if task.cell.key in wanted]
    stored = [task for task in every if task.cell.key not in wanted]
    note(f"{len(tasks)} cells to compute" + (f", {len(stored)} stored" if stored else ""))
    if not tasks and not unsettled(stored, store, Delays(store)):
        return Summary()
    with (
        Progress(len(tasks)) as progress,
        make_executor(
            options.executor, min(options.workers, len(every)), options.timeout_s, options.scheduler
        ) as (
            executor,
            slots,
        ),
    ):
        return compute(tasks, store, executor, slots, progress.advance, stored=stored)


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


def _delete_run(out: Path) -> None:
    """Delete what a run wrote, and nothing else, from a folder that holds one."""
    if not (out / MANIFEST).exists():
        return
    with Store(out):
        for name in _OWN_FILES:
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / "audio", ignore_errors=True)


def _say_left_out(plan: Plan) -> None:
    for absent in (*plan.unavailable, *plan.unavailable_metrics):
        note(f"{absent.name} is unavailable: {absent.reason}; {absent.remedy}")
    for item in plan.unmatched:
        note(str(item))


def _say_failures(out: Path, summary: Summary) -> None:
    failures = load_run(out).failures
    if failures.empty:
        return
    counted = Counter(zip(failures["codec"], failures["error"], strict=True))
    for (codec, error), count in counted.most_common(5):
        note(f"{count} failed with {codec}: {error}")
    if len(counted) > 5:
        note(f"and {len(counted) - 5} other reasons; see {out / RECORDS}")
    if summary.computed and summary.failed == summary.computed:
        raise CodecBenchError(f"all {summary.failed} cells failed; correct the cause and add --rerun failed")


def _print_table(options: Options) -> None:
    from codecbench.cli.tables import print_table, write_table

    table = write_table(load_run(options.out))
    print_table(table, as_json=options.as_json)
