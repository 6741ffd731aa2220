"""``codecbench gate``: verdicts, exit status, formats, margins and stored baselines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from margins import TARGET, text

PESQ = ("--metrics", "pesq-wb")


@pytest.fixture(scope="module")
def base(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of 20 speakers, one utterance each."""
    folder = tmp_path_factory.mktemp("gate") / "base"
    return make_run(folder, utterances=20, speakers=20, audio=0, codecs=("pcm", "spc"), fail_every=0)


def changed(base: Path, to: Path, change: Callable[[int, dict[str, Any]], None]) -> Path:
    """Copy a run and alter its records."""
    shutil.copytree(base, to)
    lines = [json.loads(line) for line in (to / "records.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        change(number, line)
    (to / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return to


def shift(metric: str, by: float) -> Callable[[int, dict[str, Any]], None]:
    """Return a change of one metric's scores, a little different for each utterance."""

    def change(number: int, line: dict[str, Any]) -> None:
        line["scores"][metric] += by * (1 + 0.2 * ((number % 5) - 2))

    return change


def fail_two(number: int, line: dict[str, Any]) -> None:
    if line["codec"] == "spc" and line["utterance"].endswith(("03", "04")):
        line.update(status="failed", error="bad frame", scores=dict.fromkeys(line["scores"]))


def more_bytes(number: int, line: dict[str, Any]) -> None:
    line["payload_bytes"] = round(line["payload_bytes"] * 1.05)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda *_: None, (0, "pesq-wb", "equivalent")),
        (shift("pesq-wb", -0.5), (1, "pesq-wb", "worse")),
        (shift("pesq-wb", 0.5), (0, "pesq-wb", "better")),
        (fail_two, (1, "failures", "worse")),
        (more_bytes, (1, "payload_kbps", "worse")),
    ],
)
def test_the_verdict_and_its_exit_status(
    cli, base: Path, tmp_path: Path, change: Callable[..., None], outcome: tuple[int, str, str]
) -> None:
    status, check, verdict = outcome
    new = changed(base, tmp_path / "new", change)
    answer = cli("gate", base, new, *PESQ, "--json")
    assert answer.status == status, answer.err
    found = {row["check"]: row for row in json.loads(answer.out)["checks"]}
    assert found[check]["verdict"] == verdict
    assert {row["verdict"] for name, row in found.items() if name != check} <= {"equivalent"}


def test_unsettled_passes_but_not_under_strict(cli, base: Path, tmp_path: Path) -> None:
    def scatter(number: int, line: dict[str, Any]) -> None:
        line["scores"]["pesq-wb"] += 0.4 * (-1) ** number

    new = changed(base, tmp_path / "new", scatter)
    answer = cli("gate", base, new, *PESQ, "--json")
    (row,) = (row for row in json.loads(answer.out)["checks"] if row["check"] == "pesq-wb")
    assert (answer.status, row["verdict"]) == (0, "inconclusive")
    assert row["needed"] > 20
    assert cli("gate", base, new, *PESQ, "--strict").status == 3


def test_a_stored_baseline_gives_the_same_and_refuses_what_does_not_compare(
    cli, base: Path, tmp_path: Path
) -> None:
    new = changed(base, tmp_path / "new", shift("mcd", 0.1))
    stored = tmp_path / "base.json"
    assert cli("gate", "--save", stored, base).status == 0
    assert "pcm" not in json.loads(stored.read_text())["manifest"]["codecs"]
    checks = [json.loads(cli("gate", place, new, "--json").out)["checks"] for place in (base, stored)]
    for row in (*checks[0], *checks[1]):
        del row["base"], row["new"]
    assert checks[0] == checks[1]
    manifest = json.loads((new / "manifest.json").read_text())
    manifest["metrics"]["mcd"]["signature"] = "mcd|v:2"
    (new / "manifest.json").write_text(json.dumps(manifest))
    answer = cli("gate", stored, new)
    assert (answer.status, answer.out) == (2, "")
    assert "metric mcd has the signature" in answer.err
    stored.write_text("{}")
    answer = cli("gate", stored, new)
    assert answer.status == 2
    assert "not a stored baseline" in answer.err


def test_every_format_tells_the_regression(cli, base: Path, tmp_path: Path) -> None:
    new = changed(base, tmp_path / "new", shift("pesq-wb", -0.5))
    text = cli("gate", base, new, *PESQ)
    assert text.out.splitlines()[1].split()[0] == "pesq-wb"
    assert text.err.startswith("codecbench: worse: 2 equivalent, 1 worse")
    summary = cli("gate", base, new, *PESQ, "--format", "md").out
    assert summary.startswith("**WORSE**: 2 equivalent, 1 worse\n")
    assert "| pesq-wb (MOS-LQO) |" in summary
    suite = ET.fromstring(cli("gate", base, new, *PESQ, "--format", "junit").out)
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    (failure,) = suite.iter("failure")
    assert "pesq-wb worse" in str(failure.get("message"))
    (run,) = json.loads(cli("gate", base, new, *PESQ, "--format", "sarif").out)["runs"]
    assert [(item["ruleId"], item["level"]) for item in run["results"]] == [("pesq-wb", "error")]


def test_margins_come_from_a_file_and_a_metric_without_one_is_named(cli, base: Path, tmp_path: Path) -> None:
    new = changed(base, tmp_path / "new", shift("pesq-wb", -0.5))
    margins = tmp_path / "margins.toml"
    margins.write_text("[gate.pesq-wb]\nmargin = 0.8\n")
    assert cli("gate", base, new, *PESQ, "--margins", margins).status == 0
    for wrong in ("[gate.pesq-wb]\nmargin = 0\n", "margin = 1\n", "[gate", "[gate.x]\nmargin = true\n"):
        margins.write_text(wrong)
        answer = cli("gate", base, new, "--margins", margins)
        assert answer.status == 2
        assert answer.err.count("\n") == 1
        assert "write e.g. [gate.pesq-wb]" in answer.err


def test_default_margins_are_those_measured() -> None:
    assert TARGET.read_text() == text()


def test_usage_errors(cli, base: Path, tmp_path: Path) -> None:
    for words in ((base,), (base, base, base), ("--save", tmp_path / "x.json", base, base)):
        assert cli("gate", *words).status == 2
    answer = cli("gate", base, tmp_path / "none.json")
    assert answer.status == 2
    assert "no such file" in answer.err
