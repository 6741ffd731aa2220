"""Columns and order of a printed table."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from codecbench.analysis import runs
from codecbench.analysis.summary import summary
from codecbench.errors import InvalidInput
from codecbench.report.selection import sorted_by, with_columns
from codecbench.report.table import PaperTable, paper_table


@pytest.fixture(scope="module")
def paper(run_folder: Path) -> PaperTable:
    run = runs.load_runs([run_folder])
    return paper_table(run, summary(run))


def test_columns_come_in_the_order_of_naming(paper: PaperTable) -> None:
    chosen = with_columns(paper, ["mcd", "kbps", "stoi"])
    assert [column.key for column in chosen.columns] == ["codec", "mcd", "payload_kbps", "stoi"]
    assert chosen.metrics == ("stoi", "mcd")
    with pytest.raises(InvalidInput, match="unknown column 'stio'; did you mean 'stoi'"):
        with_columns(paper, ["stio"])


@pytest.mark.parametrize(
    ("order", "key", "downwards"),
    [
        ("stoi", "stoi", True),
        ("-stoi", "stoi", False),
        ("mcd", "mcd", False),
        ("kbps", "payload_kbps", False),
    ],
)
def test_rows_of_a_band_are_sorted_best_first(
    paper: PaperTable, order: str, key: str, downwards: bool
) -> None:
    for section in sorted_by(paper, order).sections:
        values = [float(row.entries[key].value) for row in section.rows]
        assert values == sorted(values, reverse=downwards)


def test_rows_without_a_value_come_last(paper: PaperTable) -> None:
    for order in ("parameters_m", "-parameters_m"):
        for section in sorted_by(paper, order).sections:
            missing = [math.isnan(float(row.entries["parameters_m"].value)) for row in section.rows]
            assert missing == sorted(missing)
