"""Answers survive spreadsheets: delimiters, decimal commas, joined files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from codecbench.errors import InvalidInput
from codecbench.listen.sheet import read

NEEDED = ("trial_id", "rating_score")


@pytest.mark.parametrize(
    ("delimiter", "score"), [(",", "40.5"), (";", "40,5"), ("\t", "40,5"), (";", "40.5")]
)
def test_the_delimiter_is_found_with_its_decimal_sign(tmp_path: Path, delimiter: str, score: str) -> None:
    path = tmp_path / "a.csv"
    rows = [("who", "trial_id", "rating_score"), ("ann", "t1", score), ("", "t2", "x")]
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))
    first, second = read(path, NEEDED)
    assert (first.line, first.number("rating_score"), first.listener("uuid", NEEDED)) == (2, 40.5, "ann")
    assert math.isnan(second.number("rating_score"))
    assert math.isnan(second.number("rating_time"))
    assert second.listener("uuid", NEEDED) == ""


def test_webmushra_repeats_the_questionnaire_where_it_was_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "mushra.csv"
    path.write_text(
        "session_test_id,listener,age,session_uuid,trial_id,rating_score\n"
        "t,ann,30,u1,t1,4\nt,ann,30,ann,30,u1,t1,5\nt,ann,30,ann,30,ann,31,u1,t1,6\n"
    )
    rows = list(read(path, NEEDED))
    assert [row.cells["rating_score"] for row in rows] == ["4", "5", "6"]
    assert [(row.cells["listener"], row.cells["age"], row.cells["session_uuid"]) for row in rows] == [
        ("ann", "30", "u1"), ("ann", "30", "u1"), ("ann", "31", "u1"),
    ]  # fmt: skip
    path.write_text(path.read_text() + "t,ann,30,more,u1,t1,5\n")
    with pytest.raises(InvalidInput, match="line 5 is no answer to this test: it has 7 cells"):
        list(read(path, NEEDED))


def test_a_header_that_comes_again_begins_another_part(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    part = "trial_id,rating_score\nt1,4\n"
    path.write_text("\ufeff" + part + "\n\ufeff" + part, encoding="utf-8")
    assert [(row.part, row.line) for row in read(path, NEEDED)] == [(1, 2), (2, 5)]
