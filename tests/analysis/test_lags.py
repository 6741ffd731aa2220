"""What a run says of how speech lies in time: a column for the report, a line where it is not simple."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codecbench.analysis import lags
from codecbench.store.store import Run, load_run

FIELDS = ("lag_ms", "inverted", "lag_note", "settled_lag_ms", "settled_inverted")


@pytest.fixture
def told(make_run: Callable[..., Path], tmp_path: Path) -> Callable[..., list[str]]:
    """Return what gives the remarks on a run of one codec whose utterances show these lags."""

    def make(*shown: tuple[Any, ...]) -> list[str]:
        out = make_run(
            tmp_path / "run",
            utterances=len(shown),
            codecs=("opus",),
            points=1,
            audio=0,
            fail_every=0,
            tokens=False,
        )
        lines = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
        for line, values in zip(lines, shown, strict=True):
            line |= dict(zip(FIELDS, values, strict=True))
        (out / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        run: Run = load_run(out)
        return list(lags.remarks(run))

    return make


IN_TIME = (0.0, False, None, 0.0, False)


def test_speech_in_time_needs_no_words(told) -> None:
    assert told(*[IN_TIME] * 4) == []


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (
            (None, None, "it matches nowhere", None, None),
            "no lag was found in 3 of 3 utterances (it matches nowhere)",
        ),
        ((5.0, False, "the delay drifts by +300 ppm", 5.0, False), "in 3 of 3 the delay drifts by +300 ppm"),
        ((0.0, True, None, 0.0, True), "3 of 3 are inverted (undone)"),
        ((9.0, False, None, 0.0, False), "3 of 3 show another lag than the 0 ms undone (9 to 9 ms)"),
    ],
)
def test_what_is_not_simple_is_said(told, shown: tuple[Any, ...], said: str) -> None:
    (line,) = told(shown, shown, shown)
    assert line.startswith("opus@6: ") and said in line


def test_single_utterances_are_named_by_number(told) -> None:
    (line,) = told(IN_TIME, IN_TIME, (None, None, "shorter than 0.25 s", 0.0, False), IN_TIME)
    assert "1 of 4 utterances show no lag (shorter than 0.25 s)" in line


def test_chance_of_a_few_ms_in_single_utterances_is_not_said_but_a_far_one_is(told) -> None:
    assert told(IN_TIME, IN_TIME, IN_TIME, (5.0, False, None, 0.0, False)) == []


def test_a_far_one_is_said(told) -> None:
    (line,) = told(IN_TIME, IN_TIME, IN_TIME, (300.0, False, None, 0.0, False))
    assert "1 of 4 show another lag than the 0 ms undone (0 to 300 ms)" in line


def test_an_inversion_that_is_left_is_said(told) -> None:
    (line,) = told(IN_TIME, IN_TIME, (0.0, True, None, 0.0, False))
    assert "1 of 3 are inverted (left, as most are not)" in line
