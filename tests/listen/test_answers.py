"""Answers are read from many files, counted once, and given only to their own key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codecbench.errors import InvalidInput
from codecbench.listen.answers import answered, read_test
from codecbench.listen.export import Exported
from codecbench.listen.key import read_key
from codecbench.report import figures, pictures
from codecbench.report.build import build
from listening import choices, key_of, ratings, write_key_of

LABELS = ("opus@6", "spc@7.5")


def given(shift: float = 0) -> Callable[[str, str], float]:
    """Return a listener's scores."""
    scores = {"reference": 100, "opus@6": 40 + shift, "spc@7.5": 70 + shift, "anchor35": 10, "anchor70": 50}
    return lambda _, label: scores[label]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key_of(tmp_path, "mushra", labels=LABELS)


def row(test: Any, label: str = "opus@6") -> Any:
    return test.result.table.set_index("condition").loc[label]


def test_files_folders_and_joined_files_come_to_the_same(key: Path) -> None:
    told = read_key(key)
    texts = [ratings(told, f"l{n}", given(n)) for n in range(4)]
    folder = key.parent / "answers"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"codecbench-{number}.csv").write_text(text)
    joined = key.parent / "mushra.csv"
    joined.write_text("\ufeff" + "\n\ufeff".join(texts), encoding="utf-8")
    files = sorted(folder.iterdir())
    for answers in (files, folder, [folder], joined, [folder, joined], [files[0], folder]):
        found = read_test(answers, key)
        assert (row(found)["mean"], row(found)["n"], row(found)["listeners"]) == (41.5, 16, 4)


def test_a_session_that_was_sent_twice_counts_once_and_is_said(key: Path) -> None:
    told = read_key(key)
    answers = key.parent / "mushra.csv"
    answers.write_text(ratings(told, "ann", given()) * 2)
    assert read_test(answers, key).notes == (
        "20 answers were given again later in the same session; the last of each counts",
    )
    answers.write_text(ratings(told, "ann", given()) + ratings(told, "ann", given(20)))
    assert row(read_test(answers, key))["mean"] == 60
    # Two persons of one name are two listeners, told apart by their sessions.
    two = [ratings(told, "ann", given(n), session=f"{n}" * 32) for n in range(2)]
    answers.write_text("".join(two))
    assert row(read_test(answers, key))["listeners"] == 2


def test_the_training_does_not_count(key: Path) -> None:
    told = read_key(key)
    text = ratings(told, "ann", lambda trial, label: 0 if trial == "training" else given()(trial, label))
    (key.parent / "a.csv").write_text(text)
    assert row(read_test(key.parent / "a.csv", key))["mean"] == 40


def test_answers_of_another_test_are_refused(key: Path, tmp_path: Path) -> None:
    other = key_of("mushra", labels=("lyra@6", "spc@7.5"))
    assert other["test"] != read_key(key)["test"]
    (tmp_path / "other.csv").write_text(ratings(other, "ann", lambda *_: 50))
    with pytest.raises(InvalidInput, match="line 2 answers the test 'codecbench-mushra-") as caught:
        read_test(tmp_path / "other.csv", key)
    assert "\n" not in str(caught.value)
    assert read_key(key)["test"] in str(caught.value)


