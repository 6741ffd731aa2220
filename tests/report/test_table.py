"""The summary, the paper's table and its three languages."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codecbench.analysis import runs
from codecbench.analysis.entropy import entropy_bits, entropy_kbps
from codecbench.analysis.summary import COLUMNS, summary
from codecbench.errors import InvalidInput
from codecbench.report.table import BEST, MISSING, SECOND, PaperTable, fixed, paper_table
from codecbench.report.table_formats import csv, escape_latex, escape_markdown, latex, markdown
from codecbench.store.store import Run, load_run

METRICS = ["stoi", "estoi", "pesq-wb", "pesq-nb", "mcd", "visqol", "si-sdr", "mel-distance"]


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return runs.load_runs([run_folder])


@pytest.fixture(scope="module")
def table(run: Run) -> pd.DataFrame:
    return summary(run)


@pytest.fixture(scope="module")
def paper(run: Run, table: pd.DataFrame) -> PaperTable:
    return paper_table(run, table)


def test_the_columns_are_those_that_scripts_rely_on(table: pd.DataFrame) -> None:
    assert list(COLUMNS) == [
        "codec", "point", "nominal_kbps", "payload_kbps", "entropy_kbps", "n", "failures", "lag_ms",
        "delay_ms", "rtf_encode", "rtf_decode",
    ]  # fmt: skip
    wanted = [f"{metric}{part}" for metric in METRICS for part in ("", "_low", "_high", "_n")]
    assert list(table.columns) == [*COLUMNS, *wanted]
    assert len(table) == 25


def test_means_counts_and_rates_are_those_of_the_records(run: Run, table: pd.DataFrame) -> None:
    row = table[(table["codec"] == "opus") & (table["point"] == "6")].iloc[0]
    records = run.records[(run.records["codec"] == "opus") & (run.records["point"] == "6")]
    decoded = records[records["status"] == "ok"]
    assert row["n"] == len(decoded) < len(records)
    assert row["failures"] == len(records) - len(decoded) > 0
    assert row["payload_kbps"] == decoded["payload_bytes"].sum() * 8 / decoded["seconds"].sum() / 1000
    assert row["stoi"] == decoded["stoi"].mean()
    assert row["visqol_n"] == decoded["visqol"].notna().sum() < row["n"]
    assert row["visqol"] == pytest.approx(decoded["visqol"].mean())
    assert row["stoi_low"] < row["stoi"] < row["stoi_high"]
    assert row["rtf_encode"] == pytest.approx(0.01)
    assert math.isnan(row["entropy_kbps"])


def test_the_interval_resamples_speakers(run: Run, table: pd.DataFrame) -> None:
    from codecbench.analysis.bootstrap import bootstrap_mean

    records = run.records[(run.records["codec"] == "lyra") & (run.records["point"] == "6")]
    expected = bootstrap_mean(records["stoi"], records["speaker"].to_numpy(dtype=str), bounds=(-1, 1))
    row = table[(table["codec"] == "lyra") & (table["point"] == "6")].iloc[0]
    assert (row["stoi"], row["stoi_low"], row["stoi_high"]) == tuple(expected)


def test_entropy_of_known_tokens() -> None:
    fair = np.array([[0, 1, 0, 1], [0, 1, 2, 3]])
    assert entropy_bits(fair[0]) == 1.0
    assert entropy_bits(fair[1]) == 2.0
    assert entropy_bits(np.array([7, 7])) == 0.0
    assert entropy_bits(np.array([], dtype=np.int64)) == 0.0
    # Two utterances, 2 s together: (8 tokens * 1 bit + 8 tokens * 2 bit) / 2 s = 12 bit/s.
    assert entropy_kbps([fair, fair], 2.0) == pytest.approx(0.012)
    assert math.isnan(entropy_kbps([], 1.0))


def test_entropy_stays_below_the_payload_of_a_fixed_length_code(table: pd.DataFrame) -> None:
    coded = table[table["entropy_kbps"].notna()]
    assert set(coded["codec"]) == {"lyra", "encodec", "rvq", "spc"}
    # Four streams of 50 tokens/s over 256 values can carry 1.6 kbit/s at most.
    assert (coded["entropy_kbps"] < 1.6).all()
    assert (coded["entropy_kbps"] > 1.0).all()


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
    assert re.search(r"opus@6: ViSQOL \d+ of \d+", text)
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(paper.columns) - 1}


def test_csv_keeps_full_numbers(paper: PaperTable, table: pd.DataFrame) -> None:
    read = pd.read_csv(io.StringIO(csv(paper)))
    assert len(read) == len(table)
    opus = read[read["codec"] == "opus@6"].iloc[0]
    wanted = table[(table["codec"] == "opus") & (table["point"] == "6")].iloc[0]
    assert opus["stoi"] == pytest.approx(wanted["stoi"], rel=1e-12)
    assert opus["stoi_low"] == pytest.approx(wanted["stoi_low"], rel=1e-12)


def test_latex_is_balanced_and_uses_booktabs(paper: PaperTable) -> None:
    text = latex(paper)
    assert text.count("{") == text.count("}")
    for rule in (r"\toprule", r"\bottomrule"):
        assert text.count(rule) == 1
    assert text.count(r"\midrule") == len(paper.sections)
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(paper.columns) - 1}
    assert r"\textbf{" in text
    assert r"\underline{" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(paper: PaperTable, tmp_path: Path) -> None:
    packages = r"\usepackage{booktabs,graphicx}\usepackage[T1]{fontenc}"
    head = rf"\documentclass[twocolumn]{{article}}{packages}\begin{{document}}"
    (tmp_path / "t.tex").write_text(f"{head}\n{latex(paper)}\n\\end{{document}}\n", encoding="utf-8")
    subprocess.run(
        ["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, timeout=60, capture_output=True
    )


def test_names_are_escaped() -> None:
    assert escape_latex("a_b & 50% #{x} ~^\\") == (
        r"a\_b \& 50\% \#\{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert escape_markdown("a|b <script> *x*\ny") == r"a\|b &lt;script&gt; \*x\* y"


def test_runs_merge_and_the_later_record_counts(make_run: Callable[..., Path], tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", utterances=6, audio=1, codecs=("pcm", "opus"))
    second = make_run(tmp_path / "b", utterances=6, audio=0, codecs=("pcm", "spc"))
    merged = runs.load_runs([first, second])
    assert list(merged.manifest["codecs"]) == ["pcm", "opus", "spc"]
    assert len(merged.records) == 6 * (1 + 5 + 1)
    assert merged.manifest["utterances"][0]["audio"] is not None
    assert len(summary(merged)) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["metrics"]["stoi"].update(signature="stoi|v:2"), "metric 'stoi' has the signatures"),
        (lambda m: m["codecs"]["opus"].update(signature="opus|v:2"), "codec 'opus' has the signatures"),
        (lambda m: m["dataset"].update(revision="cd" * 32), "different speech"),
        (lambda m: m["utterances"].pop(), "different samples"),
    ],
)
def test_runs_that_do_not_compare_are_refused(
    change: Callable[[dict[str, object]], object], message: str, make_run: Callable[..., Path], tmp_path: Path
) -> None:
    folders = [make_run(tmp_path / name, utterances=4, audio=0, codecs=("pcm", "opus")) for name in "ab"]
    manifest = json.loads((folders[1] / "manifest.json").read_text())
    change(manifest)
    (folders[1] / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InvalidInput, match=message) as caught:
        runs.load_runs(folders)
    assert "\n" not in str(caught.value)


def test_audio_outside_the_run_is_not_taken(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=1, codecs=("pcm", "opus"))
    (tmp_path / "secret.flac").write_bytes(b"x")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["utterances"][0]["audio"] = "../secret.flac"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert runs.load_runs([folder]).manifest["utterances"][0]["audio"] is None


def test_a_run_without_any_result_still_has_its_rows(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=0, codecs=("pcm", "opus"))
    (folder / "records.jsonl").write_text("")
    run = load_run(folder)
    rows = summary(run)
    assert list(rows["n"]) == [0] * 6
    assert rows["stoi"].isna().all()
    assert paper_table(run, rows).sections[-1].label == "no utterance decoded"
