"""A second run with one metric more computes only that, and gives what one run with all would have given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codecbench import benchmark, load_dataset, make_plan, registry
from codecbench.run.benchmark import Benchmarked, Watch
from codecbench.store.records import Record, read_records, without_timings
from codecbench.store.store import read_manifest

Go = Callable[..., Benchmarked]


@pytest.fixture
def go(fakes: Path, folder: Path, tmp_path: Path) -> Go:
    """Return a function that benchmarks fake codecs on the small folder."""

    def call(
        metrics: str, codecs: str = "fake@64", *, out: str = "out", limit: int = 5, **how: Any
    ) -> Benchmarked:
        plan = make_plan(load_dataset(folder).sample(limit), codecs, metrics.split(","))
        return benchmark(plan, tmp_path / out, **({"executor": "serial"} | how))

    return call


def records(folder: Path) -> dict[str, Record]:
    """Return the last record of each cell without its timings."""
    return {record["key"]: without_timings(record) for record in read_records(folder)}


def calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Return the list that grows by a word with each call of a metric."""
    told: list[str] = []
    kind = registry.load(registry.METRICS, name)
    original = kind.score

    def score(self: Any, *pair: Any) -> float:
        told.append(name)
        return float(original(self, *pair))

    monkeypatch.setattr(kind, "score", score)
    return told


@pytest.mark.parametrize("codecs", ["fake@64", "fake-late:80", "fake-8k"])
@pytest.mark.parametrize("align", ["codec", "file", "none"])
def test_one_metric_more_gives_what_one_run_gives(go: Go, tmp_path: Path, codecs: str, align: str) -> None:
    go("fake-snr", codecs, align=align)
    done = go("fake-snr,fake-level", codecs, align=align)
    assert (done.computed, done.failed) == (5, 0)
    go("fake-snr,fake-level", codecs, out="once", align=align)
    assert records(tmp_path / "out") == records(tmp_path / "once")
    assert list(read_manifest(tmp_path / "out")["metrics"]) == ["fake-snr", "fake-level"]
    assert go("fake-level", codecs, align=align).computed == 0


def test_only_what_is_missing_is_scored(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    snr, level = calls(monkeypatch, "fake-snr"), calls(monkeypatch, "fake-level")
    told: list[str] = []
    go("fake-snr")
    first = len(snr)
    go("fake-level", watch=Watch(told.append))
    assert (len(snr), len(level)) == (first, first)
    assert told == ["0 cells to compute, 5 stored, 5 of them to score with fake-level besides"]


def test_a_kill_between_loses_nothing(go: Go, tmp_path: Path) -> None:
    go("fake-snr")
    path = tmp_path / "out" / "records.jsonl"
    before = path.read_bytes()
    go("fake-snr,fake-level")
    lines = path.read_bytes().splitlines(keepends=True)
    assert b"".join(lines).startswith(before)
    # As a kill leaves it: two records have both scores, the third is torn.
    path.write_bytes(b"".join(lines[:7]) + lines[7][:40])
    assert go("fake-snr,fake-level").computed == 3
    go("fake-snr,fake-level", out="once")
    assert records(tmp_path / "out") == records(tmp_path / "once")


def test_scores_that_were_not_asked_for_again_follow_the_lag(go: Go, tmp_path: Path) -> None:
    """Further utterances may move a codec's lag; all scores of a record undo the same one."""
    go("fake-snr,fake-level", "fake-late:80", limit=2)
    out = tmp_path / "out"
    moved = [
        {**record, "settled_lag_ms": 1.0, "scores": dict.fromkeys(record["scores"], -1.0)}
        for record in read_records(out)
    ]
    (out / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in moved))
    go("fake-snr", "fake-late:80", limit=2)
    go("fake-snr,fake-level", "fake-late:80", limit=2, out="once")
    assert records(out) == records(tmp_path / "once")


def test_a_codec_that_gives_other_bytes_is_measured_anew(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go("fake-snr")
    kind = registry.load(registry.CODECS, "fake")
    original = kind.encode

    def encode(self: Any, wave: Any, point: Any) -> Any:
        coded = original(self, wave, point)
        return replace(coded, payload=coded.payload[:-2] + b"\x01\x01", codes=None)

    monkeypatch.setattr(kind, "encode", encode)
    go("fake-level")
    found = records(tmp_path / "out").values()
    assert all(record["codes"] is None for record in found)
    assert all(set(record["scores"]) == {"fake-snr", "fake-level"} for record in found)
    go("fake-snr,fake-level", out="once")
    assert records(tmp_path / "out") == records(tmp_path / "once")


def test_a_metric_that_kills_its_worker_costs_its_own_scores_only(go: Go, tmp_path: Path) -> None:
    go("fake-snr")
    done = go("fake-snr,fake-crash", executor="processes", workers=1)
    table = done.run.records.set_index("utterance")
    assert list(table["status"].unique()) == ["ok"]
    assert table["fake-snr"].notna().all()
    assert table["fake-crash"].notna().sum() == 4
    assert "signal" in table.loc["the-loud", "reason:fake-crash"]


def test_failed_cells_stay_failed_until_asked_for(go: Go) -> None:
    go("fake-snr", "fake-faulty:raise@64")
    assert go("fake-snr,fake-level", "fake-faulty:raise@64").computed == 4
    assert go("fake-snr,fake-level", "fake-faulty:raise@64", rerun="failed").computed == 1
