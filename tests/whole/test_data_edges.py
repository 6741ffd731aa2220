"""Folders as users have them, through the command line: pairs, names, runs inside the data, speakers."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from suite_fixtures import Answer, voice

RATE_HZ = 16_000
Cli = Callable[..., Answer]


def _speech(path: Path, seed: int, rate_hz: int = RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # soundfile cannot encode every name
        soundfile.write(file, voice(0.6, seed, 0.5, rate_hz), rate_hz, format="WAV")


def _score(cli: Cli, ref: Path, deg: Path, out: Path, *more: object) -> Answer:
    return cli("score", "--ref", ref, "--deg", deg, "--out", out, "--metrics", "stoi", "--audio", "none",
               "--executor", "serial", *more)  # fmt: skip


def _records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]


TREES = [
    ["a b.wav", "a-b.wav"],
    ["DR1/FCJF0/SA1.WAV", "DR1/MDAB0/SA1.WAV", "DR2/FAKS0/SA1.WAV"],
    ["id1/x/00001.wav", "id1/y/00001.wav", "id2/x/00001.wav"],
    [
        "take #1.wav",
        "take 1.wav",
        "\N{SPEAKING HEAD IN SILHOUETTE}.wav",
        "n" * 240 + "a.wav",
        "n" * 240 + "b.wav",
    ],
    [os.fsdecode(b"caf\xe9.wav"), os.fsdecode(b"caf\xe8.wav"), "x.y.z.wav"],
    [unicodedata.normalize("NFD", "\u00e9t\u00e9.wav"), "ete.wav"],
]


@pytest.mark.parametrize("tree", TREES)
def test_a_copy_of_the_references_is_perfect(cli: Cli, tmp_path: Path, tree: list[str]) -> None:
    for seed, name in enumerate(tree):
        _speech(tmp_path / "ref" / name, seed)
    for name in tree:  # in the other form of Unicode, where there is one
        target = tmp_path / "deg" / unicodedata.normalize("NFC", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tmp_path / "ref" / name, target)
    answer = _score(cli, tmp_path / "ref", tmp_path / "deg", tmp_path / "out")
    assert answer.status == 0, answer.err
    records = _records(tmp_path / "out")
    assert [record["scores"]["stoi"] for record in records] == pytest.approx([1.0] * len(tree))
    assert cli("table", tmp_path / "out").status == 0


def test_names_that_are_no_utf8_reach_the_report_and_the_table(cli: Cli, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    for seed, name in enumerate((f"{odd}1/a.wav", f"{odd}2/b.wav")):
        _speech(tmp_path / odd / name, seed)
    answer = _score(cli, tmp_path / odd, tmp_path / odd, tmp_path / f"{odd}-out", "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)[0]["codec"] == r"folder:caf\xe9"
    assert cli("table", tmp_path / f"{odd}-out").status == 0
    assert cli("report", tmp_path / f"{odd}-out").status == 0
    assert r"caf\\xe91" in (tmp_path / f"{odd}-out" / "report" / "index.html").read_text(encoding="utf-8")


def test_flat_decoded_files_pair_by_stem_where_it_is_unique(cli: Cli, tmp_path: Path) -> None:
    for seed, name in enumerate(("x/a.wav", "y/b.wav", "x/c.wav", "y/c.wav")):
        _speech(tmp_path / "ref" / name, seed)
    for seed, name in enumerate(("a.wav", "b.wav", "c.wav")):
        _speech(tmp_path / "deg" / name, seed)
    answer = _score(cli, tmp_path / "ref", tmp_path / "deg", tmp_path / "out")
    scores = {record["utterance"]: record["scores"].get("stoi") for record in _records(tmp_path / "out")}
    assert scores == {"a": pytest.approx(1.0), "b": pytest.approx(1.0), "x-c": None, "y-c": None}
    assert "c names several references" in answer.err


def test_references_inside_the_decoded_folder_never_answer_for_themselves(cli: Cli, tmp_path: Path) -> None:
    _speech(tmp_path / "deg" / "ref" / "a.wav", 0)
    _speech(tmp_path / "deg" / "ref" / "b.wav", 1)
    _speech(tmp_path / "deg" / "b.wav", 1)
    answer = _score(cli, tmp_path / "deg" / "ref", tmp_path / "deg", tmp_path / "out")
    assert "1 of 2 references have a decoded file; left out: a" in answer.err
    assert "without a reference" not in answer.err
    status = {record["utterance"]: record["status"] for record in _records(tmp_path / "out")}
    assert status == {"b": "ok"}


def test_decoded_files_inside_the_references_are_no_references(cli: Cli, tmp_path: Path) -> None:
    _speech(tmp_path / "ref" / "a.wav", 0)
    _speech(tmp_path / "ref" / "deg" / "a.wav", 0)
    answer = _score(cli, tmp_path / "ref", tmp_path / "ref" / "deg", tmp_path / "out")
    assert answer.status == 0, answer.err
    assert [record["utterance"] for record in _records(tmp_path / "out")] == ["a"]


@pytest.mark.parametrize("out", [None, "results", "."])
def test_a_run_in_the_data_folder_finds_the_same_speech_again(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str | None
) -> None:
    _speech(tmp_path / "p225_001.wav", 0)
    _speech(tmp_path / "p226_001.wav", 1)
    monkeypatch.chdir(tmp_path)
    command = ["run", "--data", ".", "--codecs", "pcm", "--metrics", "stoi", "--executor", "serial"]
    command += [] if out is None else ["--out", out]
    first = cli(*command)
    assert first.status == 0, first.err
    again = cli(*command)
    assert again.status == 0, again.err
    assert "0 cells to compute, 2 stored" in again.err
    assert "speakers: 2, from names pNNN_" in again.err


def test_a_folder_called_like_a_set_is_not_decided_in_silence(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _speech(tmp_path / "demo" / "mine.wav", 0)
    monkeypatch.chdir(tmp_path)
    command = ["run", "--codecs", "pcm", "--metrics", "stoi", "--executor", "serial", "--audio", "none"]
    refused = cli(*command, "--data", "demo")
    assert refused.status == 1
    assert "./demo" in refused.err and "set:demo" in refused.err
    mine = cli(*command, "--data", "./demo", "--out", "mine")
    assert mine.status == 0 and len(_records(Path("mine"))) == 1
    assert "speakers: 1" in mine.err and "one speaker" in mine.err
    built_in = cli(*command, "--data", "set:demo", "--out", "built-in")
    assert built_in.status == 0 and len(_records(Path("built-in"))) == 16


def test_what_is_left_out_of_a_folder_is_said(cli: Cli, tmp_path: Path) -> None:
    _speech(tmp_path / "data" / "a.wav", 0)
    (tmp_path / "data" / "b.raw").write_bytes(b"x")
    os.mkfifo(tmp_path / "data" / "c.wav")
    answer = cli("run", "--data", tmp_path / "data", "--codecs", "pcm", "--metrics", "stoi",
                 "--executor", "serial", "--out", tmp_path / "out")  # fmt: skip
    assert answer.status == 0
    assert "1 files of type .raw" in answer.err and "c.wav is a pipe or device" in answer.err


def test_narrowband_references_are_said_with_wideband_pesq(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("pesq")
    _speech(tmp_path / "data" / "p225_1.wav", 0, rate_hz=8000)
    _speech(tmp_path / "data" / "p226_1.wav", 1)
    command = ["run", "--data", tmp_path / "data", "--codecs", "pcm", "--executor", "serial"]
    answer = cli(*command, "--metrics", "pesq-wb", "--out", tmp_path / "out")
    assert "1 of the first 2 references have nothing above 4 kHz" in answer.err
    assert "above 4 kHz" not in cli(*command, "--metrics", "stoi", "--out", tmp_path / "other").err


def test_a_tone_below_4_khz_counts_as_narrowband_at_any_rate() -> None:
    from codecbench.cli.about_data import _share_above

    time = np.arange(RATE_HZ) / RATE_HZ
    low = (0.3 * np.sin(2 * np.pi * 900 * time)).astype(np.float32)
    assert _share_above(low, RATE_HZ, 4000) < 1e-6
    assert _share_above(voice(1.0, 0, 0.5), RATE_HZ, 4000) > 1e-4
    assert _share_above(np.zeros(RATE_HZ, np.float32), RATE_HZ, 4000) == 1


def test_mpeg_audio_without_its_encoders_tag_is_late(cli: Cli, tmp_path: Path) -> None:
    """LAME's tag says how many samples its encoder put before the speech; without it they stay there."""
    wave = voice(3.0, 5, 0.3, RATE_HZ)
    for folder, tagged in (("with", True), ("without", False)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "a.mp3"
        soundfile.write(path, wave, RATE_HZ, format="MP3")
        data = path.read_bytes()
        if not tagged:
            path.write_bytes(data[data.index(data[:2], 2) :])
    (tmp_path / "ref").mkdir()
    soundfile.write(tmp_path / "ref" / "a.wav", wave, RATE_HZ)
    lags, scores = [], []
    for folder in ("with", "without"):
        out = tmp_path / f"out-{folder}"
        assert _score(cli, tmp_path / "ref", tmp_path / folder, out, "--align", "file").status == 0
        (record,) = _records(out)
        lags.append(record["lag_ms"])
        scores.append(record["scores"]["stoi"])
    assert lags == [0.0, pytest.approx(69.06, abs=0.07)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    assert scores[0] > 0.98
