"""The table of a paper in LaTeX: one column wide, readable, whatever the names."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pylatexenc.latex2text import get_default_latex_context_db
from pylatexenc.latexwalker import LatexWalker, LatexWalkerParseError

from codecbench.analysis import runs
from codecbench.analysis.summary import summary
from codecbench.report.latex_table import latex
from codecbench.report.latex_text import SIGN, SIGN_MEANS, escape
from codecbench.report.selection import narrow, with_columns
from codecbench.report.table import PaperTable, Section, paper_table

PAGE = r"""\documentclass[10pt,twocolumn]{article}
\usepackage{booktabs}%s
\setlength{\textwidth}{516pt}\setlength{\columnsep}{12pt}\setlength{\textheight}{700pt}
\setlength{\topmargin}{-60pt}
\begin{document}
\typeout{TYPE \the\columnwidth}
%s
\end{document}
"""
"""A page with the columns of IEEE journals, 252 pt."""

pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="pdflatex is not installed (Debian: texlive-latex-base and texlive-latex-recommended)",
)


@pytest.fixture(scope="module")
def paper(run_folder: Path) -> PaperTable:
    run = runs.load_runs([run_folder], ["spc"])
    return paper_table(run, summary(run))


def compiled(text: str, folder: Path, packages: str = "") -> str:
    """Compile a table on such a page and return the log."""
    (folder / "t.tex").write_text(PAGE % (packages, text), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "t.tex"], cwd=folder, timeout=60, capture_output=True, check=False
    )
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    return log


LAYOUT = {
    "toprule", "midrule", "bottomrule", "multicolumn", "caption", "label", "centering", "itshape",
    "footnotesize", "scriptsize", "setlength", "tabcolsep", "llap", "rlap", "shortstack",
}  # fmt: skip
"""Macros of booktabs and of layout; those that print something are in the parser's own list."""


def nodes(inside: Any) -> Iterator[Any]:
    """Yield every node below one, in the order of the text."""
    for node in inside or ():
        if node is None:
            continue
        yield node
        arguments = getattr(node, "nodeargd", None)
        yield from nodes(arguments.argnlist if arguments else ())
        yield from nodes(getattr(node, "nodelist", None))


def parsed(text: str) -> list[Any]:
    """Return the nodes of a table as a strict parser reads it: braces, environments, formulae, arguments."""
    return list(nodes(LatexWalker(text, tolerant_parsing=False).get_latex_nodes()[0]))


def test_the_caption_stands_above_and_holds_what_is_the_same_in_every_row(paper: PaperTable) -> None:
    text = latex(narrow(paper))
    assert text.index(r"\caption{") < text.index(r"\begin{tabular}")
    assert "Speech codecs on made-up: mean over 24 utterances by 8 speakers." in text
    assert r"\label{tab:made-up}" in text
    whole = latex(with_columns(paper, ["kbps", "stoi", "n", "failures"]))
    assert r"kbit/s & STOI $\uparrow$ & n & Failed \\" in whole
    even = replace(paper, sections=(Section("ground truth", paper.sections[0].rows),))
    assert r"kbit/s & STOI $\uparrow$ \\" in latex(with_columns(even, ["kbps", "stoi", "n", "failures"]))


def test_the_narrow_table_has_codec_rate_and_four_scores(paper: PaperTable) -> None:
    assert [column.key for column in narrow(paper).columns] == [
        "codec", "payload_kbps", "stoi", "pesq-wb", "mcd", "visqol"
    ]  # fmt: skip
    two = with_columns(paper, ["kbps", "si-sdr", "estoi"])
    assert [column.key for column in narrow(two).columns] == ["codec", "payload_kbps", "estoi", "si-sdr"]


@pytest.mark.parametrize("interval", [False, True])
def test_latex_is_balanced_and_uses_booktabs(paper: PaperTable, interval: bool) -> None:
    table = narrow(paper)
    text = latex(table, interval=interval)
    assert text.count("{") == text.count("}")
    for rule in (r"\toprule", r"\bottomrule"):
        assert text.count(rule) == 1
    assert text.count(r"\midrule") == len(table.sections)
    rows = sum(len(section.rows) for section in table.sections)
    body = [line for line in text.splitlines() if r" \\" in line and "multicolumn" not in line]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(table.columns) - 1}
    assert len(body) - 1 == rows * (2 if interval else 1)
    assert r"\textbf{" in text
    assert r"\underline{" in text
    assert (r"\scriptsize 2.85--3.22" in text) == interval


