"""One lag a codec and point: settled from all utterances in any order, and scored again where it differs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from codecbench.alignment import Delay
from codecbench.cli import status_of
from codecbench.run.settle import Delays
from codecbench.store.records import read_records

RATE = 16_000


class Shown:
    """A store that holds these delays of one codec and point."""

    def __init__(self, *lags_ms: float | None) -> None:
        self._records = {str(number): _record(str(number), lag_ms) for number, lag_ms in enumerate(lags_ms)}

    def timings(self) -> dict[str, dict[str, object]]:
        return self._records


def _record(utterance: str, lag_ms: float | None, status: str = "ok") -> dict[str, object]:
    note = "it matches the reference at no lag" if lag_ms is None else None
    return {
        "codec": "c", "point": "p", "utterance": utterance, "status": status, "lag_ms": lag_ms,
        "inverted": None if lag_ms is None else False, "lag_note": note,
    }  # fmt: skip


def test_the_median_is_settled_in_any_order() -> None:
    for lags in itertools.permutations([0.0, 5.0, 5.0, 400.0]):
        delays = Delays(Shown(*lags))
        assert delays.settled("c", "p") == Delay(80)


def test_newer_records_replace_older_ones_and_failed_ones_do_not_vote() -> None:
    delays = Delays(Shown(5.0, 5.0, 0.0))
    assert delays.settled("c", "p") == Delay(80)
    delays.add(_record("0", 0.0))
    assert delays.settled("c", "p") == Delay(0)
    delays.add(_record("1", 5.0))
    delays.add(_record("2", None, status="failed"))
    delays.add(_record("0", 5.0, status="failed"))
    assert delays.settled("c", "p") == Delay(80)


def test_where_nothing_was_found_there_is_no_lag() -> None:
    delays = Delays(Shown(None, None, 5.0))
    assert delays.settled("c", "p").samples is None
    assert "no lag was found in 2 of 3 utterances" in delays.settled("c", "p").note
    assert delays.expected("c", "p") is None
    assert Delays(Shown()).settled("another", "p").samples is None


@pytest.fixture
def late(speech: list[np.ndarray], tmp_path: Path) -> Callable[..., Path]:
    """Return what writes references and noisy copies of them, late by so many samples each, some negated."""

    def write(lags: list[int], signs: tuple[int, ...] = (1, 1, 1, 1)) -> Path:
        draw = np.random.default_rng(0)
        for number, (lag, sign) in enumerate(zip(lags, signs, strict=False)):
            wave = speech[number % len(speech)][: 2 * RATE + 400 * number]
            noisy = sign * wave + 0.03 * np.sqrt(np.mean(wave**2)) * draw.standard_normal(wave.size)
            for folder, samples in (("ref", wave), ("deg", np.concatenate([np.zeros(lag), noisy]))):
                (tmp_path / folder).mkdir(exist_ok=True)
                soundfile.write(tmp_path / folder / f"p22{number}_001.wav", samples, RATE, "FLOAT")
        return tmp_path

    return write


def _score(folder: Path, *more: str) -> list[dict[str, Any]]:
    """Return the last record of each file."""
    arguments = ["score", "--ref", str(folder / "ref"), "--deg", str(folder / "deg"), "--metrics", "si-sdr"]
    assert status_of([*arguments, "--out", str(folder / "out"), "--executor", "serial", *more]) == 0
    return list({record["utterance"]: record for record in read_records(folder / "out")}.values())


def _decibels(records: list[dict[str, Any]]) -> list[float]:
    return [record["scores"]["si-sdr"] for record in records]


def test_one_that_is_later_than_the_others_is_scored_with_the_lag_of_all(late) -> None:
    """The first is computed before any other is known, undoes its own lag, and is scored again."""
    records = sorted(_score(late([1600, 160, 160, 160])), key=lambda record: record["utterance"])
    assert [record["settled_lag_ms"] for record in records] == [10.0] * 4
    assert [record["lag_ms"] for record in records] == [100.0, 10.0, 10.0, 10.0]
    assert _decibels(records)[0] < 3 and _decibels(records)[1:] == pytest.approx([30.5] * 3, abs=0.5)


def test_each_file_may_have_its_own_lag_or_none(late) -> None:
    folder = late([1600, 160, 160])
    own = _score(folder, "--align", "file")
    assert sorted(record["settled_lag_ms"] for record in own) == [10.0, 10.0, 100.0]
    assert _decibels(own) == pytest.approx([30.5] * 3, abs=0.5)
    none = _score(folder, "--align", "none", "--overwrite")
    assert all(value < 3 for value in _decibels(none))


def test_an_inversion_is_undone_only_where_most_are_inverted(late) -> None:
    records = sorted(_score(late([80] * 3, (-1, 1, -1))), key=lambda record: record["utterance"])
    assert [record["inverted"] for record in records] == [True, False, True]
    assert {record["settled_inverted"] for record in records} == {True}
