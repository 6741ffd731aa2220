"""The paper's table and its three languages."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from codecbench.analysis import runs
from codecbench.analysis.summary import summary
from codecbench.report.table import BEST, MISSING, SECOND, PaperTable, fixed, paper_table
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


def test_ground_truth_comes_first_and_the_own_model_last(paper: PaperTable) -> None:
    assert paper.sections[0].label == "ground truth"
    assert [row.codec for row in paper.sections[0].rows] == ["pcm"]
    for section in paper.sections[1:]:
        assert [row.own for row in section.rows] == sorted(row.own for row in section.rows)
    band = next(section for section in paper.sections if section.label.startswith("4"))
    assert band.rows[-1].label == "spc@7.5"


def test_rows_stand_in_the_band_of_their_measured_rate(paper: PaperTable) -> None:
    for section, band in zip(paper.sections[1:], runs.BANDS, strict=True):
        assert section.label == band.label
        for row in section.rows:
            assert band.holds(float(row.entries["payload_kbps"].value))


@pytest.mark.parametrize("metric", METRICS)
def test_best_and_second_of_each_band_are_marked_by_what_is_printed(paper: PaperTable, metric: str) -> None:
    column = next(column for column in paper.columns if column.key == metric)
    for section in paper.sections[1:]:
        printed = {row.label: float(row.entries[metric].text) for row in section.rows}
        if len(printed) < 2:
            assert all(row.entries[metric].rank == 0 for row in section.rows)
            continue
        levels = sorted(set(printed.values()), reverse=bool(column.higher_is_better))
        for row in section.rows:
            wanted = {levels[0]: BEST, levels[1]: SECOND}.get(printed[row.label], 0)
            assert row.entries[metric].rank == wanted
    assert all(row.entries[metric].rank == 0 for row in paper.sections[0].rows)


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
    assert "† over fewer than the 24 utterances (21 at least)." in text
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
