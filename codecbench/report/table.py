"""The table of a paper: rows by bitrate band, ground truth first, own models last, best and second marked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from codecbench.analysis.best import Ranking
from codecbench.analysis.runs import (
    BANDS,
    banded_kbps,
    decimals,
    is_ground_truth,
    ordered,
    point_label,
    tells_of,
)
from codecbench.analysis.tokens import token_facts
from codecbench.store.store import Run

MISSING = "\N{EM DASH}"
SHORT = "\N{DAGGER}"
"""Beside a mean over fewer utterances than the run has."""


def arrow(higher_is_better: bool | None) -> str:
    """Return the arrow that points to the better side, empty where there is none."""
    return {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}", None: ""}[higher_is_better]


@dataclass(frozen=True)
class Column:
    """One column: key, printed head, unit, and for a metric which direction is better.

    ``of_tokens`` marks what a builder of language models asks of a codec, which a page shows apart.
    """

    key: str
    head: str
    unit: str = ""
    higher_is_better: bool | None = None
    digits: int = 2
    note: str = ""
    of_tokens: bool = False

    @property
    def arrow(self) -> str:
        """Return the arrow that points to the better side, empty where there is none."""
        return arrow(self.higher_is_better)


@dataclass(frozen=True)
class Entry:
    """One cell: value, what is printed, interval, number scored, rank within the band, `SHORT` or nothing.

    ``telling`` is False for a score that says nothing of the codec, so that a dash is printed.
    """

    value: float | str
    text: str
    low: float = math.nan
    high: float = math.nan
    n: int | None = None
    rank: int = 0
    mark: str = ""
    telling: bool = True


@dataclass(frozen=True)
class Row:
    """One codec at one operating point."""

    codec: str
    point: str
    ground_truth: bool
    own: bool
    entries: dict[str, Entry]
    band_kbps: float = math.nan

    @property
    def label(self) -> str:
        """The codec's name with its point, as on the command line."""
        return point_label(self.codec, self.point)


@dataclass(frozen=True)
class Section:
    """The rows of one bitrate band."""

    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class PaperTable:
    """The whole table, and what it is of: the set, its utterances and speakers."""

    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    metrics: tuple[str, ...] = field(default=())
    dataset: str = ""
    utterances: int = 0
    speakers: int = 0


FIXED = (
    Column("codec", "Codec"),
    Column("payload_kbps", "kbit/s", note="coded payload, measured"),
    Column("declared_kbps", "Declared", "kbit/s", note="what the user says of decoded files"),
    Column("frame_rate_hz", "Frames", "1/s", digits=1, note="frames or token steps a second", of_tokens=True),
    Column("tokens_s", "Tokens", "1/s", digits=0, note="tokens of all streams a second", of_tokens=True),
    Column("bits_token", "Bits/token", note="measured payload over tokens", of_tokens=True),
    Column("ngram_bits", "n-gram", "bits/token", note="a bigram, new speakers", of_tokens=True),
    Column("codebooks", "Streams", digits=0, note="codebooks, or streams of tokens", of_tokens=True),
    Column("codes_used", "Codes used", "%", digits=0, note="of each stream, at all", of_tokens=True),
    Column("perplexity", "Perplexity", digits=0, note="codes a stream effectively uses", of_tokens=True),
    Column("recoded_equal", "Stable", "%", digits=0, note="tokens that recoding leaves", of_tokens=True),
    Column("recoded_n", "Recoded", digits=0, note="utterances that Stable is of", of_tokens=True),
    Column("entropy_kbps", "Memoryless", "kbit/s", note="coded without memory, new speech", of_tokens=True),
    Column("causal", "Causal", note="whether it does without what comes later", of_tokens=True),
    Column("parameters_m", "Params", "M", digits=1, note="weights of a neural codec", of_tokens=True),
    Column("sample_rate_khz", "Rate", "kHz", digits=1, note="sample rate of the coded speech"),
    Column("rtf", "RTF", digits=3, note="real-time factor, encoding plus decoding"),
    Column("delay_ms", "Delay", "ms", digits=1, note="algorithmic delay the codec states"),
    Column("n", "n", digits=0, note="utterances decoded"),
    Column("failures", "Failed", digits=0, note="utterances without decoded speech"),
)