@pdflatex
@pytest.mark.parametrize("interval", [False, True])
def test_it_fits_one_column_at_eight_points(paper: PaperTable, interval: bool, tmp_path: Path) -> None:
    text = latex(narrow(paper), interval=interval)
    assert "resizebox" not in text
    log = compiled(text, tmp_path)
    assert "TYPE 252.0pt" in log
    assert "Overfull" not in log
    # \footnotesize of a page set in 10 pt is 8 pt.
    assert r"\footnotesize" in text


NAMES = (
    "[0.5ex]x", "*", "-a--b", 'say "hi"', "αβγ ΩΛ ς", "中文", "x\x1b[31m\x07y", "naïve café Łódź Þ",
    "#1 50% a_b^c~ \\$&{}",
    "\U0001f600", "<|>", "µ ° ± ≤ →", "e\u0301 q\u0301", "\ud800",
)  # fmt: skip


@pytest.fixture(scope="module")
def odd(paper: PaperTable) -> PaperTable:
    """Return a table whose codecs, units and data set have names that LaTeX could stumble over."""
    rows = paper.sections[1].rows
    named = [
        replace(rows[0], entries={**rows[0].entries, "codec": replace(rows[0].entries["codec"], text=name)})
        for name in NAMES
    ]
    columns = tuple(
        replace(column, unit=NAMES[number % len(NAMES)]) for number, column in enumerate(paper.columns)
    )
    return replace(
        paper,
        columns=columns,
        sections=(*paper.sections, Section(NAMES[4], tuple(named))),
        dataset=" ".join(NAMES),
    )


@pdflatex
@pytest.mark.parametrize("font", [r"\usepackage[T1]{fontenc}", ""])
def test_latex_compiles_whatever_the_names(odd: PaperTable, tmp_path: Path, font: str) -> None:
    compiled(latex(odd, interval=True), tmp_path, font)


@pytest.mark.parametrize("interval", [False, True])
@pytest.mark.parametrize("kind", ["plain", "odd"])
def test_a_strict_parser_reads_the_table(
    paper: PaperTable, odd: PaperTable, kind: str, interval: bool
) -> None:
    found = parsed(latex(narrow(paper) if kind == "plain" else odd, interval=interval))
    names = [node.environmentname for node in found if hasattr(node, "environmentname")]
    assert names == ["table", "tabular"]
    used = {node.macroname for node in found if hasattr(node, "macroname")}
    assert {"caption", "toprule", "midrule", "bottomrule", "textbf"} <= used
    printing = get_default_latex_context_db()
    assert [name for name in used - LAYOUT if printing.get_macro_spec(name) is None] == []


@pytest.mark.parametrize(
    "broken",
    [r"\begin{tabular}{l} a \\ \end{table}", r"\textbf{a", r"a} b", r"$a$ $b", r"\begin{table} x"],
)
def test_that_parser_refuses_what_latex_would(broken: str) -> None:
    with pytest.raises(LatexWalkerParseError):
        parsed(broken)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x]", "{[}x{]}"), ("α", r"$\alpha$"), ("Λ", r"$\Lambda$"), ("é", r"\'{e}"), ("ï", r'\"{\i}'),
        ("a--b", "a-{}-b"), ('"', "''"), ("中", SIGN), ("\x07", SIGN), ("\ud800", SIGN), ("Þ", SIGN),
        ("a_b & 50% #{x} ~^\\", r"a\_b \& 50\% \#\{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"),
    ],
)  # fmt: skip
def test_latex_says_what_it_cannot_print(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_the_sign_is_explained_where_it_stands(paper: PaperTable) -> None:
    assert SIGN not in latex(paper)
    columns = (*paper.columns[:-1], replace(paper.columns[-1], unit="中"))
    assert SIGN_MEANS in latex(replace(paper, columns=columns))
