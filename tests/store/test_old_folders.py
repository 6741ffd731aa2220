"""Folders that the first versions wrote: read as they are, or refused in one line that says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from codecbench.store.store import load_run

OLD = Path(__file__).parent / "run-0.1"
"""What the first version wrote of `run --limit 1 --codecs pcm,g722 --metrics stoi` on the demo set."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "old")
    return tmp_path / "old"


def change(folder: Path, **fields: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_folder_of_0_1_is_read(old: Path, cli) -> None:
    run = load_run(old)
    assert json.loads((OLD / "manifest.json").read_text())["format"] == 1
    assert run.manifest["format"] == 2 and run.manifest["left_out"] == []
    scores = run.records.set_index("codec")["stoi"]
    assert scores["pcm"] == 1 and scores["g722"] == pytest.approx(0.9989, abs=1e-4)
    answer = cli("table", old)
    assert answer.status == 0 and "64.02" in answer.out


def refused(answer, *parts: str) -> None:
    """Hold that a command failed with one line that has these parts."""
    assert answer.status == 1 and answer.err.count("\n") == 1, answer.err
    assert all(part in answer.err for part in parts), answer.err


def test_one_of_another_codec_or_metric_is_not_continued(old: Path, cli) -> None:
    before = (old / "records.jsonl").read_bytes()
    manifest = json.loads((old / "manifest.json").read_text())
    manifest["metrics"]["stoi"]["signature"] = "stoi|fs:10000|v:0"
    change(old, metrics=manifest["metrics"])
    answer = cli(
        "run", "--data", "demo", "--limit", 1, "--codecs", "pcm", "--metrics", "stoi", "--quiet",
        "--executor", "serial", "--out", old,
    )  # fmt: skip
    assert answer.status == 1
    last = answer.err.splitlines()[-1]
    assert "metric stoi has the signature stoi|fs:10000|v:0 there" in last
    assert "choose another --out" in last
    assert (old / "records.jsonl").read_bytes() == before


@pytest.mark.parametrize("command", ["table", "report", "compare"])
@pytest.mark.parametrize("number", [0, 3])
def test_a_format_that_is_not_known_names_its_version(old: Path, cli, command: str, number: int) -> None:
    change(old, format=number, codecbench="9.1.0")
    arguments = (old, OLD) if command == "compare" else (old,)
    refused(cli(command, *arguments), f"format {number}", "codecbench 9.1.0", "formats 1 and 2", "run again")
