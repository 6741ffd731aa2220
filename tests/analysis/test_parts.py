"""Subgroups of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecbench.analysis.parts import choose
from codecbench.analysis.summary import summary
from codecbench.errors import InvalidInput
from codecbench.store.store import Run, load_run


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return load_run(run_folder)


def test_codecs_and_points_are_taken_in_the_order_of_naming(run: Run) -> None:
    table = summary(choose(run, codecs=["rvq", "spc"], points=["opus@12", "rvq@5"], metrics=["mcd"]))
    assert [*zip(table["codec"], table["point"], strict=True)] == [
        ("rvq", "2.5"), ("rvq", "5"), ("rvq", "7.5"), ("spc", "7.5"), ("opus", "12")
    ]  # fmt: skip
    whole = summary(run).set_index(["codec", "point"]).loc[("opus", "12")]
    row = table.iloc[-1]
    assert (row["mcd"], row["mcd_low"], row["n"]) == (whole["mcd"], whole["mcd_low"], whole["n"])
    assert "stoi" not in table


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"codecs": ["opsu"]}, "unknown codec 'opsu'; did you mean 'opus'"),
        ({"points": ["opus@9"]}, "unknown point 'opus@9'; did you mean 'opus@"),
        ({"metrics": ["stio"]}, "unknown metric 'stio'; did you mean 'stoi'"),
    ],
)
def test_unknown_names_are_refused(run: Run, what: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        choose(run, **what)
