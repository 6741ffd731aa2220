"""Scores of a decoded wave: moved first and cut afterwards, and why one with a lag undone is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from codecbench.alignment import Delay
from codecbench.codec import Wave
from codecbench.data.folders import load_dataset
from codecbench.metric import Metric
from codecbench.run.plan import make_plan
from codecbench.run.scoring import (
    Pair,
    is_settled,
    read_delay,
    score_aligned,
    score_raw,
    write_delay,
    write_settled,
)

RATE = 16_000


@dataclass(frozen=True)
class Difference(Metric):
    """Largest difference of two waves."""

    name: ClassVar[str] = "difference"
    label: ClassVar[str] = "Difference"
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = False
    sample_rate_hz: ClassVar[int] = RATE
    value_range: ClassVar[tuple[float, float]] = (0.0, 2.0)

    def score(self, ref: Wave, deg: Wave) -> float:
        return float(np.abs(ref - deg).max())


def _score(metric: Metric, ref: Wave, deg: Wave) -> tuple[float, str, float]:
    return metric.score(ref, deg), "", 1.0


def _record() -> dict[str, dict[str, object]]:
    return {"scores": {}, "raw_scores": {}, "reasons": {}}


@pytest.fixture
def wave(tmp_path: Path) -> Wave:
    drawn = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", drawn, RATE, "FLOAT")
    return drawn


@pytest.fixture
def pair(wave: Wave, tmp_path: Path):
    (cell,) = make_plan(load_dataset(tmp_path), "pcm", ["si-sdr"])
    return lambda decoded: Pair(cell, np.asarray(decoded, np.float32), RATE)


@pytest.mark.parametrize("late", [1, 160, 3840, 32_000, -1])
def test_the_tail_of_a_complete_copy_counts(wave: Wave, pair, late: int) -> None:
    whole = np.concatenate([np.zeros(max(late, 0)), wave[max(-late, 0) :]])
    record = _record()
    score_raw(Difference(), pair(whole), record, _score)
    score_aligned(Difference(), Delay(late), pair(whole), record, _score)
    expected = 0.0 if late > 0 else abs(float(wave[0]))
    assert record["scores"]["difference"] == pytest.approx(expected)
    assert record["raw_scores"]["difference"] > 0.3
    assert record["reasons"] == {}


def test_inversion_is_undone(wave: Wave, pair) -> None:
    record = _record()
    score_raw(Difference(), pair(-wave), record, _score)
    score_aligned(Difference(), Delay(0, inverted=True), pair(-wave), record, _score)
    assert record["scores"]["difference"] == 0.0 < record["raw_scores"]["difference"]


def test_a_score_without_a_lag_is_missing_with_the_reason_and_the_raw_one_stands(wave: Wave, pair) -> None:
    record = _record()
    score_raw(Difference(), pair(wave), record, _score)
    score_aligned(Difference(), Delay(None, note="it matches nowhere"), None, record, _score)
    assert record["scores"]["difference"] is None and record["raw_scores"]["difference"] == 0.0
    assert record["reasons"]["difference"] == "it matches nowhere; the raw score stands alone"


def test_what_lies_in_time_is_scored_once(wave: Wave, pair) -> None:
    record = _record()
    score_raw(Difference(), pair(wave), record, lambda *_: (None, "it is Sunday", 1.0))
    score_aligned(Difference(), Delay(0), None, record, _score)
    assert record["scores"]["difference"] is None
    assert record["reasons"] == {"difference": "it is Sunday"}


@pytest.mark.parametrize(
    "delay",
    [
        Delay(0),
        Delay(-23),
        Delay(160_001, inverted=True),
        Delay(None, note="silent"),
        Delay(7, note="drifts"),
    ],
)
def test_a_delay_survives_the_record(delay: Delay) -> None:
    record: dict[str, object] = {}
    write_delay(record, delay)
    write_settled(record, delay)
    assert read_delay(record) == delay
    assert is_settled(record, delay)
    assert not is_settled(record, Delay(1))


def test_records_from_before_polarity_was_measured_are_read() -> None:
    assert read_delay({"lag_ms": 5.0}) == Delay(80)
    assert read_delay({"lag_ms": None}).samples is None
