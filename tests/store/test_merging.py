"""Runs are merged by the rules of one run, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codecbench.errors import InvalidInput
from codecbench.store.merging import merge_runs
from codecbench.store.records import read_records
from codecbench.store.store import Store, load_run

QUICK = ("--metrics", "fake-snr", "--executor", "serial")


@pytest.fixture
def made(cli, folder: Path, tmp_path: Path):
    def run(name: str, codecs: str, *options: object) -> Path:
        cli("run", "--codecs", codecs, "--data", folder, "--out", tmp_path / name, *QUICK, *options)
        return tmp_path / name

    return run


def change(run: Path, **fields: object) -> None:
    path = run / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_other_codecs_and_metrics_are_put_beside(made, tmp_path: Path) -> None:
    runs = [
        made("a", "fake@64"),
        made("b", "fake-8k"),
        made("c", "fake@64", "--metrics", "fake-snr,fake-level"),
    ]
    merged = merge_runs(runs, tmp_path / "out")
    assert (merged.cells, merged.missing) == (10, 0)
    manifest = load_run(tmp_path / "out").manifest
    assert list(manifest["codecs"]) == ["fake", "fake-8k"]
    # The third run has more scores of the first one's cells.
    last = {record["key"]: record for record in read_records(tmp_path / "out")}
    assert {(it["codec"], len(it["scores"])) for it in last.values()} == {("fake", 2), ("fake-8k", 1)}
    assert merge_runs(runs, tmp_path / "out").taken == 0


def test_a_decoded_cell_counts_before_a_failed_one(made, tmp_path: Path) -> None:
    good = made("good", "fake@64")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "manifest.json").write_bytes((good / "manifest.json").read_bytes())
    with Store(bad) as store:
        for record in read_records(good):
            store.append({**record, "status": "failed", "error": "lost", "scores": {}, "raw_scores": {}})
    for order in ([bad, good], [good, bad]):
        out = tmp_path / order[0].name / "merged"
        merge_runs(order, out)
        assert set(load_run(out).records["status"]) == {"ok"}


def test_runs_that_do_not_compare_are_refused_and_nothing_is_written(made, tmp_path: Path) -> None:
    first, second = made("a", "fake@64"), made("b", "fake-8k")
    manifest = json.loads((second / "manifest.json").read_text())
    manifest["metrics"]["fake-snr"]["signature"] = "fake-snr/other"
    change(second, metrics=manifest["metrics"])
    out = tmp_path / "out"
    with pytest.raises(InvalidInput, match=r"b does not compare with .*a: metric fake-snr has the signature"):
        merge_runs([first, second], out)
    assert not out.exists()
    change(second, metrics=json.loads((first / "manifest.json").read_text())["metrics"], device="cuda")
    with pytest.raises(InvalidInput, match="device cpu there, cuda here; nothing was merged"):
        merge_runs([first, second], out)
    said = [json.loads((run / "manifest.json").read_text())["utterances"] for run in (first, second)]
    for text, run, utterances in zip(("one", "two"), (first, second), said, strict=True):
        change(run, device="cpu", utterances=[{**item, "about": {"text": text}} for item in utterances])
    with pytest.raises(InvalidInput, match="another transcript of quiet-0 there than here"):
        merge_runs([first, second], out)
    with pytest.raises(InvalidInput, match="no run here"):
        merge_runs([first, tmp_path / "none"], out)
    with pytest.raises(InvalidInput, match="into itself"):
        merge_runs([first], first)
    assert not out.exists()


def test_a_part_that_has_not_finished_leaves_the_whole_unfinished(made, tmp_path: Path) -> None:
    first, second = made("a", "fake@64"), made("b", "fake-8k")
    change(second, finished=None, started="2001-01-01T00:00:00+00:00")
    merge_runs([first, second], tmp_path / "out")
    manifest = load_run(tmp_path / "out").manifest
    assert (manifest["finished"], manifest["started"]) == (None, "2001-01-01T00:00:00+00:00")


def test_kept_speech_never_leads_out_of_a_run(made, tmp_path: Path) -> None:
    run = made("a", "fake@64", "--audio", "none")
    (tmp_path / "secret.flac").write_bytes(b"not of the run")
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**line, "audio": "../secret.flac"}) + "\n" for line in lines)
    (run / "records.jsonl").write_text(text)
    merge_runs([run], tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").rglob("*secret*"))
    assert {record["audio"] for record in read_records(tmp_path / "deep" / "out")} == {None}
