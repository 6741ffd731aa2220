"""Answers survive spreadsheets and are counted once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codecbench.errors import InvalidInput
from codecbench.listen.answers import read_answers, read_test

TRIALS = ("t1", "t2")


@pytest.fixture
def mushra(tmp_path: Path) -> Path:
    told = {"format": 1, "kind": "mushra", "seed": 0, "conditions": {"c1": "opus@6"},
            "trials": [{"trial": name, "utterance": name, "speaker": "s"} for name in TRIALS]}  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(told))
    return tmp_path / "key.json"


@pytest.fixture
def abx(tmp_path: Path) -> Path:
    told = {"format": 1, "kind": "abx", "seed": 0, "trials": [
        {"trial": name, "utterance": name, "speaker": "s", "condition": "opus@6", "x": "a"} for name in TRIALS
    ]}  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(told))
    return tmp_path / "key.json"


def _session(who: str, score: str, delimiter: str = ",") -> str:
    rows = [("session_uuid", "trial_id", "rating_stimulus", "rating_score")]
    for trial in TRIALS:
        rows += [(who, trial, "reference", "100"), (who, trial, "c1", score), (who, trial, "anchor35", "5")]
        rows += [(who, trial, "anchor70", "6")]
    return "".join(delimiter.join(row) + "\n" for row in rows)


def _mean(key: Path, text: str) -> tuple[float, int, int]:
    answers = key.with_name("answers.csv")
    answers.write_text(text, encoding="utf-8")
    row = read_answers(answers, key).set_index("condition").loc["opus@6"]
    return row["mean"], row["n"], row["listeners"]


@pytest.mark.parametrize(
    ("delimiter", "score"), [(",", "40.5"), (";", "40,5"), ("\t", "40,5"), (";", "40.5")]
)
def test_the_delimiter_is_found_with_its_decimal_sign(mushra: Path, delimiter: str, score: str) -> None:
    assert _mean(mushra, _session("ann", score, delimiter)) == (40.5, 2, 1)


def test_a_session_that_is_there_twice_counts_once_and_is_said(mushra: Path) -> None:
    twice = _session("ann", "40") + _session("ann", "40")
    assert _mean(mushra, twice) == (40, 2, 1)
    test = read_test(mushra.with_name("answers.csv"), mushra)
    assert "8 answers were given again" in test.notes[0]
    assert _mean(mushra, _session("ann", "40") + _session("ann", "60")) == (60, 2, 1)


def test_files_joined_end_to_end_are_one(mushra: Path) -> None:
    joined = "\ufeff" + _session("ann", "40") + "\n\ufeff" + _session("ben", "60")
    assert _mean(mushra, joined) == (50, 4, 2)
    assert read_test(mushra.with_name("answers.csv"), mushra).notes == ()


def test_listeners_without_names_are_told_apart_by_file(abx: Path) -> None:
    part = "listener,trial,answer\n,t1,a\n,t2,b\n"
    assert _mean(abx, part + part) == (0.5, 4, 2)
    assert _mean(abx, part) == (0.5, 2, 1)


BAD = [
    ("who,what\nann,x\n", "needs the columns trial, answer"),
    ("listener,trial,answer\nann,t1\n", "line 2 is no answer to this test: it has 2 cells"),
    ("listener,trial,answer\n\nann,t1,x\n", "line 3 is no answer"),
    ("listener,trial,answer,trial\nann,t1,a,t1\n", "each once"),
    ("", "needs the columns"),
    ('listener,trial,answer\n"ann,t1,a\n', "cannot be read as CSV"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_wrong_is_named(abx: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        _mean(abx, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": [{"trial": "t1"}]}, r"trials\[0\].utterance' is missing"),
        ({"kind": "mos"}, "'kind'"),
        ({"trials": None}, "'trials' is null"),
    ],
)
def test_a_damaged_key_is_named_with_its_field(abx: Path, change: dict, message: str) -> None:
    abx.write_text(json.dumps({**json.loads(abx.read_text()), **change}))
    with pytest.raises(InvalidInput, match=message):
        _mean(abx, "listener,trial,answer\n")


def test_the_command_says_what_was_given_again(cli: Callable, abx: Path) -> None:
    answers = abx.with_name("answers.csv")
    answers.write_text("listener,trial,answer\nann,t1,a\nann,t1,b\n")
    answer = cli("listen", "read", answers, "--key", abx)
    assert answer.status == 0
    assert "1 answers were given again" in answer.err
