"""Evaluation of one cell: load, resample, encode, decode, time, measure the lag, score.

`compute` runs in workers.  It is a pure function of its task; what is expensive to load (codecs, metrics, the
current reference) is kept in the process between calls.
"""

from __future__ import annotations

import copy
import math
import os
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from codecbench import audio, calls, returned
from codecbench.alignment import Delay
from codecbench.codec import Codec, DecodedFiles, Wave
from codecbench.data.sets import Utterance
from codecbench.errors import CodecBenchError, StorageError, Unavailable, Unscorable, told
from codecbench.guard import guarded
from codecbench.metric import Metric
from codecbench.run import worker
from codecbench.run.coding import Made, code
from codecbench.run.devices import own_device
from codecbench.run.plan import Cell
from codecbench.run.recoding import recoded_equal
from codecbench.run.scoring import (
    LAG_HZ,
    Pair,
    Score,
    read_settled,
    score_aligned,
    score_raw,
    write_delay,
    write_settled,
)
from codecbench.store.layout import audio_path, reference_path
from codecbench.store.records import ALIGNMENT, MEASURED, RECODED, Record, decode_codes, encode_codes

CODEC, AUDIO = "codec", "audio"
"""What is spent beside metrics: coding, and keeping speech; `RECODED` is the third.

No metric has the name of a record's field."""

UNAVAILABLE = "unavailable: "
"""How the reason of a metric that cannot run on this machine begins."""


@dataclass(frozen=True)
class Task:
    """One cell with all that a worker needs to compute it.

    ``out`` is the run's folder if the decoded speech shall be kept there, otherwise None.  ``delay`` is what
    is undone for the scores, None for what the utterance itself shows; the runner sets it after ``align``,
    one of `codecbench.run.scoring.ALIGN`.  ``known`` is the cell's record where all is measured but another
    delay is to be undone, or where it lacks the scores of ``more``, some of the ``metrics``.  ``turns`` names
    the call in which codecs take turns, empty where they do not.  ``device`` names one or several, of which
    each worker takes its own, see `codecbench.run.devices`.  ``made`` is what a worker has coded at once with
    other cells, see `codecbench.run.together`.  With ``recode`` the stability of tokens is measured.
    """

    cell: Cell
    metrics: tuple[Metric, ...]
    device: str = "cpu"
    out: Path | None = None
    align: str = "codec"
    delay: Delay | None = None
    known: Record | None = None
    more: tuple[Metric, ...] = ()
    turns: str = ""
    recode: bool = False
    made: Made | None = None


@dataclass
class Outcome:
    """A record, and where the time went: ``spent`` in seconds with loading.

    It is told by metric, `CODEC`, `RECODED` and `AUDIO`.  ``wall_s`` is the whole time in the worker; the
    rest went into references, resampling and lags.
    """

    record: Record
    spent: dict[str, float] = field(default_factory=dict)
    wall_s: float = 0.0

    @property
    def busy_s(self) -> float:
        """The time in codecs and metrics."""
        return sum(spent_s for what, spent_s in self.spent.items() if what != AUDIO)


# Some metrics are not thread-safe: two cells must not run at once where an executor uses threads.
_lock = threading.Lock()


def compute(task: Task) -> Outcome:
    """Compute one cell.

    Returns
    -------
    Outcome
        With a record of status ``ok``, or ``failed`` where a codec raised or broke the contract.

    Raises
    ------
    StorageError
        If decoded speech cannot be kept.
    """
    with _lock:
        begin = time.perf_counter()
        outcome = Outcome(copy.deepcopy(task.known) if task.known else blank(task.cell))
        try:
            if task.known and task.more:
                _score_more(task, outcome)
            elif task.known and task.delay:
                _score_again(task, task.delay, outcome)
            else:
                _measure(task, outcome)
        except StorageError:
            raise
        except Exception as error:
            outcome.record = lost(task, reason(error))
        outcome.wall_s = time.perf_counter() - begin
        return outcome


