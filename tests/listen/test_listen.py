"""Listening tests out, answers in."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from codecbench.errors import InvalidInput
from codecbench.listen.answers import read_answers
from codecbench.listen.export import export, low_pass
from codecbench.report import figures, pictures
from codecbench.report.build import build


@pytest.fixture(scope="module")
def run(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listen") / "run"
    return make_run(
        folder, utterances=6, audio=4, codecs=("pcm", "opus", "spc"), points=2, fail_every=0, seconds=0.4
    )


def test_mushra_has_hidden_reference_anchors_and_no_codec_names(run: Path, tmp_path: Path) -> None:
    path = export(run, tmp_path / "t", "mushra", points=["opus@6", "spc@7.5"], trials=3)
    config = json.loads(path.read_text())
    trials = config["pages"][2]
    assert trials[0] == "random"
    assert len(trials) == 1 + 3
    assert config["pages"][-1]["type"] == "finish"
    for page in trials[1:]:
        assert set(page["stimuli"]) == {"c1", "c2", "anchor35", "anchor70"}
        files = [tmp_path / "t" / name for name in [page["reference"], *page["stimuli"].values()]]
        shapes = {soundfile.info(file).frames for file in files}
        assert len(shapes) == 1
        assert {soundfile.info(file).samplerate for file in files} == {48_000}
    assert "opus" not in path.read_text()
    key = json.loads((tmp_path / "t" / "key.json").read_text())
    assert key["conditions"] == {"c1": "opus@6", "c2": "spc@7.5"}


@pytest.mark.parametrize("kind", ["mushra", "abx"])
def test_the_seed_alone_decides(run: Path, tmp_path: Path, kind: str) -> None:
    def made(name: str, seed: int) -> dict[str, bytes]:
        folder = tmp_path / name
        export(run, folder, kind, seed=seed, trials=4)  # type: ignore[arg-type]
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }

    assert made("a", 1) == made("b", 1)
    assert made("c", 2) != made("a2", 1)


def test_anchors_keep_what_lies_below_the_cut_off() -> None:
    t = np.arange(48_000) / 48_000
    low, high = (np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (2000, 5000))
    middle = slice(8000, 40_000)
    assert np.abs(low_pass(low, 48_000, 3500) - low)[middle].max() < 0.05
    assert np.abs(low_pass(high, 48_000, 3500))[middle].max() < 0.002


def mushra_answers(path: Path, key: Path, listeners: dict[str, float]) -> Path:
    """Write answers as webMUSHRA does; each listener gives the hidden reference that score."""
    trials = [item["trial"] for item in json.loads(key.read_text())["trials"]]
    scores = {"c1": 40, "c2": 70, "anchor35": 10, "anchor70": 20}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["session_test_id", "listener", "session_uuid", "trial_id", "rating_stimulus",
                         "rating_score", "rating_time", "rating_comment"])  # fmt: skip
        for place, (name, hidden) in enumerate(listeners.items()):
            for trial in trials:
                for stimulus, score in {"reference": hidden, **scores}.items():
                    shift = 0 if stimulus == "reference" else place
                    writer.writerow(["codecbench_0", name, name, trial, stimulus, score + shift, 1000, ""])
    return path


def test_mushra_answers_come_back_with_intervals_and_screening(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "t", "mushra", points=["opus@6", "spc@7.5"], trials=4)
    key = tmp_path / "t" / "key.json"
    listeners = {f"l{number}": 100.0 for number in range(8)} | {"careless": 50.0}
    table = read_answers(mushra_answers(tmp_path / "mushra.csv", key, listeners), key).set_index("condition")
    assert (table["screened"] == 1).all()
    assert table.loc["opus@6", "listeners"] == 8
    assert table.loc["opus@6", "n"] == 32
    assert table.loc["opus@6", "mean"] == 40 + np.mean(range(8))
    assert table.loc["opus@6", "low"] < table.loc["opus@6", "mean"] < table.loc["opus@6", "high"]
    assert table.loc["reference", "mean"] == 100
    assert list(table.index) == ["reference", "opus@6", "spc@7.5", "anchor35", "anchor70"]


def test_abx_answers_are_tested_against_guessing(run: Path, tmp_path: Path) -> None:
    page = export(run, tmp_path / "t", "abx", points=["opus@6", "spc@7.5"], trials=20, seed=3)
    told = json.loads((tmp_path / "t" / "key.json").read_text())
    assert "opus" not in page.read_text()
    hidden = [item["x"] for item in told["trials"]]
    assert 4 <= hidden.count("a") <= 16
    lines = ["listener,trial,answer"]
    for number, item in enumerate(told["trials"]):
        wrong = item["condition"] == "spc@7.5" and number % 4 == 1
        answer = item["x"] if not wrong else {"a": "b", "b": "a"}[item["x"]]
        lines.append(f"me,{item['trial']},{answer}")
    (tmp_path / "answers.csv").write_text("\n".join(lines) + "\n")
    table = read_answers(tmp_path / "answers.csv", tmp_path / "t" / "key.json").set_index("condition")
    assert table.loc["opus@6", "mean"] == 1.0
    # Ten of ten by guessing: 2^-10; five of ten or more: 638/1024.
    assert table.loc["opus@6", "p_value"] == pytest.approx(2**-10)
    assert table.loc["spc@7.5", "mean"] == 0.5
    assert table.loc["spc@7.5", "p_value"] == pytest.approx(638 / 1024)


def test_answers_beside_a_key_in_the_run_enter_the_report(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    folder = copied / "listening" / "first round"
    export(copied, folder, "mushra", points=["opus@6", "spc@7.5"], trials=4)
    mushra_answers(folder / "mushra.csv", folder / "key.json", {"l1": 100.0, "l2": 95.0, "l3": 50.0})
    page = build([copied], tmp_path / "r")
    text = page.read_text(encoding="utf-8")
    assert "first round" in text
    assert "1 listener left out" in text
    table = pd.read_csv(page.parent / "tables" / "listening-first-round.csv")
    assert list(table["condition"])[:2] == ["reference", "opus@6"]


def test_x_is_one_of_the_two_clips_bit_by_bit(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "t", "abx", points=["opus@6"], trials=3)
    for item in json.loads((tmp_path / "t" / "key.json").read_text())["trials"]:
        folder = tmp_path / "t" / "stimuli" / item["trial"]
        clips = {name: (folder / f"{name}.flac").read_bytes() for name in "abx"}
        assert clips["x"] == clips[item["x"]]
        assert clips["a"] != clips["b"]


@pytest.mark.parametrize(
    ("points", "kind", "message"),
    [
        (["opus@99"], "mushra", "no point 'opus@99'; it has: opus@6"),
        ([], "mos", "unknown kind"),
    ],
)
def test_bad_requests_get_one_line(
    run: Path, tmp_path: Path, points: list[str], kind: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        export(run, tmp_path / "t", kind, points=points)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_without_audio_or_in_a_full_folder_nothing_is_written(
    make_run: Callable[..., Path], run: Path, tmp_path: Path
) -> None:
    silent = make_run(tmp_path / "run", utterances=3, audio=0, codecs=("pcm", "opus"), points=1)
    with pytest.raises(InvalidInput, match="--audio all"):
        export(silent, tmp_path / "t")
    with pytest.raises(InvalidInput, match="not an empty folder"):
        export(run, silent)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("listener,trial,answer\nme,999,a\n", "line 2 is no answer"),
        ("listener,trial,answer\nme,001,c\n", "line 2"),
    ],
)
def test_answers_of_another_test_are_refused(run: Path, tmp_path: Path, answers: str, message: str) -> None:
    export(run, tmp_path / "t", "abx", trials=2)
    (tmp_path / "answers.csv").write_text(answers)
    with pytest.raises(InvalidInput, match=message):
        read_answers(tmp_path / "answers.csv", tmp_path / "t" / "key.json")
    with pytest.raises(InvalidInput, match="not the key"):
        read_answers(tmp_path / "answers.csv", tmp_path / "answers.csv")
