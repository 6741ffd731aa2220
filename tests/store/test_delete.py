"""Only what a run of ours names is deleted or replaced."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codecbench.errors import InvalidInput
from codecbench.store.delete import delete_run
from suite_fixtures import Answer

Cli = Callable[..., Answer]
RUN = ("run", "--codecs", "pcm", "--metrics", "stoi", "--executor", "serial")


def _files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {".lock"}


def test_a_run_goes_and_everything_else_stays(make_run: Callable[..., Path], tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", utterances=4, audio=2, codecs=("pcm", "opus"), points=1)
    for name in ("notes.txt", "audio/mine.wav", "audio/opus@6/extra.flac", "report/index.html"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    (out / "table.csv").write_text("my,own,table\n")
    delete_run(out)
    assert _files(out) == {
        "notes.txt", "audio/mine.wav", "audio/opus@6/extra.flac", "report/index.html", "table.csv",
    }  # fmt: skip
    assert not (out / "audio" / "reference").exists()


@pytest.mark.parametrize("text", ['{"name": "web app"}', "{", '{"format": 1}'])
def test_a_manifest_that_is_not_ours_keeps_its_folder(
    cli: Cli, folder: Path, tmp_path: Path, text: str
) -> None:
    out = tmp_path / "site"
    (out / "audio").mkdir(parents=True)
    (out / "audio" / "song.flac").write_text("x")
    (out / "manifest.json").write_text(text)
    before = _files(out)
    for more in (["--overwrite"], []):
        answer = cli(*RUN, "--data", folder, "--out", out, *more)
        assert answer.status == 1
        assert "manifest.json" in answer.err
        assert _files(out) == before
    with pytest.raises(InvalidInput, match="nothing was deleted"):
        delete_run(out)


def test_paths_in_a_manifest_never_lead_out(make_run: Callable[..., Path], tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", utterances=2, audio=1, codecs=("pcm",), points=1)
    (tmp_path / "precious.flac").write_text("x")
    manifest = json.loads((out / "manifest.json").read_text())
    for number, name in enumerate(("../precious.flac", str(tmp_path / "precious.flac"))):
        manifest["utterances"][number]["audio"] = name
    (out / "manifest.json").write_text(json.dumps(manifest))
    delete_run(out)
    assert (tmp_path / "precious.flac").exists()
    assert not (out / "manifest.json").exists()


def test_foreign_records_are_not_cut(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('{"mine": 1}')
    answer = cli(*RUN, "--data", folder, "--out", tmp_path)
    assert answer.status == 1 and "not records of a run" in answer.err
    assert (tmp_path / "records.jsonl").read_text() == '{"mine": 1}'


def test_a_foreign_table_is_not_replaced(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("my,own\n")
    answer = cli(*RUN, "--data", folder, "--out", tmp_path)
    assert answer.status == 0
    assert "was not replaced" in answer.err
    assert (tmp_path / "table.csv").read_text() == "my,own\n"
    (tmp_path / "table.csv").unlink()
    assert cli("table", tmp_path).status == 0
    assert (tmp_path / "table.csv").read_text().startswith("codec,point,")
    assert "was not replaced" not in cli("table", tmp_path).err


def test_a_folder_that_cannot_be_written_is_still_printed(
    cli: Cli, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # permission bits do not stop root
    before = _files(run_folder)
    answer = cli("table", run_folder)
    assert answer.status == 0
    assert answer.out.startswith("codec")
    assert "table.csv was not written" in answer.err
    assert _files(run_folder) == before
