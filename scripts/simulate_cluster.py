"""A cluster simulated: N workers and one coordinator, from what a record costs the coordinator here.

``python scripts/simulate_cluster.py`` measures the coordinator's time and memory a record
(`scripts/scale.py`), simulates 100 workers and a million cells, and names the bottleneck.  A cell goes round:
it waits for a worker, is computed (exponential times), waits for the coordinator, which stores its record and
hands out the next.  Twice as many cells as workers are under way, as in `codecbench.run.runner`.  The network
is left out.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path

import click

from codecbench.run.runner import AHEAD
from scale import measured

FEW, MANY = 100, 10_000


@dataclass(frozen=True)
class Simulated:
    """Seconds from start to end, and the share of it in which workers and coordinator had work."""

    wall_s: float
    workers_busy: float
    coordinator_busy: float

    @property
    def bottleneck(self) -> str:
        """What would have to be faster or more."""
        return "coordinator" if self.coordinator_busy > self.workers_busy else "workers"


def simulate(workers: int, cells: int, cell_s: float, record_s: float, seed: int = 0) -> Simulated:
    """Simulate a run.

    Parameters
    ----------
    workers, cells : int
        How many there are.
    cell_s : float
        Mean time of a cell in a worker.
    record_s : float
        Time of a record in the coordinator.
    seed : int
        Of the cells' times.
    """
    times = random.Random(seed)
    queued = min(cells, AHEAD * workers)
    left, done, idle = cells - queued, 0, workers
    events: list[tuple[float, bool]] = []  # when a cell is computed (False) or its record stored (True)
    now = computed_s = coordinator_free = 0.0
    while done < cells:
        while queued and idle:
            queued, idle = queued - 1, idle - 1
            spent_s = times.expovariate(1 / cell_s)
            computed_s += spent_s
            heappush(events, (now + spent_s, False))
        now, stored = heappop(events)
        if stored:
            done += 1
            if left:
                left, queued = left - 1, queued + 1
        else:
            idle += 1
            coordinator_free = max(coordinator_free, now) + record_s
            heappush(events, (coordinator_free, True))
    return Simulated(now, computed_s / (workers * now), cells * record_s / now)


def measure() -> tuple[float, float, float]:
    """Return the coordinator's time a record, its memory in MB and what it grows by a cell in MB."""
    with tempfile.TemporaryDirectory() as name:
        few = measured("compute", FEW, Path(name) / "few")
        many = measured("compute", MANY, Path(name) / "many")
    more = MANY - FEW
    record_s = (many["wall_s"] - few["wall_s"]) / more
    return record_s, few["peak_mb"], max(0.0, many["peak_mb"] - few["peak_mb"]) / more


@click.command()
@click.option("--workers", default=100, show_default=True, help="Workers, a core each.")
@click.option("--cells", default=1_000_000, show_default=True, help="Cells of the run.")
@click.option("--cell-s", default=3.0, show_default=True, help="Mean seconds of a cell in a worker.")
@click.option(
    "--record-ms", type=float, help="Milliseconds of a record in the coordinator.  [default: measured]"
)
def main(workers: int, cells: int, cell_s: float, record_ms: float | None) -> None:
    """Simulate a cluster and name its bottleneck."""
    record_s, memory_mb, growth_mb = measure()
    record_s = record_s if record_ms is None else record_ms / 1e3
    found = simulate(workers, cells, cell_s, record_s)
    click.echo(
        f"a record: {1e3 * record_s:.2f} ms of the coordinator, {1e3 * growth_mb:.1f} kB of its memory"
    )
    click.echo(
        f"{workers} workers, {cells} cells of {cell_s:g} s: {found.wall_s / 3600:.2f} h; "
        f"workers busy {100 * found.workers_busy:.1f} %, coordinator {100 * found.coordinator_busy:.1f} %, "
        f"its memory {(memory_mb + growth_mb * cells) / 1e3:.1f} GB"
    )
    click.echo(
        f"bottleneck: {found.bottleneck}; the coordinator is it from {cell_s / record_s:.0f} workers on"
    )


if __name__ == "__main__":
    main()