def blank(cell: Cell) -> Record:
    """Return a record of a cell with nothing measured yet."""
    utterance = cell.utterance
    return {
        "key": cell.key,
        "utterance": utterance.id,
        "speaker": utterance.speaker,
        "seconds": utterance.seconds,
        "codec": cell.codec,
        "point": cell.point.name,
        "nominal_kbps": _finite(cell.point.nominal_kbps),
        "status": "ok",
        "error": None,
        **dict.fromkeys(MEASURED),
        **dict.fromkeys(ALIGNMENT),
        "scores": {},
        "raw_scores": {},
        "reasons": {},
        "codes": None,
        RECODED: None,
        "audio": None,
        "batch": None,
    }


def failed(cell: Cell, error: str) -> Record:
    """Return the record of a cell that gave no speech."""
    return {**blank(cell), "status": "failed", "error": error}


def lost(task: Task, error: str) -> Record:
    """Return the record of a task that broke off: scores that are known stay, those asked for are missing."""
    if not task.known or not task.more:
        return failed(task.cell, error)
    record = copy.deepcopy(task.known)
    for metric in task.more:
        record["scores"][metric.name] = record["raw_scores"][metric.name] = None
        record["reasons"][metric.name] = UNAVAILABLE + error
    return record


def reason(error: BaseException) -> str:
    """Return an error as one line; the traceback goes to stderr where ``CODECBENCH_DEBUG`` is set."""
    if os.environ.get("CODECBENCH_DEBUG"):
        traceback.print_exception(error)
    return told(error)


def decoded_file(codec: DecodedFiles, utterance: Utterance) -> Path:
    """Return an utterance's decoded file; raises like `DecodedFiles.file`."""
    return codec.file(
        utterance.name or utterance.id,
        by_stem=utterance.stem_is_unique,
        ident=utterance.id,
        reference=utterance.path,
    )


def _measure(task: Task, outcome: Outcome) -> None:
    cell, record = task.cell, outcome.record
    wave, rate_hz = worker.reference(cell.utterance.path, cell.digest, None)
    record["seconds"] = wave.size / rate_hz
    with _counted(outcome, CODEC):
        codec = worker.open_codec(cell, own_device(task.device))
    with guarded():
        delay_ms = codec.delay_ms(cell.point)
    record["delay_ms"] = returned.delay_ms(delay_ms)
    pair = _decoded(codec, task, outcome)
    own = pair.delay()
    write_delay(record, own)
    for metric in task.metrics:
        with _counted(outcome, metric.name):
            score_raw(metric, pair, record, _scorer(cell))
    _align(task.delay or own, pair, task, outcome)
    if task.recode and record["codes"] is not None:
        with _counted(outcome, RECODED):
            decoded = pair.raw(codec.info.sample_rate_hz)
            record[RECODED] = recoded_equal(codec, decode_codes(record["codes"]), decoded, cell.point)
    if task.out is not None:
        with _counted(outcome, AUDIO):
            record["audio"] = _keep(task.out, cell, pair.reference(LAG_HZ), pair.raw(LAG_HZ))


def _decoded(codec: Codec, task: Task, outcome: Outcome) -> Pair:
    """Return the reference beside what the codec made of it; what coding measures goes into the record."""
    cell, codec_hz = task.cell, codec.info.sample_rate_hz
    if isinstance(codec, DecodedFiles):
        with guarded():
            path = decoded_file(codec, cell.utterance)
        return Pair(cell, *audio.load(path))
    return Pair(cell, _code(codec, worker.at(cell, codec_hz), task, outcome), codec_hz)


def _align(delay: Delay, pair: Pair | None, task: Task, outcome: Outcome) -> None:
    """Score with a delay undone."""
    write_settled(outcome.record, delay)
    for metric in task.metrics:
        with _counted(outcome, metric.name):
            score_aligned(metric, delay, pair, outcome.record, _scorer(task.cell))


