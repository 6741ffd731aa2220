"""The pages for beginners: every command on them runs, in their order, in a folder like a checkout."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from house import ROOT

PAGES = sorted((ROOT / "docs").glob("quickstart-*.md"))


def commands(page: Path) -> list[str]:
    """Return the command lines of a page."""
    blocks = re.findall(r"^```\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_there_is_one_page_for_each_reader() -> None:
    assert [page.stem for page in PAGES] == ["quickstart-checkpoint", "quickstart-paper", "quickstart-tokens"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    data = tmp_path / "codecbench" / "data"
    data.mkdir(parents=True)
    (data / "demo").symlink_to(ROOT / "codecbench" / "data" / "demo")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    lines = commands(page)
    assert len(lines) > 4
    done = subprocess.run(
        ["bash", "-euxc", "\n".join(lines)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    _check(page.stem.removeprefix("quickstart-"), tmp_path, done.stdout)


def _check(reader: str, folder: Path, printed: str) -> None:
    """Look at what the commands were for."""
    if reader == "paper":
        assert r"\begin{tabular}" in (folder / "table.tex").read_text()
        assert (folder / "pesq.pdf").read_bytes().startswith(b"%PDF")
        assert "Opus against Codec 2" in (folder / "runs/paper/report/index.html").read_text()
        names = [
            sorted(json.loads((folder / "runs" / run / "manifest.json").read_text())["metrics"])
            for run in ("paper", "again")
        ]
        assert names[0] == names[1]
        assert "estoi" in names[0]
    elif reader == "checkpoint":
        rows = json.loads((folder / "means.json").read_text())
        assert {row["codec"] for row in rows} == {"old", "new"}
        assert "utterance" in (folder / "cells.csv").read_text().splitlines()[0]
    else:
        found = re.search(r"\| spc@7\.5 \|.*? \| (6\d\d) \|", printed)
        # 20 tokens every 32 ms, and those that fill the last patches of an utterance up.
        assert found and 625 <= int(found[1]) < 1.02 * 625
        assert (folder / "tokens.png").stat().st_size > 1000


def test_readme_names_the_pages() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{page.name}" in text for page in PAGES)


def test_options_on_the_pages_are_split_as_a_shell_does() -> None:
    assert all(shlex.split(line) for page in PAGES for line in commands(page))
