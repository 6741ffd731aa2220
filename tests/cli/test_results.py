"""``codecbench report``: what a reader may choose."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from codecbench.report import figures, pictures


def test_a_report_shows_what_was_chosen(
    cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    to = tmp_path / "report"
    chosen = ("--codecs", "opus", "--points", "spc@7.5", "--metrics", "mcd,stoi", "--by", "gender")
    answer = cli("report", run_folder, "--to", to, "--no-audio", "--ours", "spc", "--title", "A & B", *chosen)
    assert answer.status == 0
    page = (to / "index.html").read_text(encoding="utf-8")
    assert "<h1>A &amp; B</h1>" in page
    assert "gender f: 4 speakers, 12 utterances" in page
    assert "lyra" not in page.partition('id="audit"')[0]
    assert (to / "report.md").read_text(encoding="utf-8").startswith("# A &amp; B\n")
    with (to / "tables" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"{row['codec']}@{row['point']}" for row in rows] == [
        "opus@6", "opus@8", "opus@12", "opus@16", "opus@24", "spc@7.5"
    ]  # fmt: skip
    assert ("mcd" in rows[0], "stoi" in rows[0], "visqol" in rows[0]) == (True, True, False)
    with (to / "tables" / "by.csv").open(newline="") as file:
        assert {row["band"] for row in csv.DictReader(file)} == {
            "gender f: 4 speakers, 12 utterances", "gender m: 4 speakers, 12 utterances"
        }  # fmt: skip


def test_published_figures_of_other_sets_are_drawn_on_demand(
    cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(
        figures, "write_figures", lambda _run, _summary, published, *_: drawn.append(len(published)) or []
    )
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    for options in ((), ("--other-sets",)):
        assert (
            cli(
                "report", run_folder, "--to", tmp_path / "r", "--no-audio", "--points", "opus@8", *options
            ).status
            == 0
        )
    assert drawn[0] == 0
    assert drawn[1] > 10
