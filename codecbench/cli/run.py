"""``codecbench run`` and ``codecbench score``: compute cells, then print the table."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from codecbench import weights as weights_lookup
from codecbench.anchors import Folder
from codecbench.cli import about_data, remarks
from codecbench.cli.progress import Progress, download_bar, note
from codecbench.cli.tables import print_table, say_unscored, write_table
from codecbench.data.folders import Dataset, load_dataset
from codecbench.errors import CodecBenchError
from codecbench.run.benchmark import DEFAULT_AUDIO, Benchmarked, Watch, benchmark
from codecbench.run.executors import KINDS, check_options
from codecbench.run.patience import Limits
from codecbench.run.plan import (
    DEFAULT_METRICS,
    Plan,
    Request,
    make_plan,
    parse_rates,
    parse_tolerance,
)
from codecbench.run.runner import RERUN
from codecbench.run.scoring import ALIGN
from codecbench.store.layout import RECORDS
from codecbench.text import names_in, printable

Command = TypeVar("Command", bound=Callable[..., Any])


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
        default=str(DEFAULT_AUDIO),
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
    seed: int,
    **how: Any,
) -> int:
    """Push a speech set through codecs and score every utterance.

    Records go to OUT/records.jsonl the moment they exist; the same command continues an interrupted run.  The
    table is printed and written to OUT/table.csv.
    """
    if weights is not None:
        # The environment is what workers inherit.
        os.environ[weights_lookup.VARIABLE] = str(weights.resolve())
    _check(**how)
    with download_bar() as progress:
        whole = load_dataset(data, [out] if out else [], progress)
    plan = make_plan(
        whole.sample(limit, seed),
        codecs,
        names_in(metrics),
        parse_rates(kbps) if kbps else (),
        parse_tolerance(tolerance),
    )
    return _run(plan, whole, out or Path("runs") / whole.name, **how)


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
    *,
    ref: str,
    deg: str,
    kbps: float | None,
    out: Path | None,
    metrics: str,
    limit: int | None,
    seed: int,
    **how: Any,
) -> int:
    """Score speech that some codec has decoded already, against its references."""
    _check(**how)
    with download_bar() as progress:
        whole = load_dataset(ref, [Path(deg), *([out] if out else [])], progress)
    decoded = Request(f"{Folder.info.name}:{deg}", () if kbps is None else (f"{kbps:g}",))
    paired, said = remarks.with_files(whole, Folder(deg))
    if said:
        note(said)
    plan = make_plan(paired.sample(limit, seed), [decoded], names_in(metrics))
    status = _run(plan, whole, out or Path("runs") / Path(deg).resolve().name, **how)
    return 1 if how["strict"] and said else status


def _check(
    *, executor: str, scheduler: str, timeout_s: float | None, memory_gb: float | None, **_: Any
) -> None:
    """Refuse options that do not go together before any folder is read."""
    check_options(executor, Limits(timeout_s, memory_gb), scheduler)


def _run(plan: Plan, whole: Dataset, out: Path, *, strict: bool, as_json: bool, **how: Any) -> int:
    """Run a plan, saying on stderr how it goes, then print the table; return the exit status."""
    for item in plan.left_out:
        note(str(item))
    command = [Path(sys.argv[0]).name, *map(printable, sys.argv[1:])]
    with Progress() as progress:
        watch = Watch(
            note,
            progress.begin,
            progress.advance,
            progress.slow,
            ready=lambda: about_data.say(plan, whole),
        )
        done = benchmark(plan, out, command=command, watch=watch, **how)
    print_table(write_table(done.run), as_json=as_json)
    for line in remarks.after(done.run):
        note(line)
    say_unscored(done.run)
    _say_failures(done)
    return 1 if strict and not done.complete else 0


def _say_failures(done: Benchmarked) -> None:
    failures = done.failures()
    for _, row in failures[:5].iterrows():
        note(f"{row['count']} failed with {row['codec']}: {row['error']}")
    if len(failures) > 5:
        note(f"and {len(failures) - 5} other reasons; see {done.run.out / RECORDS}")
    if done.computed and done.failed == done.computed:
        raise CodecBenchError(f"all {done.failed} cells failed; correct the cause and add --rerun failed")
