"""Figures in the README are those of the reference report and of the code."""

from __future__ import annotations

import inspect
import re
import tomllib
from typing import Any

import pandas as pd
import pytest

from codecbench import registry
from codecbench.analysis.bootstrap import bootstrap_mean
from codecbench.analysis.summary import COLUMNS
from codecbench.cli import run, status_of
from codecbench.report import style
from codecbench.run.patience import FIRST_WORD_S
from docs_of_metrics import JUDGED
from docs_of_reference import summary as points
from house import ROOT
from told import Told, flat, missing, rows, unheld, without

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("<!-- reference:begin -->")[2].partition("<!-- reference:end -->")[0]
REFERENCE = re.sub(r"\s+", " ", SECTION)
TABLES = ROOT / "reports" / "reference" / "tables"
OTHERS = without(README, "<!-- reference:begin -->", "<!-- reference:end -->")
SCORES = {"stoi": 3, "pesq-wb": 2, "visqol": 2, "mcd": 2, "dnsmos": 2, "dwer": 1}
"""The table's scores with their decimals."""


def cells(head: str) -> list[list[str]]:
    """Return the cells of the table whose head begins so."""
    return rows(SECTION, head)


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    table = pd.read_csv(TABLES / "summary.csv", dtype={"point": str})
    return table.set_index(table["codec"] + "@" + table["point"])


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return pd.read_csv(TABLES / "pairs.csv").set_index(["metric", "a", "b"])


def test_every_cell_of_the_table_is_the_report_s(summary: pd.DataFrame) -> None:
    table = cells("codec")
    assert len(table) > 10
    for name, kbps, *scores, delay in table:
        label = name.strip("*`")
        row = summary.loc[label]
        assert kbps == f"{row['payload_kbps']:.2f}", label
        assert float(delay) == pytest.approx(row["delay_ms"]), label
        for (metric, digits), shown in zip(SCORES.items(), scores, strict=True):
            mean, low, high = (f"{row[metric + part]:.{digits}f}" for part in ("", "_low", "_high"))
            assert shown == f"{mean} ({low}–{high})", f"{label} {metric}"


def test_the_number_of_utterances_is_the_report_s(summary: pd.DataFrame) -> None:
    (count,) = re.findall(r"(\d+) utterances of", REFERENCE)
    assert set(summary["n"]) == {int(count)}


@pytest.mark.parametrize("metric", ["stoi", "pesq-wb"])
def test_bd_rates_are_the_report_s(metric: str) -> None:
    bd = pd.read_csv(TABLES / "bd.csv").set_index(["metric", "anchor", "test"])
    row = bd.loc[(metric, "rvq", "spc")]
    told = f"{row['rate']:+.1f} % [{row['rate_low']:+.1f}, {row['rate_high']:+.1f}]".replace("-", "−")
    assert f"{told} at equal {metric.upper()}" in REFERENCE


def test_differences_are_ours_less_the_other_and_bold_where_significant(pairs: pd.DataFrame) -> None:
    table = cells("difference")
    assert len(table) > 4
    for name, *shown in table:
        ours, other = (part.strip(" *`") for part in name.split("−"))
        for (metric, digits), cell in zip(SCORES.items(), shown, strict=True):
            turned = (metric, ours, other) not in pairs.index
            row = pairs.loc[(metric, other, ours) if turned else (metric, ours, other)]
            mean = row["difference"] * (-1 if turned else 1)
            value, low, high = map(float, re.findall(r"[-+]?[\d.]+", cell.replace("−", "-").strip("*")))
            assert value == pytest.approx(mean, abs=0.51 * 10**-digits), f"{name} {metric}"
            assert low <= value <= high
            assert cell.startswith("**") == (row["p_holm"] <= 0.05), f"{name} {metric}"


def judged_rates() -> tuple[float, float]:
    """Return the lowest and highest rate of the codecs that docs/judges.md is about, as whole kbit/s."""
    rates = [row["payload_kbps"] for label, row in points().items() if label in JUDGED[1:]]
    return round(min(rates)), round(max(rates))


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


def test_the_columns_of_a_run_s_table_are_those_that_are_listed() -> None:
    assert f"row a codec and point: `{', '.join(COLUMNS)}`" in flat(OTHERS)


def test_intervals_are_those_that_all_pages_state() -> None:
    """Pages say 95 % and nothing else: the level that nobody has to choose."""
    assert inspect.signature(bootstrap_mean).parameters["level"].default == 0.95
