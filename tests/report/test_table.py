"""The paper's table and its three languages."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from codecbench.analysis import comparisons, runs
from codecbench.analysis.best import BEST, SECOND
from codecbench.analysis.paired import holm
from codecbench.analysis.summary import summary
from codecbench.report.selection import scores_of, tokens_of
from codecbench.report.table import MISSING, PaperTable, fixed, paper_table
from codecbench.report.table_formats import csv, escape_markdown, markdown
from codecbench.store.store import Run, load_run

METRICS = ["stoi", "estoi", "pesq-wb", "pesq-nb", "mcd", "visqol", "si-sdr", "mel-distance"]


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return runs.load_runs([run_folder], ["spc"])


@pytest.fixture(scope="module")
def table(run: Run) -> pd.DataFrame:
    return summary(run)


@pytest.fixture(scope="module")
def paper(run: Run, table: pd.DataFrame) -> PaperTable:
    return paper_table(run, table)


def test_ground_truth_comes_first_and_a_band_is_in_the_order_of_rates(paper: PaperTable) -> None:
    assert paper.sections[0].label == "ground truth"
    assert [row.codec for row in paper.sections[0].rows] == ["pcm"]
    for section in paper.sections[1:]:
        rates = [float(row.entries["payload_kbps"].value) for row in section.rows]
        assert rates == sorted(rates)
    assert [row.label for section in paper.sections for row in section.rows if row.own] == ["spc@7.5"]


def test_rows_stand_in_the_band_of_their_rate(paper: PaperTable) -> None:
    for section, band in zip(paper.sections[1:], runs.BANDS, strict=True):
        assert section.label == band.label
        for row in section.rows:
            assert band.low_kbps <= float(row.entries["payload_kbps"].value) * 1.1 < band.high_kbps * 1.1
    (eight,) = [part for part in paper.sections if any(row.label == "opus@8" for row in part.rows)]
    assert "amr-nb@7.95" in [row.label for row in eight.rows]


@pytest.fixture(scope="module")
def pairs(run: Run) -> pd.DataFrame:
    return comparisons.pairs(run)


@pytest.mark.parametrize("metric", METRICS)
def test_what_does_not_differ_from_the_best_of_a_band_is_marked_with_it(
    paper: PaperTable, pairs: pd.DataFrame, metric: str
) -> None:
    column = next(column for column in paper.columns if column.key == metric)
    of_metric = pairs[pairs["metric"] == metric]
    tested = {
        frozenset((a, b)): p
        for a, b, p in zip(of_metric["a"], of_metric["b"], of_metric["p_value"], strict=True)
    }
    marked = set()
    for section in paper.sections[1:]:
        means = {row.label: float(row.entries[metric].value) for row in section.rows}
        ranks = {row.label: row.entries[metric].rank for row in section.rows}
        others = len(means) - 1
        # Eight speakers: no p-value is below 1/128, so a band of more than seven shows nothing.
        if len({row.codec for row in section.rows}) < 2 or others / 128 > 0.05:
            assert set(ranks.values()) == {0}
            continue
        best = sorted(means, key=lambda label: means[label])[-1 if column.higher_is_better else 0]
        rest = [label for label in means if label != best]
        p_values = holm([tested[frozenset((best, label))] for label in rest])
        alike = {label for label, p in zip(rest, p_values, strict=True) if p > 0.05}
        assert {label for label, rank in ranks.items() if rank == BEST} == {best, *alike}
        assert sum(rank == SECOND for rank in ranks.values()) >= (len(alike) < len(rest))
        marked |= set(ranks.values())
    assert {BEST, SECOND} <= marked
    assert all(row.entries[metric].rank == 0 for row in paper.sections[0].rows)


def test_a_waveform_metric_is_not_printed_for_a_vocoder(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "a", utterances=8, audio=0, codecs=("opus", "spc"), points=1)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["codecs"]["spc"]["info"]["keeps_waveform"] = False
    manifest["metrics"]["si-sdr"]["compares_waveforms"] = True
    manifest["codecs"]["opus"]["points"][0]["frame_rate_hz"] = 1000 / 60
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = load_run(folder)
    made = paper_table(run, summary(run))
    rows = {row.codec: row.entries for section in made.sections for row in section.rows}
    assert rows["spc"]["si-sdr"].text == MISSING and rows["opus"]["si-sdr"].text != MISSING
    assert f"{MISSING} (" not in markdown(made), "no interval where no score is printed"
    assert rows["spc"]["stoi"].text != MISSING
    assert "SI-SDR: not for vocoders" in markdown(made)
    assert pd.read_csv(io.StringIO(csv(made))).set_index("codec").loc["spc@7.5", "si-sdr"] > -99
    # The frames belong to the point.
    assert [rows[codec]["frame_rate_hz"].text for codec in ("opus", "spc")] == ["16.7", "50"]


def test_facts_of_tokens_stand_apart(paper: PaperTable) -> None:
    tokens = tokens_of(paper)
    assert tokens is not None
    shown = {row.codec for section in tokens.sections for row in section.rows}
    assert shown == {"lyra", "encodec", "rvq", "spc"}
    assert [column.key for column in tokens.columns] == [
        "codec", "payload_kbps", "frame_rate_hz", "tokens_s", "bits_token", "ngram_bits", "codebooks",
        "codes_used", "perplexity", "entropy_kbps", "causal", "parameters_m",
    ]  # fmt: skip
    scores = scores_of(paper)
    assert not {"tokens_s", "entropy_kbps", "causal"} & {column.key for column in scores.columns}
    assert {column.key for column in (*scores.columns, *tokens.columns)} == {
        column.key for column in paper.columns
    }


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.005, 2, "1.00"), (-0.001, 2, "0.00"), (math.nan, 2, MISSING), (-1.5, 1, "-1.5")],
)
def test_numbers_are_printed_plainly(value: float, digits: int, text: str) -> None:
    assert fixed(value, digits) == text


def test_markdown_has_a_table_a_band_and_tells_short_counts(paper: PaperTable) -> None:
    text = markdown(paper)
    assert text.count("### ") == len(paper.sections)
    assert "STOI ↑" in text
    assert "MCD (dB) ↓" in text
    assert "19 cells failed." in text
    assert re.search(r"\| opus@6† \| .* \| 2\.15 \(2\.01–2\.31\) \|", text)
    assert "† over fewer utterances (21 at least)." in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(paper.columns) - 1}


def test_csv_keeps_full_numbers(paper: PaperTable, table: pd.DataFrame) -> None:
    read = pd.read_csv(io.StringIO(csv(paper)))
    assert len(read) == len(table)
    opus = read[read["codec"] == "opus@6"].iloc[0]
    wanted = table[(table["codec"] == "opus") & (table["point"] == "6")].iloc[0]
    assert opus["stoi"] == pytest.approx(wanted["stoi"], rel=1e-12)
    assert opus["stoi_low"] == pytest.approx(wanted["stoi_low"], rel=1e-12)


def test_names_are_escaped() -> None:
    assert escape_markdown("a|b <script> *x*\ny") == r"a\|b &lt;script&gt; \*x\* y"


def test_a_run_without_any_result_still_has_its_rows(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=0, codecs=("pcm", "opus"))
    (folder / "records.jsonl").write_text("")
    run = load_run(folder)
    rows = summary(run)
    assert list(rows["n"]) == [0] * 6
    assert rows["stoi"].isna().all()
    assert paper_table(run, rows).sections[-1].label == "no utterance decoded"