def paper_table(run: Run, summary: pd.DataFrame) -> PaperTable:
    """Lay out a summary as a paper's table.

    Parameters
    ----------
    run : Run
        The run, for its codecs and metrics.
    summary : DataFrame
        Of `tables.summary`.
    """
    metrics = run.manifest["metrics"]
    scored = [
        Column(name, m["label"], m["unit"], bool(m["higher_is_better"]), decimals(m), m["signature"])
        for name, m in metrics.items()
    ]
    rank = {codec: place for place, codec in enumerate(ordered(run, run.manifest["codecs"]))}
    rows = [_row(run, values, scored) for _, values in summary.iterrows()]
    rows.sort(key=lambda row: (not row.ground_truth, _kbps(row.entries), row.own, rank[row.codec]))
    rankings = {column.key: Ranking(run, column.key) for column in scored}
    truth = [row for row in rows if row.ground_truth]
    sections = []
    if truth:
        sections.append(Section("ground truth", tuple(truth)))
    for band in BANDS:
        inside = [row for row in rows if not row.ground_truth and band.holds(row.band_kbps)]
        if inside:
            sections.append(Section(band.label, tuple(_ranked(inside, scored, rankings))))
    without = [row for row in rows if not row.ground_truth and math.isnan(row.band_kbps)]
    unknown = [row for row in without if row.entries["n"].value]
    if unknown:
        sections.append(Section("rate not known", tuple(_ranked(unknown, scored, rankings))))
    lost = [row for row in without if not row.entries["n"].value]
    if lost:
        sections.append(Section("no utterance decoded", tuple(lost)))
    used = [column for column in FIXED if _used(column, rows)]
    utterances = run.manifest["utterances"]
    return PaperTable(
        (*used, *scored),
        tuple(sections),
        tuple(metrics),
        run.manifest["dataset"]["name"],
        len(utterances),
        len({item["speaker"] for item in utterances}),
    )


def _row(run: Run, values: pd.Series, scored: list[Column]) -> Row:
    codec = str(values["codec"])
    info = run.manifest["codecs"][codec]["info"]
    plain = {
        "payload_kbps": values["payload_kbps"],
        "declared_kbps": values["declared_kbps"],
        "entropy_kbps": values["entropy_kbps"],
        "sample_rate_khz": _scaled(info.get("sample_rate_hz"), 1e3),
        "frame_rate_hz": _scaled(_frame_rate(run, codec, str(values["point"])), 1),
        "parameters_m": _scaled(info.get("parameters"), 1e6),
        "rtf": values["rtf_encode"] + values["rtf_decode"],
        "delay_ms": values["delay_ms"],
        **token_facts(run, codec, str(values["point"])),
        "n": values["n"],
        "failures": values["failures"],
    }
    label = point_label(codec, values["point"])
    entries = {"codec": Entry(label, label)}
    causal = info.get("causal") if info.get("kind") == "neural" else None
    entries["causal"] = Entry(math.nan if causal is None else float(causal), _YES_NO[causal])
    for column in FIXED[1:]:
        if column.key == "causal":
            continue
        entries[column.key] = Entry(float(plain[column.key]), _plain(plain[column.key], column))
    for column in scored:
        mean, low, high, n = (values[f"{column.key}{part}"] for part in ("", "_low", "_high", "_n"))
        mark = SHORT if 0 < n < len(run.manifest["utterances"]) else ""
        telling = tells_of(run, column.key, codec)
        text = fixed(mean, column.digits) if telling else MISSING
        entries[column.key] = Entry(float(mean), text, float(low), float(high), int(n), 0, mark, telling)
    rate = _kbps(entries)
    band = rate if math.isnan(rate) else banded_kbps(rate, float(values["nominal_kbps"]))
    return Row(codec, str(values["point"]), is_ground_truth(run, codec), codec in run.ours, entries, band)


def _frame_rate(run: Run, codec: str, point: str) -> float | None:
    """Return a point's rate of frames; runs of earlier versions hold the codec's alone."""
    entry = run.manifest["codecs"][codec]
    found = next(item for item in entry["points"] if item["name"] == point)
    rate: float | None = found.get("frame_rate_hz", entry["info"].get("frame_rate_hz"))
    return rate


_YES_NO = {True: "yes", False: "no", None: MISSING}


def fixed(value: float, digits: int) -> str:
    """Return a number with so many decimals, without a negative zero; a dash where it is missing."""
    if not np.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _plain(value: float, column: Column) -> str:
    text = fixed(value, column.digits)
    fine = {"payload_kbps", "declared_kbps", "entropy_kbps", "rtf", "bits_token", "ngram_bits"}
    whole = column.key not in fine
    return text.rstrip("0").rstrip(".") if whole and "." in text else text


def _scaled(value: float | None, by: float) -> float:
    return math.nan if value is None else value / by


def _kbps(entries: Mapping[str, Entry]) -> float:
    """Return the rate at which a row stands: measured, else declared."""
    measured, declared = (float(entries[key].value) for key in ("payload_kbps", "declared_kbps"))
    return declared if math.isnan(measured) else measured


def _used(column: Column, rows: list[Row]) -> bool:
    return column.key == "codec" or any(np.isfinite(float(row.entries[column.key].value)) for row in rows)


def _ranked(rows: list[Row], scored: list[Column], rankings: Mapping[str, Ranking]) -> list[Row]:
    """Mark the best of each metric, what does not differ from it, and the next; see `Ranking`."""
    places: dict[tuple[str, str], int] = {}
    for column in scored:
        entries = {(row.codec, row.label): row.entries[column.key] for row in rows}
        means = {pair: float(entry.value) for pair, entry in entries.items() if entry.telling}
        for (_, label), place in rankings[column.key].of(means, column.digits).items():
            places[label, column.key] = place
    return [
        replace(row, entries={
            key: replace(entry, rank=places.get((row.label, key), 0)) for key, entry in row.entries.items()
        })
        for row in rows
    ]  # fmt: skip
