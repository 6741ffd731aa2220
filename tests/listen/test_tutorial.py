"""The commands of docs/listening.md, run as they stand there, with listeners who answer in between."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codecbench.listen.key import read_key
from codecbench.report import figures, pictures
from listening import ratings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "listening.md").read_text(encoding="utf-8")


def test_from_export_to_report(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```\n(codecbench .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    export, read, report, run = (shlex.split(line)[1:] for block in blocks for line in block.splitlines())
    monkeypatch.chdir(tmp_path)
    assert cli(*run, "--executor", "serial").status == 0
    exported = cli(*export)
    assert exported.status == 0
    page, configuration = map(Path, exported.out.splitlines())
    assert page.is_file()
    assert configuration.is_file()
    folder = Path("runs/mine/listening/first")
    key = read_key(folder / "key.json")
    scores = {"reference": 100, "anchor35": 20, "anchor70": 60}
    for number in range(5):
        given = ratings(key, f"l{number}", lambda _, label: scores.get(label, 40 + 5 * number))  # noqa: B023
        (folder / f"{key['test']}-{number}.csv").write_text(given)
    answer = cli(*read)
    assert answer.status == 0
    assert re.search(r"^codec2@\S+ .* 50 ", answer.out, re.MULTILINE)
    monkeypatch.setattr(
        figures, "write_figures", lambda *_: []
    )  # drawn for half a minute, looked at elsewhere
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    assert cli(*report, "--no-audio").status == 0
    assert "## Listening tests" in Path("report/report.md").read_text(encoding="utf-8")
    table = pd.read_csv("report/tables/listening-first.csv")
    assert list(table["median"])[:2] == [100, 50]
