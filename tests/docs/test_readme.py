"""Figures in the README are those of the reference report, of the model card that it names, of the code."""

from __future__ import annotations

import inspect
import math
import re
import tomllib
from typing import Any

import pandas as pd
import pytest

from codecbench import registry
from codecbench.analysis.bootstrap import bootstrap_mean
from codecbench.cli import run, status_of
from codecbench.report import style
from codecbench.run.patience import FIRST_WORD_S
from house import ROOT
from told import Told, missing, unheld, without

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("<!-- reference:begin -->")[2].partition("<!-- reference:end -->")[0]
REFERENCE = re.sub(r"\s+", " ", SECTION)
TABLES = ROOT / "reports" / "reference" / "tables"
OTHERS = without(README, "<!-- reference:begin -->", "<!-- reference:end -->")
SCORES = {"stoi": 3, "pesq-wb": 2, "mcd": 2, "visqol": 2}
"""The table's scores with their decimals."""


def rows() -> list[list[str]]:
    """Return the cells of the table, its head left out."""
    lines = re.findall(r"^\| (\**`.*) \|$", SECTION, re.MULTILINE)
    return [[cell.strip(" *`") for cell in line.split(" | ")] for line in lines]


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    table = pd.read_csv(TABLES / "summary.csv", dtype={"point": str})
    return table.set_index(table["codec"] + "@" + table["point"])


def test_every_cell_of_the_table_is_the_report_s(summary: pd.DataFrame) -> None:
    assert len(rows()) > 10
    for label, kbps, *scores, delay in rows():
        row = summary.loc[label]
        assert kbps == f"{row['payload_kbps']:.2f}", label
        assert float(delay) == pytest.approx(row["delay_ms"]), label
        for (metric, digits), shown in zip(SCORES.items(), scores, strict=True):
            half = (row[f"{metric}_high"] - row[f"{metric}_low"]) / 2
            assert shown == f"{row[metric]:.{digits}f} ± {half:.{digits}f}", f"{label} {metric}"


def test_the_number_of_utterances_is_the_report_s(summary: pd.DataFrame) -> None:
    (count,) = re.findall(r"(\d+) utterances of", REFERENCE)
    assert set(summary["n"]) == {int(count)}


@pytest.mark.parametrize("metric", ["stoi", "pesq-wb"])
def test_bd_rates_are_the_report_s(metric: str) -> None:
    bd = pd.read_csv(TABLES / "bd.csv").set_index(["metric", "anchor", "test"])
    row = bd.loc[(metric, "spc", "rvq")]
    told = f"{row['rate']:.1f} % [{row['rate_low']:.1f}, {row['rate_high']:.1f}] at equal {metric.upper()}"
    assert told in REFERENCE


def test_what_is_said_of_significance_is_the_report_s() -> None:
    pairs = pd.read_csv(TABLES / "pairs.csv")
    found = {(row.metric, frozenset((row.a, row.b))): row for row in pairs.itertuples()}

    def better(metric: str, one: str, other: str) -> float:
        """Return the difference one - other, turned so that positive is better; NaN where not significant."""
        row = found[metric, frozenset((one, other))]
        sign = (1 if row.a == one else -1) * (-1 if metric == "mcd" else 1)
        return sign * row.difference if row.p_holm <= 0.05 else math.nan

    spc, lyra, rvq = "spc@7.5", "lyra@7.4", "rvq@7.5"
    assert "has a higher ViSQOL and a lower MCD than Lyra v2 at 7.4 and a lower PESQ-WB" in REFERENCE
    assert better("visqol", spc, lyra) > 0 and better("mcd", spc, lyra) > 0
    assert better("pesq-wb", spc, lyra) < 0
    assert all(found[m, frozenset((spc, lyra))].p_holm == 0.005 for m in ("visqol", "mcd", "pesq-wb"))
    assert "each p = .005" in REFERENCE
    assert "no significant difference in STOI. Nor is there one between `spc` and its residual" in REFERENCE
    assert math.isnan(better("stoi", spc, lyra))
    assert all(math.isnan(better(metric, spc, rvq)) for metric in SCORES)


def test_what_is_said_of_the_weights_that_ship_is_their_card_s() -> None:
    card = (ROOT / "codecs" / "spc" / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"\(STOI ([.\d]+), PESQ-WB ([.\d]+) at ([.\d]+) kbit/s with (\d+) ms", REFERENCE)
    stoi, pesq, rate, delay = told
    assert re.search(
        rf"^\| `spc` \| {re.escape(rate)} \| {re.escape(stoi)} \[.*\| {re.escape(pesq)} \[",
        card,
        re.MULTILINE,
    )
    assert f"| delay | {delay} ms" in card


def judged_rates() -> tuple[float, float]:
    """Return the lowest and highest rate of the codecs that docs/judges.md is about, as whole kbit/s."""
    table = pd.read_csv(ROOT / "docs" / "measured" / "judged-codecs.csv")
    rates = table[table["codec"] != "pcm"]["payload_kbps"]
    return round(rates.min()), round(rates.max())


def tolerance() -> str:
    (option,) = (option for option in run.run.params if option.name == "tolerance")
    return str(option.default).replace("%", " %")


def lyra_rates() -> tuple[float, float]:
    rates = [point.nominal_kbps for point in registry.codec("lyra").points if point.default]
    return min(rates), max(rates)


SAID = [
    Told("Both need Python {} or newer", lambda: project()["requires-python"].removeprefix(">=")),
    Told("`lyra`, {:g} to {:g} kbit/s", lyra_rates),
    Told("predicted opinion say of codecs at {} to {} kbit/s", judged_rates),
    Told("the point nearest to 6 kbit/s, within {} (--tolerance)", tolerance),
    Told("the width of a column, {} inches, in type of {} pt", lambda: (
        style.COLUMN_INCHES, style._RC["font.size"])),
    Told("one that hangs is named after a minute", lambda: () if FIRST_WORD_S == 60 else FIRST_WORD_S),
    Told("exit status: 0 done, 1 an error (or, with `--strict`, something left out), 2 wrong usage"),
]  # fmt: skip


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("item", SAID, ids=[item.text[:40] for item in SAID])
def test_what_is_said_of_the_program_is_what_it_does(item: Told) -> None:
    assert missing(OTHERS, item) is None


def test_no_other_figure_stands_in_the_readme() -> None:
    assert unheld(OTHERS, SAID) == []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["list", "codecs"], 0),
        (["table", "nowhere"], 1),
        (["run", "--no-such-option"], 2),
    ],
)
def test_the_exit_status_is_the_stated_one(words: list[str], status: int) -> None:
    assert status_of(words) == status


def test_intervals_are_those_that_all_pages_state() -> None:
    """Pages say 95 % and nothing else: the level that nobody has to choose."""
    assert inspect.signature(bootstrap_mean).parameters["level"].default == 0.95
