"""How a run grows: the coordinator's memory and time a record, reading a run, building its report.

``python scripts/scale.py`` makes runs with made-up records and prints, each measured in its own process,

- the coordinator's peak memory with 100 and with 10,000 cells (at most 50 MB apart), and its time a record;
- time and peak memory of a report from 200,000 records (under 20 s of a core and 2 GB) of one codec at many
  utterances, and of 8 codecs that are compared in pairs at 5 points each.

An executor that answers at once stands for the workers, so that all that is measured is the coordinator's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from codecbench import registry
from codecbench.anchors import Pcm
from codecbench.codec import OperatingPoint
from codecbench.data.sets import Dataset, Utterance
from codecbench.run.cell import Outcome, Task, blank
from codecbench.run.describe import describe
from codecbench.run.plan import DEFAULT_METRICS, Contestant, Plan
from codecbench.run.runner import Summary, run
from codecbench.run.todo import todo
from codecbench.store.records import Record, encode_codes
from codecbench.store.store import Store

SPEAKERS = 100
SHAPES = ((1, 8), (8, 5))
"""Codecs and points of each, of the runs that reports are made from."""

SHARE_UNSCORED = 0.01
MOST_MORE_MB = 50.0
MOST_REPORT_S, MOST_REPORT_MB = 20.0, 2000.0


class Made(Pcm):
    """Stands for a codec that is compared with others, as the ground truth is not."""

    info = replace(Pcm.info, name="made", kind="neural")


def made_plan(cells: int, codecs: int = 1, points: int = 8) -> Plan:
    """Return a plan of about so many cells: utterances without files through codecs at some points each."""
    utterances = tuple(
        Utterance(f"u{index:06}", Path(f"u{index:06}.wav"), f"s{index % SPEAKERS}", 4.0)
        for index in range(max(1, cells // (codecs * points)))
    )
    made = Made()
    contestants = []
    for number in range(codecs):
        rates = [2.0 * (1 + 0.1 * number) * (index + 1) for index in range(points)]
        ladder = tuple(OperatingPoint(f"p{index}", rate) for index, rate in enumerate(rates))
        contestants.append(Contestant(f"made{number}", "made", made, made.signature(), ladder))
    metrics = tuple(registry.metric(name) for name in DEFAULT_METRICS)
    return Plan(Dataset("made", utterances, "0" * 64), tuple(contestants), metrics)


class Answering(Executor):
    """Answers at once with a made-up record; ``tokens`` is how many codes a record holds."""

    def __init__(self, tokens: int = 0) -> None:
        self._random = np.random.default_rng(0)
        self._tokens = tokens

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the finished future of a made-up outcome."""
        future: Future[Any] = Future()
        future.set_result(Outcome(self.record(args[0])))
        return future

    def record(self, task: Task) -> Record:
        """Return a made-up record of a task's cell."""
        record = blank(task.cell)
        rate = task.cell.point.nominal_kbps
        record.update(payload_bytes=int(500 * rate), container_bytes=0, payload_kbps=rate, container_kbps=0.0)
        record.update(lag_ms=0.0, inverted=False, settled_lag_ms=0.0, settled_inverted=False, delay_ms=0.0)
        record.update(encode_s=0.01, decode_s=0.01, rtf_encode=0.0025, rtf_decode=0.0025)
        for metric in task.metrics:
            low, high = (min(max(limit, -20.0), 20.0) for limit in metric.value_range)
            quality = float(np.clip(0.4 + 0.03 * rate + self._random.normal(0, 0.03), 0, 1))
            value = low + (high - low) * (quality if metric.higher_is_better else 1 - quality)
            record["scores"][metric.name] = record["raw_scores"][metric.name] = value
        if self._random.random() < SHARE_UNSCORED:
            record["scores"]["pesq-wb"] = None
            record["reasons"]["pesq-wb"] = "no speech was found"
        if self._tokens:
            record["codes"] = encode_codes(self._random.integers(0, 1024, (1, self._tokens)))
        return record