def _score_again(task: Task, delay: Delay, outcome: Outcome) -> None:
    """Score a known record with another delay undone; only where there is one to undo it is decoded again."""
    pair = None
    if delay.samples is not None and not delay.nothing_to_undo:
        with _counted(outcome, CODEC):
            codec = worker.open_codec(task.cell, own_device(task.device))
        # What was measured the first time stays: decoding again may take another time.
        second = Outcome({})
        pair = _decoded(codec, task, second)
        outcome.spent[CODEC] += second.busy_s
    # Scores of metrics that are not here any more had another lag undone; they are asked for anew.
    for name in outcome.record["scores"].keys() - {metric.name for metric in task.metrics}:
        for part in ("scores", "raw_scores", "reasons"):
            outcome.record[part].pop(name, None)
    _align(delay, pair, task, outcome)


def _score_more(task: Task, outcome: Outcome) -> None:
    """Score a known record with the metrics that it lacks, as if they had been asked for at first.

    Speech is decoded again: what is kept of it has another rate.  Where the codec gives other bytes than
    before, the cell is measured anew, since the scores of one record are those of one decoded wave.
    """
    with _counted(outcome, CODEC):
        codec = worker.open_codec(task.cell, own_device(task.device))
    second = Outcome(blank(task.cell))
    pair = _decoded(codec, task, second)
    outcome.spent[CODEC] += second.busy_s
    if any(second.record[name] != outcome.record[name] for name in ("payload_bytes", "codes")):
        outcome.record = blank(task.cell)
        _measure(task, outcome)
        return
    delay = read_settled(outcome.record)
    for metric in task.more:
        with _counted(outcome, metric.name):
            score_raw(metric, pair, outcome.record, _scorer(task.cell))
            score_aligned(metric, delay, pair, outcome.record, _scorer(task.cell))


def _code(codec: Codec, wave: Wave, task: Task, outcome: Outcome) -> Wave:
    """Encode and decode, timed; fill in rates, times and codes; return the decoded wave."""
    point, record = task.cell.point, outcome.record
    with _counted(outcome, CODEC):
        made = task.made or code(codec, wave, point, own_device(task.device))
    coded = made.coded
    seconds = wave.size / codec.info.sample_rate_hz
    record.update(
        encode_s=made.encode_s,
        decode_s=made.decode_s,
        payload_bytes=len(coded.payload),
        container_bytes=coded.container_bytes,
        payload_kbps=8e-3 * len(coded.payload) / seconds,
        container_kbps=8e-3 * coded.container_bytes / seconds,
        rtf_encode=made.encode_s / seconds,
        rtf_decode=made.decode_s / seconds,
        codes=None if coded.codes is None else encode_codes(coded.codes),
        batch=worker.batch(task.turns),
    )
    return made.decoded


def _scorer(cell: Cell) -> Score:
    """Return what scores a pair of the cell's utterance."""
    return partial(_try_score, cell.utterance.about)


def _try_score(
    about: Mapping[str, str], metric: Metric, ref: Wave, deg: Wave
) -> tuple[float | None, str, float]:
    try:
        opened = calls.knowing(worker.open_metric(metric), about)
        value = calls.score(opened, ref, deg)
        return value, "", calls.weight(opened, ref)
    except Unscorable as error:
        return None, told(error), 1.0
    except Unavailable as error:
        return None, UNAVAILABLE + told(error), 1.0
    except Exception as error:
        return None, reason(error), 1.0


def _keep(out: Path, cell: Cell, ref: Wave, deg: Wave) -> str:
    """Write the decoded speech, and the reference unless it is there; return the path below the folder."""
    decoded = audio_path(cell.codec, cell.point.name, cell.utterance.id)
    reference = out / reference_path(cell.utterance.id)
    try:
        if not reference.exists():
            audio.save(reference, ref, LAG_HZ)
        audio.save(out / decoded, deg, LAG_HZ)
    except CodecBenchError as error:
        raise StorageError(str(error)) from None
    return decoded


@contextmanager
def _counted(outcome: Outcome, what: str) -> Iterator[None]:
    begin = time.perf_counter()
    try:
        yield
    finally:
        outcome.spent[what] = outcome.spent.get(what, 0.0) + time.perf_counter() - begin


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
