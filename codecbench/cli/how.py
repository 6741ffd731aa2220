"""What ``run`` and ``score`` share: their options, and running a plan with the table printed after it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from codecbench.cli import about_data, planned, remarks
from codecbench.cli.progress import Progress, hush, note
from codecbench.cli.tables import print_table, say_unscored, write_table
from codecbench.data.sets import Dataset
from codecbench.errors import CodecBenchError
from codecbench.run.benchmark import DEFAULT_AUDIO, Benchmarked, Watch, benchmark
from codecbench.run.calibrate import estimate
from codecbench.run.executors import KINDS, check_options
from codecbench.run.patience import Limits
from codecbench.run.plan import DEFAULT_METRICS, Plan
from codecbench.run.recoding import DEFAULT_RECODED
from codecbench.run.runner import RERUN
from codecbench.store.layout import RECORDS
from codecbench.text import printable

Command = TypeVar("Command", bound=Callable[..., Any])

_SHARED = (
    click.option(
        "--metrics",
        default=",".join(DEFAULT_METRICS),
        show_default=True,
        help="Metrics or groups (fast, paper, all), separated by commas; codecbench list shows all.",
    ),
    click.option("--limit", type=click.IntRange(min=1), help="Take a speaker-balanced sample of so many."),
    click.option("--seed", default=0, show_default=True, help="Chooses the sample."),
    click.option(
        "-j", "--workers", type=click.IntRange(min=1), help="Number of processes.  [default: cores]"
    ),
    click.option(
        "--executor",
        type=click.Choice(KINDS),
        default="processes",
        show_default=True,
        help="Where to compute: isolated processes, this process, or a Dask cluster.",
    ),
    click.option("--scheduler", default="", help="Address of the Dask scheduler, or its scheduler file."),
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
    click.option(
        "--device",
        default="cpu",
        show_default=True,
        help="For neural codecs: cpu, cuda or mps; cuda:0,1: each worker takes one.",
    ),
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
    click.option(
        "--recode",
        default=str(DEFAULT_RECODED),
        show_default=True,
        help="Let token codecs code so many again (or all, none): how stable tokens are.",
    ),
    click.option(
        "--shard",
        default="",
        metavar="I/N",
        help="Run only part I of N, from 1, into OUT/shard-I-of-N; codecbench merge puts them together.",
    ),
    click.option(
        "--plan",
        "plan_only",
        is_flag=True,
        help="Compute a few cells and print what all would take: time by codec and metric, disk, N workers.",
    ),
    click.option("--overwrite", is_flag=True, help="Delete the run that the folder holds first."),
    click.option("--strict", is_flag=True, help="Exit with 1 if anything was left out or a cell failed."),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=hush,
        help="Say nothing on stderr but errors.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the table as JSON."),
)


def options(command: Command) -> Command:
    """Add the options that ``run`` and ``score`` share."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def check(
    *, executor: str, scheduler: str, timeout_s: float | None, memory_gb: float | None, **_: Any
) -> None:
    """Refuse options that do not go together before any folder is read."""
    check_options(executor, Limits(timeout_s, memory_gb), scheduler)


def execute(
    plan: Plan, whole: Dataset, out: Path, *, strict: bool, as_json: bool, plan_only: bool, **how: Any
) -> int:
    """Run a plan, saying on stderr how it goes, then print the table; return the exit status.

    With ``plan_only`` what it would take is printed instead.
    """
    for rate in dict.fromkeys(item.asked_kbps for item in plan.taken):
        note(f"at {rate:g} kbit/s: {', '.join(str(item) for item in plan.taken if item.asked_kbps == rate)}")
    for item in plan.left_out:
        note(str(item))
    if plan_only:
        with Progress() as progress:
            watch = Watch(note, progress.begin, progress.advance, progress.slow)
            found = estimate(plan, out, watch=watch, **planned.without_scheduler(how))
        planned.show(found, as_json=as_json)
        return 1 if strict and plan.left_out else 0
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
