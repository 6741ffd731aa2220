"""Figures of the notes that generated pages are made with: scripts/*_notes.md."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codecbench import alignment, audio, correlation
from codecbench.analysis import bd, curves, entropy, ngram
from codecbench.metric import level_dbfs
from codecbench.metrics.pesq import PesqNarrowband
from codecbench.metrics.visqol import Visqol, VisqolPolynomial
from codecbench.metrics.whisper import BASE, MEDIUM, SMALL
from codecbench.run.scoring import LAG_HZ
from codecbench_spc.model import header
from docs_of_reference import QUOTED, SIGNIFICANT, summary, thesis
from house import ROOT
from told import Told, missing, read, records, unheld

METRICS, JUDGES = "scripts/metrics_notes.md", "scripts/judges_notes.md"
Said = list[tuple[str, Callable[[], Any]]]


def anchors(name: str) -> float:
    table = pd.read_csv(ROOT / "docs" / "measured" / "judges.csv").set_index(["what", "name"])
    return float(table["mean"][("speaker-similarity", name)])


def sample() -> tuple[int, int]:
    """Return the utterances and speakers of the reference run."""
    row = thesis("consistency")["stoi", "7.5"]
    return row["n"], row["speakers"]


def rates() -> tuple[float, float]:
    """Return the rates of the codecs that the correlations are over, in kbit/s."""
    kbps = [row["payload_kbps"] for label, row in summary().items() if label != "pcm@256"]
    return round(min(kbps), 1), round(max(kbps))


SAID_OF_JUDGES: Said = [
    ("What the judges say at 3 to 8 kbit/s", tuple),
    ("{} utterances of LibriSpeech and LibriTTS by {} speakers", sample),
    ("does not miss the band above 4 kHz that Opus and Codec2 cut off", tuple),
    ("reach {:.3f} on average, another speaker's {:.3f}", lambda: (
        anchors("same speaker, other utterance"), anchors("other speaker"))),
    ("from {:g} to {:g} kbit/s, rank correlations", rates),
]  # fmt: skip


@cache
def conformance_pair() -> list[Any]:
    """Return the waves of Google's pair CA01, reference first, at ViSQOL's rate."""
    folder = ROOT / "tests" / "metrics" / "ca01"
    return [
        audio.resample(*audio.load(folder / name), Visqol.sample_rate_hz)
        for name in ("CA01_01.flac", "transcoded_CA01_01.flac")
    ]


def own_level() -> float:
    return level_dbfs(conformance_pair()[0])


def by_level(metric: Visqol) -> tuple[float, ...]:
    """Return the pair's scores with its reference at each level of the table."""
    levels = (-46, -36, own_level(), -26, -20, -16)
    gains = [np.float32(10 ** ((level - own_level()) / 20)) for level in levels]
    return tuple(metric(*(gain * wave for wave in conformance_pair())) for gain in gains)


