"""Figures of the hand-written pages of docs/ and of ARCHITECTURE.md: held against code, or marked records."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

import write_docs
from codecbench.analysis import sequential, verdicts
from codecbench.analysis.counted import LIMITS
from codecbench.analysis.runs import TYPICAL_KBPS
from codecbench.codec import ladder
from codecbench.listen import clips, screening
from codecbench.report import style
from codecbench.returned import MAX_TOKEN
from codecbench.run import cluster, pool
from codecbench.run.scoring import LAG_HZ
from codecbench.testing.codecs import BATCH_TOLERANCE
from house import ROOT
from told import Told, missing, read, records, unheld

Said = list[tuple[str, Callable[[], Any]]]


def percent(share: float) -> str:
    return f"{100 * share:g} %"


def margins() -> tuple[float, float]:
    """Return the default margins of PESQ-WB and STOI with two digits."""
    table = tomllib.loads(read("codecbench/analysis/margins.toml"))["gate"]
    return tuple(float(f"{table[name]['margin']:.2g}") for name in ("pesq-wb", "stoi"))


def gates() -> list[dict[str, str]]:
    with (ROOT / "docs" / "measured" / "gate-example.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def sizes() -> list[str]:
    return list(dict.fromkeys(row["utterances"] for row in gates()))


def caught(size: str) -> str:
    """Return the smallest noise that is called worse in nearly every sample of a size."""
    noise = [row for row in gates() if row["kind"] == "noise" and row["utterances"] == size]
    return min((row["value"] for row in noise if int(row["caught_percent"]) >= 95), key=float)


def looked_at(metrics: int) -> str:
    """Return the looks at 134 utterances with so many metrics and both speeds."""
    *first, last = (look.utterances for look in sequential.looks(134, metrics + 2))
    return f"{', '.join(map(str, first))} and {last} utterances of 134"


REGRESSION: Said = [
    ("the {:g} % interval of the mean paired difference lies inside the margin (two one-sided tests of {})",
     lambda: (100 * (1 - 2 * verdicts.ALPHA), percent(verdicts.ALPHA))),
    ("one-sided, p at most {:g} after", lambda: verdicts.ALPHA),
    ("any check of the whole gate is called worse in at most {} of cases", lambda: percent(verdicts.ALPHA)),
    ("It is 0 where there are too few speakers", tuple),
    ("(1000 gates a setting in its slow part)", tuple),
    *((f"{words} | {{}} {more} |", lambda name=name: percent(LIMITS[name])) for name, words, more in (
        ("payload_kbps", "bytes of coded speech over time", "more"),
        ("entropy_kbps", "the third rate: code length of the tokens on new speakers", "more"),
        ("codes_used", "codes of a stream that occur at all, the mean over streams", "fewer"),
        ("peak_memory_mb", "a fresh process that opens the codec and codes the longest utterance", "more"),
        ("rtf_encode", "new time over old, geometric mean over utterances, with its interval", "more"),
    )),
    ("log2(1/0.95) = {:.2f} bit a token", lambda: math.log2(1 / (1 - LIMITS["codes_used"]))),
    ("| the codec's own delay | {:g} ms more |", lambda: LIMITS["delay_ms"]),
    ("stops with exit status 2 instead", tuple),
    ("{} with eight metrics and speed at one point", lambda: looked_at(8)),
    ("{} are spent in equal shares: of five looks each is judged at {}, with intervals of {}", lambda: (
        percent(verdicts.ALPHA), percent(verdicts.ALPHA / sequential.MOST_LOOKS),
        percent(1 - 2 * verdicts.ALPHA / sequential.MOST_LOOKS))),
    ("looks of {} each", lambda: percent(verdicts.ALPHA)),
    ("between 12 and 24 kbit/s when its rate falls by 10 %", tuple),
    ("{:g} PESQ-WB, {:g} STOI", margins),
    ("the shipped `spc` at 7.5 kbit/s", tuple),
    ("on {} test utterances of 35 speakers", lambda: sizes()[-1]),
    ("The gains are those on all {}", lambda: sizes()[-1]),
    ("how many of {} samples of that size", lambda: gates()[0]["draws"]),
    ("is {} % with {} utterances, {} % with {} and {} % with {}.", lambda: tuple(
        word for size in sizes() for word in (caught(size), size))),
    ("Noise of {} % costs about one margin", lambda: caught(sizes()[1])),
    ("What costs less than a margin (3 %, and", tuple),
    ("that {} utterances show to lie inside the margins", lambda: sizes()[-1]),
    ("| 0 | pass: nothing is worse |", tuple),
    ("| 1 | regression: at least one check is worse |", tuple),
    ("| 2 | usage or data error: nothing was decided |", tuple),
    ("| 3 | under", tuple),
]  # fmt: skip


LISTENING: Said = [
    ("the one nearest to {:g} kbit/s", lambda: TYPICAL_KBPS),
    ("**Clips** are {:g} to {:g} seconds long", lambda: (clips.SHORTEST_S, clips.LONGEST_S)),
    ("(ITU-R BS.1770)", tuple),
    ("over {:g} LU away", lambda: clips.MOST_GAIN_DB),
    ("low-passed at {:g} and {:g} kHz", lambda: tuple(hz / 1000 for hz in clips.ANCHORS_HZ)),
    ("Kept speech has a rate of {:g} kHz, in which an anchor at {:g} kHz", lambda: (
        LAG_HZ / 1000, clips.ANCHORS_HZ[1] / 1000)),
    ("with HTTP status 500", tuple),
    ("(BS.1534-3, 4.1.2)", tuple),
    ("the hidden reference below {:g} in more than {} of the trials", lambda: (
        screening.HIGH_SCORE, percent(screening.MOST_SHARE))),
    ("the mid-range anchor above {:g} in more than {} of them", lambda: (
        screening.HIGH_SCORE, percent(screening.MOST_SHARE))),
    ("in more than {} of their trials no slider", lambda: percent(screening.MOST_SHARE)),
]  # fmt: skip


def reference_size() -> int:
    """Return the utterances of every point of the reference results."""
    return size_of("test")


def size_of(name: str) -> int:
    """Return the utterances of every point of a set's results."""
    files = [json.loads(path.read_text()) for path in (ROOT / "results" / name).glob("*.json")]
    (size,) = {point["n"] for file in files for point in file["points"]}
    return size


