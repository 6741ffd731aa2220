"""``codecbench table``: what it prints, and what it leaves as it is."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def made_up(run_folder: Path, tmp_path: Path) -> Path:
    """Return a made-up run that a test may write into."""
    return Path(shutil.copytree(run_folder, tmp_path / "made-up"))


def test_table_prints_the_paper_s_table(cli, made_up: Path) -> None:
    short = ("--columns", "kbps,stoi", "--codecs", "opus", "--points", "spc@7.5", "--sort", "-kbps")
    latex = cli("table", made_up, "--format", "latex", "--ours", "spc", *short)
    assert latex.status == 0
    assert r"Codec & kbit/s & STOI $\uparrow$ \\" in latex.out
    shown = ["4--8", "spc@7.5", "opus@6", "8--16", "opus@12", "opus@8", "above 16", "opus@24", "opus@16"]
    places = [latex.out.rindex(part) for part in shown]
    assert places == sorted(places)  # bands go up; rates within them go down, as asked
    assert "lyra" not in latex.out
    md = cli("table", made_up, "--format", "md", *short)
    assert re.search(r"\| opus@8 \| 7\.97 \| .*0\.812.* \(0\.800–0\.830\) \|", md.out)
    assert "(0.800" not in cli("table", made_up, "--format", "md", *short, "--interval", "none").out
    printed = list(csv.reader(cli("table", made_up, "--format", "csv", *short).out.splitlines()))
    assert printed[0] == ["band", "codec", "payload_kbps", "stoi", "stoi_low", "stoi_high", "stoi_n"]
    assert not (made_up / "table.csv").exists()


def test_table_prints_a_part_as_text_and_keeps_the_whole(cli, made_up: Path) -> None:
    cli("table", made_up)
    whole = (made_up / "table.csv").read_bytes()
    part = cli("table", made_up, "--codecs", "spc", "--columns", "kbps,stoi")
    assert part.out.splitlines()[0].split() == ["codec", "point", "payload_kbps", "stoi"]
    assert len(part.out.splitlines()) == 2
    assert (made_up / "table.csv").read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--sort", "stoi"), 2, "--sort, --interval and --ours go with --format md, csv or latex"),
        (("--format", "html"), 2, "'html' is not one of"),
        (("--format", "md", "--sort", "stio"), 1, "did you mean 'stoi'"),
        (("--codecs", "opsu"), 1, "did you mean 'opus'"),
    ],
)
def test_table_refuses_what_it_cannot_print(cli, run_folder: Path, options, status, message) -> None:
    answer = cli("table", run_folder, *options)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err


def test_table_has_a_part_for_each_value_of_a_column(cli, made_up: Path) -> None:
    text = cli("table", made_up, "--by", "gender", "--codecs", "spc", "--columns", "stoi")
    assert [line.split()[:4] for line in text.out.splitlines()] == [
        ["by:gender", "speakers", "codec", "point"],
        ["f", "4", "spc", "7.5"],
        ["m", "4", "spc", "7.5"],
    ]
    assert not (made_up / "table.csv").exists()
    md = cli("table", made_up, "--by", "gender", "--codecs", "spc,opus", "--format", "md")
    assert "### Gender f: 4 speakers, 12 utterances" in md.out
    latex = cli("table", made_up, "--by", "gender", "--format", "latex")
    assert r"\itshape gender m: 4 speakers, 12 utterances" in latex.out
    assert "did you mean 'gender'" in cli("table", made_up, "--by", "gendre").err


def test_a_set_s_columns_come_into_the_run(cli, folder: Path, tmp_path: Path) -> None:
    rows = (folder / "manifest.csv").read_text().splitlines()
    (folder / "manifest.csv").write_text(
        "\n".join([f"{rows[0]},language", *(f"{row},{'en' if 'quiet' in row else 'de'}" for row in rows[1:])])
    )
    out = tmp_path / "out"
    cli(
        "run",
        "--data",
        folder,
        "--out",
        out,
        "--codecs",
        "fake@64",
        "--metrics",
        "stoi",
        "--executor",
        "serial",
    )
    table = cli("table", out, "--by", "language", "--columns", "n")
    assert [line.split() for line in table.out.splitlines()[1:]] == [
        ["de", "1", "fake", "64", "1"],
        ["en", "2", "fake", "64", "4"],
    ]
