"""A benchmark called from Python does what the command line does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codecbench import benchmark, load_dataset, load_run, make_plan
from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.run.benchmark import Watch


@pytest.fixture
def go(fakes: Path, folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that benchmarks fake codecs on the small folder, in this process."""

    def call(codecs: str = "fake", *, limit: int | None = None, metrics: str = "fake-snr", **how: Any) -> Any:
        plan = make_plan(load_dataset(folder).sample(limit), codecs, [metrics])
        return benchmark(plan, tmp_path / "out", executor="serial", **how)

    return call


def test_everything_is_computed_once_and_stamped(go, tmp_path: Path) -> None:
    done = go()
    assert (done.computed, done.failed, done.complete) == (10, 0, True)
    assert len(done.run.records) == 10
    manifest = load_run(str(tmp_path / "out")).manifest
    assert manifest["started"] <= manifest["finished"]
    assert (go().computed, len(go("fake-8k").run.records)) == (0, 15)


def test_who_watches_is_told(go) -> None:
    told: list[Any] = []
    watch = Watch(told.append, told.append, lambda record: told.append(record["status"]))
    go(limit=1, watch=watch)
    assert told == ["2 cells to compute", 2, "ok", "ok"]
    told.clear()
    go(limit=1, watch=watch)
    assert told == ["0 cells to compute, 2 stored"]


def test_a_sample_is_told_in_the_manifest(fakes: Path, folder: Path, tmp_path: Path) -> None:
    plan = make_plan(load_dataset(folder).sample(2, seed=3), "fake", ["fake-snr"])
    manifest = benchmark(plan, tmp_path / "out", executor="serial", audio=1).run.manifest
    assert (manifest["dataset"]["limit"], manifest["dataset"]["seed"], manifest["dataset"]["n"]) == (2, 3, 2)
    assert len([item for item in manifest["utterances"] if item["audio"]]) == 1


def test_what_is_left_out_or_fails_is_not_complete(go) -> None:
    done = go("fake-absent,fake")
    assert not done.complete
    assert [(item.kind, item.name) for item in done.left_out] == [("codec", "fake-absent")]
    done = go("fake-faulty:raise@64")
    assert (done.failed > 0, done.complete) == (True, False)
    failures = done.failures()
    assert list(failures.columns) == ["codec", "error", "count"]
    assert failures["count"].sum() == done.failed


def test_a_run_of_something_else_is_not_continued(go) -> None:
    go()
    with pytest.raises(InvalidInput, match="does not compare with this one: device cpu there, cuda here"):
        go("fake-8k", device="cuda")
    with pytest.raises(InvalidInput, match="does not compare with this one: the lag undone is that"):
        go(align="file")
    assert go(align="file", overwrite=True).computed == 10


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"rerun": "some"}, "rerun 'some' is not usable"),
        ({"workers": 0}, "0 workers"),
        ({"audio": "many"}, "'many' is not usable"),
        ({"audio": -1}, "-1 is not usable"),
        ({"timeout_s": 3.0}, "--timeout needs"),
        ({"scheduler": "tcp://x"}, "--scheduler goes with"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_before_anything_is_written(
    go, tmp_path: Path, how: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        go(**how)
    assert not (tmp_path / "out").exists()


def test_a_plan_without_anything_to_run_says_why(go, tmp_path: Path) -> None:
    with pytest.raises(CodecBenchError, match="nothing to run: fake-absent is left out: its library"):
        go("fake-absent")
    assert not (tmp_path / "out").exists()


def test_records_without_a_manifest_are_not_continued(go, tmp_path: Path) -> None:
    go(limit=1)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(InvalidInput, match="has records but no manifest"):
        go(limit=1)


def test_a_codec_that_runs_at_last_is_no_longer_left_out(go, tmp_path: Path) -> None:
    go("fake-absent,fake")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["left_out"][0]["name"] = "fake-8k"
    path.write_text(json.dumps(manifest))
    assert go("fake-8k").run.manifest["left_out"] == []


def test_codecs_take_turns_where_costs_are_measured(go, folder: Path) -> None:
    plan = make_plan(load_dataset(folder), "fake@64,fake-8k", ["fake-snr"])
    assert [cell.codec for cell in plan] == ["fake", "fake-8k"] * 5
    turns = [cell.codec for cell in replace(plan, in_turns=True)]
    assert turns == ["fake", "fake-8k", "fake-8k", "fake"] * 2 + ["fake", "fake-8k"]
    done = go("fake@64,fake-8k", costs=True)
    assert len(set(done.run.records["batch"])) == 1
    again = go("fake@64,fake-8k", costs=True, rerun="all")
    assert set(again.run.records["batch"]).isdisjoint(done.run.records["batch"])
    plain = go("fake@64,fake-8k", rerun="all")
    assert plain.run.records["batch"].isna().all()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_peak_memory_is_that_of_a_fresh_process_and_stays(fakes: Path, folder: Path, tmp_path: Path) -> None:
    def peaks(codecs: str, **how: Any) -> dict[str, dict[str, Any]]:
        plan = make_plan(load_dataset(folder).sample(2), codecs, ["fake-snr"])
        entries = benchmark(plan, tmp_path / "out", workers=1, **how).run.manifest["codecs"]
        return {label: entry["points"][0].get("peak_memory") for label, entry in entries.items()}

    first = peaks("fake@64", costs=True)["fake"]
    found = peaks("fake@64,fake-heavy", costs=True)
    assert found["fake"] == first
    assert found["fake-heavy"]["mb"] - first["mb"] == pytest.approx(200, abs=20)
    assert found["fake-heavy"]["where"] == first["where"]
    assert peaks("fake@64") == found


@pytest.mark.parametrize("from_file", [True, False])
def test_a_script_that_workers_run_anew_says_what_to_write(
    from_file: bool, folder: Path, tmp_path: Path
) -> None:
    lines = f"""\
from codecbench import benchmark, load_dataset, make_plan
plan = make_plan(load_dataset({str(folder)!r}), "pcm", ["si-sdr"])
benchmark(plan, {str(tmp_path / "out")!r}, workers=2, overwrite=True)
"""
    script = tmp_path / "script.py"
    script.write_text(lines)
    words = [sys.executable, str(script) if from_file else "-"]
    done = subprocess.run(words, input=lines, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    last = done.stderr.rstrip().rpartition("\n")[2]
    assert "worker processes cannot start (exit code 1)" in last and "if __name__ == '__main__'" in last
    assert not (tmp_path / "out" / "records.jsonl").read_text()