CLUSTER: Said = [
    ("`--batch 16` hands up to 16 utterances", tuple),
    # With what the examples of clusters were tried; tests/docs/test_cluster_examples.py tries them again.
    ("of dask-jobqueue 0.9.0 with", tuple),
    ("(asyncssh 2.24)", tuple),
    ("of the operator (2026.3.0)", tuple),
    ("Slurm, {} parts", lambda: read("docs/cluster.md").partition("--array=1-")[2].partition("\n")[0]),
    ("with a line every {:g} s", lambda: cluster.SAY_S),
    ("the run waits {:g} s for one", lambda: cluster.LOST_S),
]
PLUGINS: Said = [
    ("ended with the worker, {:g} s after its last cell", lambda: pool._Worker._END_S),
    ("those of `decode` to within {};", lambda: f"{BATCH_TOLERANCE:.0e}".replace("e-0", "e-")),
    ("`ladder(64)` is one point of {:g} kbit/s", lambda: ladder(64)[0].nominal_kbps),
    ("whole numbers from 0; tokens `[streams, steps]` from 0 to 2^{} - 1", lambda: (
        math.floor(math.log2(MAX_TOKEN)) + 1)),
]  # fmt: skip
PAPER: Said = [("in type of {} pt", lambda: style._RC["font.size"])]
CHECKPOINT: Said = [
    ("Exit status 0 is done, 1 an error (with `--strict` anything left out), 2 wrong usage", tuple)
]
CONTRIBUTING: Said = [
    ("(Python 3.11, 3.12 and 3.13 where found)", tuple),
    ("runs them on 100 utterances", tuple),
    ("the level of every 20 ms of what they decode to within 0.1 dB", tuple),
]
RESULTS: Said = [
    ("{} utterances, one a speaker", reference_size),
    ("and {} utterances of the ten speakers", lambda: size_of("librispeech-test-other-part")),
]


PAGES = {
    "docs/regression.md": REGRESSION, "docs/listening.md": LISTENING, "docs/cluster.md": CLUSTER,
    "docs/plugins.md": PLUGINS, "docs/python.md": [], "docs/quickstart-paper.md": PAPER,
    "docs/quickstart-checkpoint.md": CHECKPOINT, "docs/quickstart-tokens.md": [], "ARCHITECTURE.md": [],
    "results/README.md": RESULTS, "CONTRIBUTING.md": CONTRIBUTING,
}  # fmt: skip
EACH = [(page, Told(*said)) for page, every in PAGES.items() for said in every]


@pytest.mark.parametrize(("page", "item"), EACH, ids=[f"{page}: {item.text[:40]}" for page, item in EACH])
def test_what_a_page_says_is_what_the_code_does(page: str, item: Told) -> None:
    assert missing(read(page), item) is None


@pytest.mark.parametrize("page", PAGES)
def test_no_other_figure_stands_on_a_page(page: str) -> None:
    """A block named here wants a row above, or the mark of a record: see CONTRIBUTING.md."""
    assert unheld(read(page), [item for where, item in EACH if where == page]) == []


def test_no_page_is_forgotten() -> None:
    """Each page of docs/ is written whole, or its figures are held here or in test_bitstream_page."""
    elsewhere = {"docs/spc-bitstream.md", "docs/gallery.md"}
    every = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert every - PAGES.keys() - write_docs.pages().keys() == elsewhere


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CONTRIBUTING.md"])
def test_each_record_names_its_command(page: str) -> None:
    assert [
        block
        for block in records(read(page))
        if "`python scripts/" not in block and "`codecbench run" not in block
    ] == []