def compute(cells: int, out: Path, tokens: int = 0) -> Summary:
    """Run a made-up plan into a folder, as `codecbench.run.benchmark` does."""
    plan = made_plan(cells)
    described = describe(plan)
    with Store(out) as store:
        store.write_manifest(described)
        tasks = todo(plan, store, lambda cell: Task(cell, plan.metrics), described).tasks
        summary = run(tasks, store, Answering(tokens), lambda: 2)
        store.write_manifest({**described, "finished": described["started"]})
    return summary


def write(cells: int, out: Path, codecs: int = 1, points: int = 8) -> None:
    """Write a made-up run at once, without the coordinator's care for each record."""
    plan = made_plan(cells, codecs, points)
    described = describe(plan)
    made = Answering()
    with Store(out) as store:
        store.write_manifest({**described, "finished": described["started"]})
        store.extend([made.record(Task(cell, plan.metrics)) for cell in plan])


def build(out: Path) -> float:
    """Build the report of a run; return the size of its page in MB."""
    from codecbench.report.build import build as build_report

    build_report([out], out / "report")
    return sum(path.stat().st_size for path in (out / "report").rglob("*.html")) / 1e6


def measured(what: str, cells: int, out: Path, codecs: int = 1, points: int = 8) -> dict[str, float]:
    """Return seconds and peak memory of a part of this script in a process of its own."""
    part = map(str, ("--part", what, cells, out, codecs, points))
    answer = subprocess.run([sys.executable, __file__, *part], check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _part(what: str, cells: int, out: Path, codecs: int, points: int) -> dict[str, float]:
    begin, page_mb = time.perf_counter(), 0.0
    if what == "compute":
        compute(cells, out)
    elif what == "write":
        write(cells, out, codecs, points)
    else:
        page_mb = build(out)
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    cpu_s = time.process_time()
    return {"wall_s": time.perf_counter() - begin, "cpu_s": cpu_s, "peak_mb": peak, "page_mb": page_mb}


def _report(records: int, codecs: int, points: int, folder: Path) -> bool:
    """Print what the report of a run of this shape takes; say whether that is too much."""
    out = folder / f"run-{codecs}-{points}"
    measured("write", records, out, codecs, points)
    took = measured("report", records, out)
    click.echo(
        f"report of {records} records, codecs x points {codecs} x {points}: {took['cpu_s']:.1f} s of a core "
        f"(at most {MOST_REPORT_S:g}), {took['wall_s']:.1f} s by the clock, {took['peak_mb']:.0f} MB "
        f"(at most {MOST_REPORT_MB:g}); page {took['page_mb']:.1f} MB"
    )
    return took["cpu_s"] > MOST_REPORT_S or took["peak_mb"] > MOST_REPORT_MB


@click.command()
@click.option("--cells", default=10_000, show_default=True, help="Cells of the larger run.")
@click.option("--records", default=200_000, show_default=True, help="Records of the report; 0 for none.")
@click.option("--part", hidden=True, type=(str, int, click.Path(path_type=Path), int, int))
def main(cells: int, records: int, part: tuple[str, int, Path, int, int] | None) -> None:
    """Measure how a run grows; fail where a figure is missed."""
    if part:
        click.echo(json.dumps(_part(*part)))
        return
    with tempfile.TemporaryDirectory() as name:
        small = measured("compute", 100, Path(name) / "small")
        large = measured("compute", cells, Path(name) / "large")
        more = large["peak_mb"] - small["peak_mb"]
        click.echo(
            f"coordinator: {small['peak_mb']:.0f} MB with 100 cells, {more:.1f} MB more with {cells} "
            f"(at most {MOST_MORE_MB:g})"
        )
        extra = cells - 100
        click.echo(
            f"a record: {1e3 * (large['cpu_s'] - small['cpu_s']) / extra:.2f} ms of its core, "
            f"{1e3 * (large['wall_s'] - small['wall_s']) / extra:.2f} ms until it is on the disk"
        )
        missed = more > MOST_MORE_MB
        for codecs, points in SHAPES if records else ():
            missed |= _report(records, codecs, points, Path(name))
    if missed:
        raise click.ClickException("a figure is missed; measure on a machine with a free core")


if __name__ == "__main__":
    main()
