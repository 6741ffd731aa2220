"""The paper's table and its three languages."""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from codecbench.analysis import runs
from codecbench.analysis.summary import summary
from codecbench.report.latex_text import SIGN, SIGN_MEANS
from codecbench.report.table import BEST, MISSING, SECOND, PaperTable, Section, fixed, paper_table
from codecbench.report.table_formats import csv, escape_latex, escape_markdown, latex, markdown
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


NAMES = (
    "[0.5ex]x", "*", "-a--b", 'say "hi"', "αβγ ΩΛ ς", "中文", "x\x1b[31m\x07y", "naïve café Łódź Þ",
    "#1 50% a_b^c~ \\$&{}",
    "\U0001f600", "<|>", "µ ° ± ≤ →", "e\u0301 q\u0301", "\ud800",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("font", [r"\usepackage[T1]{fontenc}", ""])
def test_latex_compiles_whatever_the_names(paper: PaperTable, tmp_path: Path, font: str) -> None:
    rows = paper.sections[1].rows
    named = [
        replace(rows[0], entries={**rows[0].entries, "codec": replace(rows[0].entries["codec"], text=name)})
        for name in NAMES
    ]
    columns = tuple(
        replace(column, unit=NAMES[number % len(NAMES)]) for number, column in enumerate(paper.columns)
    )
    odd = replace(paper, columns=columns, sections=(*paper.sections, Section(NAMES[4], tuple(named))))
    plain = r"\let\toprule\hline\let\midrule\hline\let\bottomrule\hline"
    packages = (
        rf"\IfFileExists{{booktabs.sty}}{{\usepackage{{booktabs}}}}{{{plain}}}\usepackage{{graphicx}}{font}"
    )
    head = rf"\documentclass[twocolumn]{{article}}{packages}\begin{{document}}"
    (tmp_path / "t.tex").write_text(f"{head}\n{latex(odd)}\n\\end{{document}}\n", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, timeout=60, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x]", "{[}x{]}"), ("α", r"$\alpha$"), ("Λ", r"$\Lambda$"), ("é", r"\'{e}"), ("ï", r'\"{\i}'),
        ("a--b", "a-{}-b"), ('"', "''"), ("中", SIGN), ("\x07", SIGN), ("\ud800", SIGN), ("Þ", SIGN),
    ],
)  # fmt: skip
def test_latex_says_what_it_cannot_print(text: str, expected: str) -> None:
    assert escape_latex(text) == expected


def test_the_sign_is_explained_where_it_stands(paper: PaperTable) -> None:
    assert SIGN not in latex(paper)
    columns = (*paper.columns[:-1], replace(paper.columns[-1], unit="中"))
    assert SIGN_MEANS in latex(replace(paper, columns=columns))


def test_names_are_escaped() -> None:
    assert escape_latex("a_b & 50% #{x} ~^\\") == (
        r"a\_b \& 50\% \#\{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert escape_markdown("a|b <script> *x*\ny") == r"a\|b &lt;script&gt; \*x\* y"


def test_a_run_without_any_result_still_has_its_rows(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=0, codecs=("pcm", "opus"))
    (folder / "records.jsonl").write_text("")
    run = load_run(folder)
    rows = summary(run)
    assert list(rows["n"]) == [0] * 6
    assert rows["stoi"].isna().all()
    assert paper_table(run, rows).sections[-1].label == "no utterance decoded"
