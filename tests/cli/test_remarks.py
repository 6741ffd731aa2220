"""Lines beside a run's table: on lags, on uneven speakers, and on references without a decoded file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench.anchors import Folder
from codecbench.cli import remarks, status_of
from codecbench.data.folders import load_dataset
from codecbench.store.store import load_run


def _write(folder: Path, *names: str) -> Path:
    rng = np.random.default_rng(len(names))
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * rng.standard_normal(16_000), 16_000)
    return folder


def test_references_without_a_file_are_left_out_and_counted(tmp_path: Path) -> None:
    ref = load_dataset(_write(tmp_path / "ref", "a.wav", "b.wav", "s/c.wav"))
    kept, said = remarks.with_files(ref, [Folder(str(_write(tmp_path / "deg", "a.flac", "c.ogg")))])
    assert [item.path.stem for item in kept.utterances] == ["a", "c"]
    assert said == ["2 of 3 references have a decoded file; left out: b"]
    assert kept.revision == ref.revision


def test_where_none_or_all_have_one_nothing_is_left_out(tmp_path: Path) -> None:
    ref = load_dataset(_write(tmp_path / "ref", "a.wav", "b.wav"))
    assert remarks.with_files(ref, [Folder(str(_write(tmp_path / "none", "x.wav")))]) == (ref, [])
    assert remarks.with_files(ref, [Folder(str(_write(tmp_path / "all", "a.wav", "b.wav")))]) == (ref, [])


def test_several_files_of_one_name_are_a_failure_with_a_reason_and_no_absence(tmp_path: Path) -> None:
    ref = load_dataset(_write(tmp_path / "ref", "a.wav", "b.wav"))
    kept, said = remarks.with_files(ref, [Folder(str(_write(tmp_path / "deg", "a.wav", "a.flac")))])
    assert [item.id for item in kept.utterances] == ["a"]
    assert said[0].startswith("1 of 2 references")


def test_score_says_how_many_are_left_out_and_strict_counts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "ref", "a.wav", "b.wav")
    _write(tmp_path / "deg", "a.wav")
    arguments = [
        "score",
        "--ref",
        str(tmp_path / "ref"),
        "--deg",
        str(tmp_path / "deg"),
        "--metrics",
        "si-sdr",
    ]
    arguments += ["--executor", "serial", "--out", str(tmp_path / "out")]
    assert status_of(arguments) == 0
    said = capsys.readouterr().err
    assert "codecbench: 1 of 2 references have a decoded file; left out: b" in said
    assert len((tmp_path / "out" / "records.jsonl").read_text().splitlines()) == 1
    assert status_of([*arguments, "--strict"]) == 1


def test_many_codecs_with_a_remark_are_cut_and_counted(make_run: Callable[..., Path], tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", utterances=3, audio=0, fail_every=0, tokens=False, speakers=1)
    lines = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    for line in lines:
        line |= {"inverted": True, "settled_inverted": True, "settled_lag_ms": 0.0, "lag_note": None}
    (out / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    points = len({(line["codec"], line["point"]) for line in lines})
    said = list(remarks.after(load_run(out)))
    assert len(said) == remarks.MOST + 1
    assert said[-1].startswith(
        f"and {points - remarks.MOST} more codecs and points with a remark on their lag"
    )


def test_uneven_speakers_are_said(make_run: Callable[..., Path], tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", utterances=12, codecs=("pcm",), audio=0, fail_every=0, tokens=False)
    manifest = json.loads((out / "manifest.json").read_text())
    for number, item in enumerate(manifest["utterances"]):
        item["speaker"] = "loud" if number > 3 else f"s{number}"
    (out / "manifest.json").write_text(json.dumps(manifest))
    (said,) = remarks.after(load_run(out))
    assert "weigh like those of" in said
