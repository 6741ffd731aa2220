"""``gate`` and ``compare`` of codecs by name: what is missing is run first, on the same speech."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile

from suite_fixtures import voice

ONE = ("--metrics", "fake-snr", "-j", 1)


@pytest.fixture
def margins(tmp_path: Path) -> Path:
    """Return a file of margins for the fake metric, and of speed that nothing exceeds."""
    path = tmp_path / "margins.toml"
    given = {"fake-snr": 1, "rtf_encode": 99, "rtf_decode": 99, "payload_kbps": 9}
    path.write_text("".join(f"[gate.{name}]\nmargin = {value}\n" for name, value in given.items()))
    return path


def cells(out: Path) -> set[tuple[str, str, str]]:
    """Return codec, point and utterance of every cell with a record."""
    lines = (out / "records.jsonl").read_text().splitlines()
    return {tuple(json.loads(line)[name] for name in ("codec", "point", "utterance")) for line in lines}


def test_two_codecs_are_run_once_and_judged_with_speed_and_memory(
    cli, folder: Path, tmp_path: Path, margins: Path
) -> None:
    out = tmp_path / "out"
    command = (
        "gate",
        "fake@64",
        "fake-late:40@128",
        "--data",
        folder,
        "--out",
        out,
        "--margins",
        margins,
        *ONE,
    )
    answer = cli(*command, "--json", "--limit", 4)
    found: dict[str, Any] = {row["check"]: row for row in json.loads(answer.out)["checks"]}
    assert {"fake-snr", "payload_kbps", "failures", "rtf_encode", "rtf_decode", "peak_memory_mb"} <= set(
        found
    )
    assert {row["n"] for row in found.values()} == {4}
    assert len(cells(out)) == 8
    again = cli(*command, "--json", "--limit", 4)
    assert (again.status, again.out) == (answer.status, answer.out)
    assert "0 cells to compute, 8 stored" in again.err
    # More of the set stored in the folder is no part of a smaller question.
    assert cli(*command, "--json").status == answer.status
    assert cli(*command, "--json", "--limit", 4).out == answer.out


def test_against_a_stored_baseline_only_the_new_codec_is_run(
    cli, folder: Path, tmp_path: Path, margins: Path
) -> None:
    stored = tmp_path / "base.json"
    save = ("gate", "--save", stored, "fake@64", "--data", folder, "--limit", 3, "-o", tmp_path / "old")
    answer = cli(*save, *ONE, "--margins", margins)
    assert answer.status == 0, answer.err
    out = tmp_path / "new"
    margins.write_text("[gate.fake-snr]\nmargin = 1\n")
    words = ("gate", stored, "fake-heavy", "--margins", margins, "--json", "-j", 1)
    answer = cli(*words, "--data", folder, "--out", out)
    assert answer.status == 0, answer.err
    checks = {row["check"]: row for row in json.loads(answer.out)["checks"]}
    assert checks["fake-snr"]["gain"] == 0
    assert {(codec, point) for codec, point, _ in cells(out)} == {("fake-heavy", "64")}
    assert len(cells(out)) == 3
    assert "rtf_decode is not compared: the two were not timed in turns" in answer.err
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "quiet-0.wav").write_bytes((other / "quiet-1.wav").read_bytes())
    answer = cli(*words, "--data", other, "--out", tmp_path / "none")
    assert (answer.status, answer.out) == (2, "")
    assert "different speech by hash" in answer.err
    assert not (tmp_path / "none").exists()


def test_codecs_and_a_run_are_compared(cli, folder: Path, tmp_path: Path) -> None:
    run = (
        "run",
        "--data",
        folder,
        "--codecs",
        "fake@64+32",
        "--metrics",
        "fake-snr",
        "-j",
        1,
        "-o",
        tmp_path / "run",
    )
    assert cli(*run).status == 0
    words = ("compare", f"{tmp_path / 'run'}:fake", "fake-8k", "fake-heavy", "--data", folder, "-j", 1)
    answer = cli(*words, "--out", tmp_path / "out", "--json")
    assert answer.status == 0, answer.err
    assert [(row["a"], row["b"], row["n"]) for row in json.loads(answer.out)] == [
        ("fake@32", "fake-8k@32", 5),
        ("fake@64", "fake-heavy@64", 5),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fake", "fake-8k"), "no speech is given; add --data"),
        (("fake@64", "fake@128", "--data", "FOLDER"), "point"),
        (("fake@64", "fake-absent@64", "--data", "FOLDER"), "its library is not here"),
        (("fake@64", "fkae", "--data", "FOLDER"), "no run here"),
        (("fake@64", "fake@64", "--data", "FOLDER"), "fake@64 is named twice"),
    ],
)
def test_what_cannot_be_run_gets_one_line(
    cli, folder: Path, margins: Path, words: tuple[str, ...], said: str
) -> None:
    out = margins.parent / "out"
    given = [folder if word == "FOLDER" else word for word in words]
    answer = cli("gate", *given, "--margins", margins, "--out", out, *ONE)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err
    assert not (out / "records.jsonl").exists()


def test_one_codec_at_two_points(cli, folder: Path, tmp_path: Path) -> None:
    words = ("compare", "fake@64", "fake@32", "--data", folder, "--out", tmp_path / "out", *ONE, "--json")
    (row,) = json.loads(cli(*words).out)
    assert (row["a"], row["b"], row["difference"] < 0) == ("fake@64", "fake@32", True)


def test_a_plainly_worse_codec_ends_a_sequential_gate_early(cli, tmp_path: Path, margins: Path) -> None:
    speech, out = tmp_path / "many", tmp_path / "out"
    speech.mkdir()
    for number in range(24):
        soundfile.write(speech / f"{number:02d}.wav", voice(0.6, number, 0.5), 16_000)
    rows = "".join(f"{number:02d}.wav,s{number}\n" for number in range(24))
    (speech / "manifest.csv").write_text("file,speaker\n" + rows)
    words = ("--data", speech, "--out", out, "--margins", margins, *ONE, "--sequential")
    answer = cli("gate", "fake@64", "fake@16", *words, "--json")
    assert answer.status == 1, answer.err
    assert "stopped after 10 of 24 utterances" in answer.err
    assert len(cells(out)) == 20
    found = json.loads(answer.out)
    (row,) = (row for row in found["checks"] if row["check"] == "fake-snr")
    assert (row["verdict"], row["n"]) == ("worse", 10)
    assert found["interval"] == pytest.approx(1 - 2 * 0.05 / 3)
    stored = tmp_path / "base.json"
    assert cli("gate", "--save", stored, f"{out}:fake@64").status == 0
    answer = cli("gate", stored, stored, "--sequential", "--margins", margins)
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "nothing is left to run" in answer.err


def test_speech_for_stored_systems_is_wrong_usage(cli, run_folder: Path) -> None:
    answer = cli("gate", f"{run_folder}:spc", f"{run_folder}:rvq@7.5", "--data", "demo")
    assert answer.status == 2
    assert "go with codecs to run" in answer.err