BAD = [
    ("who,what\nann,x\n", "needs the columns session_test_id, trial, answer"),
    ("session_test_id,trial,answer\nTEST,t0\n", "line 2 is no answer to this test: it has 2 cells"),
    ("session_test_id,trial,answer\n\nTEST,t0,x\n", "line 3 is no answer"),
    ("session_test_id,trial,answer\nTEST,t99,a\n", "line 2 is no answer"),
    ("session_test_id,trial,answer,trial\nTEST,t0,a,t0\n", "each once"),
    ("", "needs the columns"),
    ('session_test_id,trial,answer\n"TEST,t0,a\n', "cannot be read as CSV"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    key = write_key_of(tmp_path, "abx")
    (tmp_path / "a.csv").write_text(text.replace("TEST", read_key(key)["test"]))
    with pytest.raises(InvalidInput, match=message) as caught:
        read_test(tmp_path / "a.csv", key)
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidInput, match="no file of answers"):
        read_test(tmp_path.joinpath("none").mkdir() or tmp_path / "none", key)  # type: ignore[func-returns-value]


def test_listeners_without_names_are_told_apart_by_file(tmp_path: Path) -> None:
    key = write_key_of(tmp_path, "abx", trials=2)
    told = read_key(key)
    part = f"session_test_id,listener,trial,answer\n{told['test']},,t0,a\n{told['test']},,t1,b\n"
    (tmp_path / "a.csv").write_text(part + part)
    assert list(read_test(tmp_path / "a.csv", key).result.table.loc[0, ["mean", "n", "listeners"]]) == [
        0.5,
        4,
        2,
    ]
    (tmp_path / "b.csv").write_text(part)
    (tmp_path / "a.csv").write_text(part)
    found = read_test([tmp_path / "a.csv", tmp_path / "b.csv"], key)
    assert found.result.table.loc[0, "listeners"] == 2


def test_who_stopped_early_is_named(tmp_path: Path) -> None:
    key = write_key_of(tmp_path, "abx", trials=12)
    lines = choices(read_key(key), "ann", lambda *_: True).splitlines()
    (tmp_path / "a.csv").write_text("\n".join(lines[:6]) + "\n")
    assert read_test(tmp_path / "a.csv", key).notes == ("ann answered 4 of 12 trials",)


def test_the_command_names_who_is_out(cli: Callable[..., Any], key: Path) -> None:
    told = read_key(key)
    answers = key.parent / "mushra.csv"
    texts = [ratings(told, f"l{n}", given(n)) for n in range(5)]
    texts += [ratings(told, "clicker", lambda *_: 100)]
    texts += [ratings(told, "careless", lambda *_: 50 + 10 * (_[1] == "reference"))]
    answers.write_text("".join(texts))
    answer = cli("listen", "read", answers, "--key", key)
    assert answer.status == 0
    assert "left out is clicker: clicked on without judging in 4 of 4 trials" in answer.err
    assert "left out is careless: hidden reference below 90 in 4 of 4 trials" in answer.err
    assert "median" in answer.out
    assert "p_holm" in answer.out
    found = json.loads(cli("listen", "read", key.parent, "--key", key, "--json").out)
    assert found["test"] == told["test"]
    assert {item["listener"] for item in found["excluded"]} == {"clicker", "careless"}
    means = {item["condition"]: item["mean"] for item in found["conditions"]}
    assert means["opus@6"] == 42
    assert found["pairs"][0]["difference"] == -30


@pytest.fixture
def tested(run: Path, mushra: Exported, abx: Exported, tmp_path: Path) -> Path:
    """Return a run with two answered tests and one that nobody has answered."""
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    folder = copied / "listening"
    shutil.copytree(mushra.key.parent, folder / "first round")
    told = read_key(mushra.key)
    for name, scores in (("l1", given()), ("l2", given(4)), ("l3", lambda *_: 50.0)):
        (folder / "first round" / f"{name}.csv").write_text(ratings(told, name, scores))
    shutil.copytree(abx.key.parent, folder / "heard|it")
    (folder / "heard|it" / "sent").mkdir()
    (folder / "heard|it" / "sent" / f"{abx.test}-0a.csv").write_text(
        choices(read_key(abx.key), "ann", lambda place, label: label == "opus@6" or place % 2 == 0)
    )
    shutil.copytree(mushra.key.parent, folder / "unanswered")
    return copied


def test_answers_beside_a_key_in_the_run_enter_the_report(
    tested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [(test.name, test.kind) for test in answered([tested])] == [
        ("first round", "MUSHRA"),
        ("heard|it", "ABX"),
    ]
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    page = build([tested], tmp_path / "r")
    text, markdown = page.read_text(encoding="utf-8"), (page.parent / "report.md").read_text(encoding="utf-8")
    for shown in (text, markdown):
        assert "first round" in shown
        assert "l3: clicked on without judging in 3 of 3 trials" in shown
        assert "the anchor at 7 kHz is hardly one" in shown
        assert "p (Holm)" in shown
        assert "unanswered" not in shown
    assert "| opus@6 |" in markdown
    assert "## Listening tests" in markdown
    assert "### heard\\|it (ABX)" in markdown
    tables = page.parent / "tables"
    table = pd.read_csv(tables / "listening-first-round.csv")
    assert list(table["condition"])[:2] == ["reference", "opus@6"]
    assert pd.read_csv(tables / "listening-first-round-pairs.csv").loc[0, "difference"] == -30
    assert pd.read_csv(tables / "listening-heard-it.csv").loc[0, "mean"] == 1.0
