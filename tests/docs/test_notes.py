"""Figures of what is said of metrics and judges: scripts/metrics_notes.md and scripts/judges_notes.md."""

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
from house import ROOT
from told import Told, missing, read, records, unheld

METRICS, JUDGES = "scripts/metrics_notes.md", "scripts/judges_notes.md"
Said = list[tuple[str, Callable[[], Any]]]


@cache
def judged() -> pd.DataFrame:
    """Return docs/measured/judged-codecs.csv by ``codec@point``, the recording as ``pcm``."""
    table = pd.read_csv(ROOT / "docs" / "measured" / "judged-codecs.csv", dtype={"point": str})
    return table.set_index((table["codec"] + "@" + table["point"]).replace("pcm@256", "pcm"))


@cache
def ranks() -> pd.DataFrame:
    """Return Spearman's correlation of the metrics over the codecs and rates, the recording left out."""
    scores = judged().drop("pcm")
    names = [name.removesuffix("_n") for name in scores if name.endswith("_n")]
    return scores[names].rank().corr()


def wrong(point: str) -> int:
    """Return the words of 153 that the recogniser gets wrong in a codec's speech."""
    return round(judged()["dwer"][point] * 153 / 100)


def anchors(name: str) -> float:
    table = pd.read_csv(ROOT / "docs" / "measured" / "judges.csv").set_index(["what", "name"])
    return float(table["mean"][("speaker-similarity", name)])


def lowest(metric: str) -> float:
    return float(judged().drop("pcm")[metric].min())


SAID_OF_JUDGES: Said = [
    ("Of 153 words spc gets {} wrong at either rate, rvq {}, Opus {}, Lyra {} at 6 kbit/s and {} at 3.2, "
     "Codec2 {}.", lambda: tuple(wrong(point) for point in (
        "spc@7.5", "rvq@7.5", "opus@8", "lyra@6", "lyra@3.2", "codec2@3.2"))),
    ("reach nearly to 0 and past 7 %: nothing is settled between spc, rvq, Opus and Lyra at 6 kbit/s", tuple),
    ("OVRL lies between {:.2f} (Codec2) and {:.2f}, the recording itself at {:.2f}", lambda: (
        judged()["dnsmos"]["codec2@3.2"], judged().drop("pcm")["dnsmos"].max(), judged()["dnsmos"]["pcm"])),
    ("the band above 4 kHz that Opus and Codec2 cut off", tuple),
    ("{:.2f} for spc at 7.5, {:.2f} at 3.75, against {:.2f} for the recording", lambda: tuple(
        judged()["plcmos"][["spc@7.5", "spc@3.75", "pcm"]])),
    ("sets Codec2 ({:.3f}) and Opus at 8 kbit/s ({:.3f}) apart from spc and rvq ({:.3f} and above)", lambda: (
        *judged()["speaker-similarity"][["codec2@3.2", "opus@8"]],
        judged()["speaker-similarity"][["spc@7.5", "spc@3.75", "rvq@7.5", "rvq@3.75"]].min())),
    ("reach {:.3f} on average, another speaker's {:.3f}", lambda: (
        anchors("same speaker, other utterance"), anchors("other speaker"))),
    ("PLCMOS nearly the same ({:.2f}); STOI, ESTOI and PESQ-WB give another ({:.2f} to the first)", lambda: (
        ranks()["plcmos"]["visqol"], ranks()["stoi"]["visqol"])),
    ("DNSMOS SIG ({:.2f}) and OVRL ({:.2f})", lambda: tuple(-ranks()["dwer"][["dnsmos-sig", "dnsmos"]])),
    ("({:.2f} to ViSQOL)", lambda: ranks()["dnsmos-bak"]["visqol"]),
    ("most pairs correlate below 0.5", tuple),
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
PAGES = {METRICS: SAID_OF_METRICS, JUDGES: SAID_OF_JUDGES}
EACH = [(page, Told(*said)) for page, every in PAGES.items() for said in every]


@pytest.mark.parametrize(("page", "item"), EACH, ids=[f"{page[8:]}: {item.text[:40]}" for page, item in EACH])
def test_what_is_said_is_what_code_and_data_have(page: str, item: Told) -> None:
    assert missing(read(page), item) is None


@pytest.mark.parametrize("page", PAGES)
def test_no_other_figure_stands_in_the_notes(page: str) -> None:
    assert unheld(read(page), [item for where, item in EACH if where == page]) == []


def test_each_record_names_its_command() -> None:
    assert all("`codecbench" in block or "`python" in block for block in records(read(METRICS)))


def test_the_word_errors_of_few_words_settle_nothing() -> None:
    close = judged().drop(["pcm", "lyra@3.2", "codec2@3.2"])
    assert (close["dwer_low"] < 1).all()
    assert (close["dwer_high"] > 7).all()


def test_metrics_that_are_said_to_give_one_order_do() -> None:
    first = ["visqol", "mcd", "mel-distance", "speaker-similarity"]
    assert np.abs(ranks().loc[first, first].to_numpy()).min() == pytest.approx(1)
    assert ranks().loc[["stoi", "estoi", "pesq-wb"], "visqol"].nunique() == 1
