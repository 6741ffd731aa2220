"""The scores of one decoded wave: as it is, and with a lag undone.

A decoded wave is kept whole until here: undoing its lag moves it first and cuts it to the reference's length
afterwards.  The raw scores are of what a plain cut gives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from codecbench import audio
from codecbench.alignment import Delay, measure, undo
from codecbench.codec import Wave
from codecbench.metric import Metric
from codecbench.run import worker
from codecbench.run.plan import Cell
from codecbench.store.records import Record

LAG_HZ = 16_000
"""Rate at which the lag is measured and audio is kept."""

ALIGN = ("codec", "file", "none")
"""Which lag is undone before scoring: one for a codec and point, each utterance's own, or none."""

Score = Callable[[Metric, Wave, Wave], tuple[float | None, str]]
"""Scores a pair: the value, or None and the reason."""


class Pair:
    """A cell's reference and its whole decoded wave, at any rate."""

    def __init__(self, cell: Cell, decoded: Wave, from_hz: int) -> None:
        self._cell = cell
        self._at = lru_cache(lambda to_hz: audio.resample(decoded, from_hz, to_hz))

    def reference(self, rate_hz: int) -> Wave:
        """Return the reference, float32 [T]."""
        return worker.at(self._cell, rate_hz)

    def raw(self, rate_hz: int) -> Wave:
        """Return the decoded wave cut or padded to the reference's length, float32 [T]."""
        return audio.fit(self._at(rate_hz), self.reference(rate_hz).size)

    def aligned(self, rate_hz: int, delay: Delay) -> Wave:
        """Return the decoded wave with a delay (in samples at `LAG_HZ`) undone, float32 [T]."""
        assert delay.samples is not None
        here = Delay(round(delay.samples * rate_hz / LAG_HZ), delay.inverted)
        return undo(self._at(rate_hz), here, self.reference(rate_hz).size)

    def delay(self) -> Delay:
        """Measure how the decoded wave lies in time, in samples at `LAG_HZ`."""
        return measure(self.reference(LAG_HZ), self._at(LAG_HZ), LAG_HZ)


def write_delay(record: Record, delay: Delay) -> None:
    """Keep an utterance's own delay in its record, as a diagnostic."""
    record["lag_ms"] = _ms(delay.samples)
    record["inverted"] = None if delay.samples is None else delay.inverted
    record["lag_note"] = delay.note or None


def read_delay(record: Record) -> Delay:
    """Return the delay that `write_delay` kept; ``record`` may be one before polarity was measured."""
    return Delay(_samples(record["lag_ms"]), bool(record.get("inverted")), record.get("lag_note") or "")


def write_settled(record: Record, delay: Delay) -> None:
    """Keep the delay that was undone for ``scores``."""
    record["settled_lag_ms"] = _ms(delay.samples)
    record["settled_inverted"] = None if delay.samples is None else delay.inverted


def read_settled(record: Record) -> Delay:
    """Return the delay that `write_settled` kept; without one, why the utterance itself showed none."""
    samples = _samples(record["settled_lag_ms"])
    note = "" if samples is not None else record.get("lag_note") or "no lag was found"
    return Delay(samples, bool(record.get("settled_inverted")), note)


def is_settled(record: Record, delay: Delay) -> bool:
    """Say whether a record's scores are those with this delay undone."""
    inverted = None if delay.samples is None else delay.inverted
    return bool(record["settled_lag_ms"] == _ms(delay.samples) and record["settled_inverted"] == inverted)


def score_raw(metric: Metric, pair: Pair, record: Record, score: Score) -> None:
    """Score the pair as it is; a missing score gets its reason."""
    rate_hz = metric.sample_rate_hz
    value, why = score(metric, pair.reference(rate_hz), pair.raw(rate_hz))
    record["raw_scores"][metric.name] = value
    if why:
        record["reasons"][metric.name] = why


def score_aligned(metric: Metric, delay: Delay, pair: Pair | None, record: Record, score: Score) -> None:
    """Score with a delay undone; where there is nothing to undo that is the raw score, and needs no ``pair``.

    Where no delay could be found the score is missing, with that reason.
    """
    name, rate_hz = metric.name, metric.sample_rate_hz
    value = record["raw_scores"][name]
    why = record["reasons"].pop(name, "") if value is None else ""
    if delay.samples is None:
        value, why = None, why or f"{delay.note}; the raw score stands alone"
    elif not delay.nothing_to_undo:
        assert pair is not None
        value, why = score(metric, pair.reference(rate_hz), pair.aligned(rate_hz, delay))
    record["scores"][name] = value
    record["reasons"].pop(name, None)
    if why:
        record["reasons"][name] = why


def _ms(samples: int | None) -> float | None:
    return None if samples is None else 1000 * samples / LAG_HZ


def _samples(ms: float | None) -> int | None:
    return None if ms is None else round(ms * LAG_HZ / 1000)
