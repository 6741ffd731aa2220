"""``codecbench leaderboard``: one page from the results of runs on several sets."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest


@pytest.fixture
def results(cli, folder: Path, tmp_path: Path) -> Path:
    """Return a folder with the results of two sets."""
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(folder.glob("quiet-*.wav")):
        (other / path.name).write_bytes(path.read_bytes())
    for data in (folder, other):
        out = tmp_path / f"run-{data.name}"
        metrics = ("--metrics", "fake-snr,stoi", "--executor", "serial")
        assert cli("run", "--data", data, "--out", out, "--codecs", "fake,fake-8k", *metrics).status == 0
        assert cli("export", out, "--results", tmp_path / "results").status == 0
    return tmp_path / "results"


def test_one_page_holds_all_sets_and_is_whole_by_itself(cli, results: Path, tmp_path: Path) -> None:
    page = tmp_path / "board.html"
    answer = cli("leaderboard", results, "--to", page)
    assert (answer.status, answer.out.strip()) == (0, str(page))
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!#)", text)
    assert text.count('<tr class="row" data-label="fake@64">') == 4  # two sets, two metrics over sets
    for part in ("fake|fs:16000|lib:1", "fake-snr|eps:1e-09", "Over sets", "speech", "other"):
        assert part in text


def test_markdown_and_csv_print(cli, results: Path) -> None:
    text = cli("leaderboard", results, "--format", "md").out
    assert "| Codec | kbit/s | SNR (dB) ↑ | STOI ↑ | n |" in text
    assert "## SNR (dB) ↑ over sets" in text
    rows = list(csv.DictReader(cli("leaderboard", results, "--format", "csv").out.splitlines()))
    assert {row["dataset"] for row in rows} == {"speech", "other"}
    assert len(rows) == 2 * 3 * 2
    assert all(row["codec_signature"] and row["metric_signature"] for row in rows)


def test_metrics_are_chosen_and_ordered(cli, results: Path) -> None:
    text = cli("leaderboard", results, "--format", "md", "--metrics", "stoi,fake-snr").out
    assert "| Codec | kbit/s | STOI ↑ | SNR (dB) ↑ | n |" in text
    alone = cli("leaderboard", results, "--format", "csv", "--metrics", "stoi").out
    assert {row["metric"] for row in csv.DictReader(alone.splitlines())} == {"stoi"}
    answer = cli("leaderboard", results, "--format", "csv", "--metrics", "stio")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "did you mean 'stoi'" in answer.err


def test_what_is_no_result_is_named(cli, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    answer = cli("leaderboard", tmp_path, "--format", "md")
    assert answer.status == 1
    assert "x.json" in answer.err
    assert answer.err.count("\n") == 1
