"""The table of a paper: rows by bitrate band, ground truth first, own models last, best and second marked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from codecbench.analysis.runs import BANDS, decimals, is_ground_truth, ordered, point_label
from codecbench.analysis.tokens import token_facts
from codecbench.store.store import Run

MISSING = "\N{EM DASH}"
BEST, SECOND = 1, 2
SHORT = "\N{DAGGER}"
"""Beside a mean over fewer utterances than the run has."""


def arrow(higher_is_better: bool | None) -> str:
    """Return the arrow that points to the better side, empty where there is none."""
    return {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}", None: ""}[higher_is_better]


@dataclass(frozen=True)
class Column:
    """One column: key, printed head, unit, and for a metric which direction is better."""

    key: str
    head: str
    unit: str = ""
    higher_is_better: bool | None = None
    digits: int = 2
    note: str = ""

    @property
    def arrow(self) -> str:
        """Return the arrow that points to the better side, empty where there is none."""
        return arrow(self.higher_is_better)


@dataclass(frozen=True)
class Entry:
    """One cell: value, what is printed, interval, number scored, rank within the band, `SHORT` or nothing."""

    value: float | str
    text: str
    low: float = math.nan
    high: float = math.nan
    n: int | None = None
    rank: int = 0
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """One codec at one operating point."""

    codec: str
    point: str
    ground_truth: bool
    own: bool
    entries: dict[str, Entry]

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
    Column("entropy_kbps", "Memoryless", "kbit/s", note="a memoryless coder of the tokens on new speech"),
    Column("sample_rate_khz", "Rate", "kHz", digits=1, note="sample rate of the coded speech"),
    Column("frame_rate_hz", "Frames", "1/s", digits=1, note="frames or token steps a second"),
    Column("tokens_s", "Tokens", "1/s", digits=0, note="tokens of all streams a second"),
    Column("bits_token", "Bits/token", digits=2, note="measured payload over tokens"),
    Column("ngram_bits", "n-gram", "bits/token", digits=2, note="a bigram of the tokens on new speakers"),
    Column("codebooks", "Streams", digits=0, note="codebooks, or streams of tokens"),
    Column("codes_used", "Codes used", "%", digits=0, note="share of each stream's codes that occurs"),
    Column(
        "perplexity", "Perplexity", digits=0, note="codes a stream effectively uses, the mean over streams"
    ),
    Column("recoded_equal", "Stable", "%", digits=0, note="tokens that a second coding leaves as they are"),
    Column("causal", "Causal", note="whether the codec looks ahead of what it has heard"),
    Column("parameters_m", "Params", "M", digits=1, note="weights of a neural codec, millions"),
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
    rows.sort(key=lambda row: (not row.ground_truth, _kbps(row), row.own, rank[row.codec]))
    truth = [row for row in rows if row.ground_truth]
    sections = []
    if truth:
        sections.append(Section("ground truth", tuple(truth)))
    for band in BANDS:
        inside = [row for row in rows if not row.ground_truth and band.holds(_kbps(row))]
        if inside:
            sections.append(Section(band.label, tuple(_ranked(inside, scored))))
    without = [row for row in rows if not row.ground_truth and math.isnan(_kbps(row))]
    unknown = [row for row in without if row.entries["n"].value]
    if unknown:
        sections.append(Section("rate not known", tuple(_ranked(unknown, scored))))
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
    info = run.manifest["codecs"][values["codec"]]["info"]
    plain = {
        "payload_kbps": values["payload_kbps"],
        "declared_kbps": values["declared_kbps"],
        "entropy_kbps": values["entropy_kbps"],
        "sample_rate_khz": _scaled(info.get("sample_rate_hz"), 1e3),
        "frame_rate_hz": _scaled(info.get("frame_rate_hz"), 1),
        "parameters_m": _scaled(info.get("parameters"), 1e6),
        "rtf": values["rtf_encode"] + values["rtf_decode"],
        "delay_ms": values["delay_ms"],
        **token_facts(run, str(values["codec"]), str(values["point"])),
        "n": values["n"],
        "failures": values["failures"],
    }
    label = point_label(values["codec"], values["point"])
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
        text = fixed(mean, column.digits)
        entries[column.key] = Entry(float(mean), text, float(low), float(high), int(n), mark=mark)
    codec = str(values["codec"])
    return Row(codec, str(values["point"]), is_ground_truth(run, codec), codec in run.ours, entries)


_YES_NO = {True: "yes", False: "no", None: MISSING}


def fixed(value: float, digits: int) -> str:
    """Return a number with so many decimals, without a negative zero; a dash where it is missing."""
    if not np.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _plain(value: float, column: Column) -> str:
    text = fixed(value, column.digits)
    whole = column.key not in {
        "payload_kbps",
        "declared_kbps",
        "entropy_kbps",
        "rtf",
        "bits_token",
        "ngram_bits",
    }
    return text.rstrip("0").rstrip(".") if whole and "." in text else text


def _scaled(value: float | None, by: float) -> float:
    return math.nan if value is None else value / by


def _kbps(row: Row) -> float:
    """Return the rate by which a row finds its band: measured, else declared."""
    measured, declared = (float(row.entries[key].value) for key in ("payload_kbps", "declared_kbps"))
    return declared if math.isnan(measured) else measured


def _used(column: Column, rows: list[Row]) -> bool:
    return column.key == "codec" or any(np.isfinite(float(row.entries[column.key].value)) for row in rows)


def _ranked(rows: list[Row], scored: list[Column]) -> list[Row]:
    """Mark the best and second printed value of each metric, unless one codec stands alone."""
    ranks: dict[tuple[int, str], int] = {}
    for column in scored:
        printed = [
            float(row.entries[column.key].text) for row in rows if row.entries[column.key].text != MISSING
        ]
        distinct = sorted(set(printed), reverse=bool(column.higher_is_better))
        if len(printed) < 2:
            continue
        for number, row in enumerate(rows):
            text = row.entries[column.key].text
            if text != MISSING and float(text) in distinct[:2]:
                ranks[number, column.key] = distinct.index(float(text)) + 1
    return [
        Row(row.codec, row.point, row.ground_truth, row.own, {
            key: replace(entry, rank=ranks.get((number, key), 0)) for key, entry in row.entries.items()
        })
        for number, row in enumerate(rows)
    ]  # fmt: skip
