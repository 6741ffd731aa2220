"""How fast the runner is: two workers against one, and the share of time that is its own.

``python scripts/perf.py`` puts 24 utterances through four codecs, with all metrics, and prints

- the wall time with two workers over that with one (at most 0.56 on two free cores), and
- the runner's own share with one worker: the wall time, starting the worker included, without what codecs and
  metrics took (under 5 %).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from codecbench.data.folders import load_dataset
from codecbench.run.cell import Task
from codecbench.run.plan import Plan, make_plan, require_something
from codecbench.run.pool import WorkerPool, cores
from codecbench.run.runner import Summary, run
from codecbench.store.store import Store

CODECS = "opus@12,codec2@3.2,amr-nb@12.2,g722"
UTTERANCES = 24
MOST_RATIO = 0.56
MOST_SHARE = 0.05


@click.command()
@click.option(
    "--data", default=None, help="A folder of audio or the name of a set.  [default: speech, else demo]"
)
@click.option("--limit", default=UTTERANCES, show_default=True, help="Utterances.")
@click.option("--codecs", default=CODECS, show_default=True, help="As for codecbench run.")
@click.option(
    "--share-only", is_flag=True, help="Measure one worker only, on a machine without a second free core."
)
def main(data: str | None, limit: int, codecs: str, share_only: bool) -> None:
    """Measure the runner; fail where it misses its figures."""
    if not share_only and cores() < 2:
        raise click.ClickException("two workers need two cores and this process has one; add --share-only")
    plan = make_plan(load_dataset(data or speech()).sample(limit), codecs)
    require_something(plan)
    click.echo(
        f"{len(plan.dataset.utterances)} utterances, {len(plan.contestants)} codecs, {len(plan)} cells"
    )
    one = measure(plan, 1)
    share = 1 - one.busy_s / one.wall_s
    click.echo(
        f"one worker: {one.wall_s:.1f} s; own share {100 * share:.1f} % (at most {100 * MOST_SHARE:g} %)"
    )
    missed = share > MOST_SHARE
    if not share_only:
        two = measure(plan, 2)
        ratio = two.wall_s / one.wall_s
        click.echo(f"two workers: {two.wall_s:.1f} s; ratio {ratio:.3f} (at most {MOST_RATIO:g})")
        missed |= ratio > MOST_RATIO
    if missed:
        raise click.ClickException("a figure is missed; measure on a machine with two free cores")


def measure(plan: Plan, workers: int) -> Summary:
    """Run a plan into a temporary folder with fresh workers."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store, WorkerPool(workers) as pool:
        return run([Task(cell, plan.metrics) for cell in plan], store, pool, lambda: workers)


def speech() -> str:
    """Return the folder of real speech where there is one, else the built-in set."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "speech"
    folder = Path(os.environ.get("CODECBENCH_SPEECH", shared)) / "test"
    return str(folder) if folder.is_dir() else "demo"


if __name__ == "__main__":
    main()