SAID_OF_METRICS: Said = [
    ("at {:g} kHz, over all lags for which half a second overlaps", lambda: (
        LAG_HZ / 1000 if alignment.LEAST_OVERLAP_S == 0.5 else ())),
    ("(|R|² |D|²)^{:g} smoothed over {:g} Hz", lambda: (correlation.WHITENING / 2, correlation.SMOOTHING_HZ)),
    ("{:g} times as high as any other {:g} ms away, or {:g} times and no", lambda: (
        alignment.DECISIVE, correlation.MAIN_LOBE_MS, alignment.PLAUSIBLE)),
    ("the levels of {:g} Hz wide bands, their modulations between {:g} and {:g} Hz, where that peak "
     "correlates {:g} and is {:g} times the next; less than {:g} ms counts as 0 there", lambda: (
        2 * correlation._BAND_SPACING_HZ, *correlation._MODULATION_HZ,
        alignment.ENVELOPE_VALUE, alignment.ENVELOPE_RATIO, alignment.RESOLUTION_MS)),
    ("A lag of 0 is kept where it correlates within {:.0f} % of the best", lambda: (
        100 - 100 * alignment.NEAR_ZERO)),
    ("(Krichevsky and Trofimov, 1981)", tuple),
    ("-log2 ((c(x) + 1/2) / (n + K/2)) bits", lambda: () if entropy.PRIOR == 0.5 else entropy.PRIOR),
    ("at most log2 n, so that 12-bit uniform tokens seem to need under 12 bits until there are many times {}",
     lambda: 1 << 12),
    ("(K - 1) / (2 n ln 2) bit a token more than the true one. At n = {} K that is {:.2f} bit", lambda: (
        entropy.TOKENS_PER_SYMBOL, 1 / (2 * entropy.TOKENS_PER_SYMBOL * math.log(2)))),
    ("ceil(log2 K) bits", tuple),
    ("of strength {:g}, {:g}, {:g} or {:g}", lambda: ngram.STRENGTHS),
    ("those of 0.2.0 before this choice", tuple),
    ("These are scores at {:g} kHz, to which the pair was resampled", lambda: Visqol.sample_rate_hz / 1000),
    ("| level of the reference, dBFS | -46 | -36 | {:.1f} (as it is) | -26 | -20 | -16 |", own_level),
    ("| `visqol` (lattice) | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |", lambda: by_level(
        Visqol())),
    ("| `visqol-poly` | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |", lambda: by_level(
        VisqolPolynomial())),
    # tests/metrics/test_visqol.py holds these.
    (": 3.3166 and 3.3726. At its own 48 kHz the engine gives 3.3129 and 3.3745, the values of C++ "
     "ViSQOL 3.3.3. Every resampler that keeps speech up to 8 kHz gives 3.3166 to 3.3168 and 3.3726 to "
     "3.3729:", tuple),
    ("through the class at 48 kHz the values of C++", tuple),
    ("takes {:g} kHz speech, which its model resamples to {:g} kHz", lambda: (
        PesqNarrowband.sample_rate_hz / 1000, 8)),
    ("Resampled to 8 kHz beforehand", tuple),
    ("Clips over {:g} s are", lambda: PesqNarrowband().max_seconds),
    ("the C code holds 50 utterances at most", tuple),
    ("(sum n)² / sum n² says", tuple),
    ("under {:.0f} % the delta is refused, under {:.0f} % it is marked. A point at 0 kbit/s", lambda: (
        100 * curves.LEAST_OVERLAP, 100 * bd.LITTLE_OVERLAP)),
    ("so 0 is what the recording itself gets", tuple),
    ("({:.0f} MB; small.en {:.0f} MB, medium.en {:.1f} GB)", lambda: (
        BASE.source.size / 1e6, SMALL.source.size / 1e6, MEDIUM.source.size / 1e9)),
    ("codecs at 3 to 8 kbit/s", tuple),
    # What others have published; tests/metrics/test_published.py compares.
    ("VERSA has had 3.160, 3.165 and 3.197 for one recording, so .03 to .05 are allowed", tuple),
]  # fmt: skip


def sizes(name: str) -> dict[str, Any]:
    """Return the sizes of a shipped VQ-VAE."""
    config: dict[str, Any] = header.describe(header.folder() / f"{name}.safetensors").config["vqvae"]
    return config


SAID_OF_THE_THESIS: Said = [
    ("coded by residual codebooks of {} codes", lambda: sizes("rvq")["book_size"]),
    ("patches of {} bands where hearing is fine and of {} where it is not", lambda: tuple(
        NUMBERS[sizes("spc")["patch_bands"][place][0]] for place in (0, -1))),
    ("(row 4 of [the experiments]", tuple),
    ("a codebook a rate mended that (row 5)", tuple),
    ("(p ≤ {} after Holm's correction", lambda: f"{SIGNIFICANT:.2f}".removeprefix("0")),
]  # fmt: skip
NUMBERS = {2: "two", 4: "four", 6: "six"}
SAID_OF_THE_REFERENCE: Said = [SAID_OF_THE_THESIS[-1]]
PAGES = {
    METRICS: SAID_OF_METRICS,
    JUDGES: SAID_OF_JUDGES,
    "scripts/thesis_notes.md": SAID_OF_THE_THESIS,
    "scripts/reference_notes.md": SAID_OF_THE_REFERENCE,
}
EACH = [(page, Told(*said)) for page, every in PAGES.items() for said in every]


@pytest.mark.parametrize(("page", "item"), EACH, ids=[f"{page[8:]}: {item.text[:40]}" for page, item in EACH])
def test_what_is_said_is_what_code_and_data_have(page: str, item: Told) -> None:
    assert missing(read(page), item) is None


@pytest.mark.parametrize("page", PAGES)
def test_no_other_figure_stands_in_the_notes(page: str) -> None:
    # What is quoted from the reference report is put in by `make docs`.
    text = QUOTED.sub("", read(page))
    assert unheld(text, [item for where, item in EACH if where == page]) == []


def test_each_record_names_its_command() -> None:
    assert all("`codecbench" in block or "`python" in block for block in records(read(METRICS)))
