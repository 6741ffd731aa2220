"""The coordinator's memory does not grow with what records hold; a simulated cluster obeys arithmetic."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from codecbench.store.store import load_run
from scale import MOST_REPORT_MB, MOST_REPORT_S, SHAPES, compute, measured, write
from simulate_cluster import simulate

MOST_BYTES_A_CELL = 5_000
"""50 MB for 10,000 cells."""

MOST_BYTES_A_RECORD = 2_500
"""Half a gigabyte for 200,000 records."""


def peak_bytes(cells: int, out: Path) -> int:
    """Return the most memory that a made-up run took; its records hold 13 kB of tokens each."""
    tracemalloc.start()
    try:
        assert compute(cells, out, tokens=8_000).computed == cells
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_cell_more_takes_no_room_for_its_record(tmp_path: Path) -> None:
    compute(8, tmp_path / "imports")
    few, many = peak_bytes(40, tmp_path / "few"), peak_bytes(240, tmp_path / "many")
    assert (tmp_path / "many" / "records.jsonl").stat().st_size > 240 * 2 * MOST_BYTES_A_CELL
    assert (many - few) / 200 < MOST_BYTES_A_CELL


def test_a_made_up_run_is_a_run(tmp_path: Path) -> None:
    write(40, tmp_path)
    records = load_run(tmp_path).records
    assert len(records) == 40
    assert records["stoi"].notna().all()


@pytest.mark.slow
@pytest.mark.parametrize(("codecs", "points"), SHAPES)
def test_a_report_of_200_000_records_takes_2_gb_and_of_one_codec_20_s_of_a_core(
    tmp_path: Path, codecs: int, points: int
) -> None:
    measured("write", 200_000, tmp_path / "run", codecs, points)
    took = measured("report", 200_000, tmp_path / "run", codecs, points)
    # What the tests of 780 pairs and of the BD-rates take beyond that is said in ARCHITECTURE.md.
    assert codecs > 1 or took["cpu_s"] < MOST_REPORT_S
    assert took["peak_mb"] < MOST_REPORT_MB


def test_reading_holds_no_record_whole(tmp_path: Path) -> None:
    """A record's objects take some 9 kB; its row of the table takes the numbers alone."""
    sizes = []
    for cells in (4_800, 9_600):
        write(cells, tmp_path / str(cells))
        load_run(tmp_path / str(cells))
        tracemalloc.start()
        load_run(tmp_path / str(cells))
        sizes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (sizes[1] - sizes[0]) / 4_800 < MOST_BYTES_A_RECORD


@pytest.mark.parametrize(
    ("workers", "record_s", "bottleneck"),
    [(100, 0.001, "workers"), (100, 0.1, "coordinator"), (1, 0.1, "workers")],
)
def test_what_has_most_to_do_is_the_bottleneck(workers: int, record_s: float, bottleneck: str) -> None:
    assert simulate(workers, 20_000, 3.0, record_s).bottleneck == bottleneck


def test_a_run_takes_what_its_bottleneck_takes() -> None:
    fast = simulate(10, 20_000, 2.0, 0.001)
    assert fast.wall_s == pytest.approx(20_000 * 2.0 / 10, rel=0.05)
    assert fast.workers_busy == pytest.approx(1, abs=0.02)
    slow = simulate(10, 20_000, 2.0, 1.0)
    assert slow.wall_s == pytest.approx(20_000, rel=0.01)
    assert slow.workers_busy == pytest.approx(0.2, abs=0.02)
