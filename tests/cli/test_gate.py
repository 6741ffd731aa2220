"""``codecbench gate``: verdicts, exit status, formats, margins and stored baselines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from codecbench.store.records import decode_codes, encode_codes
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


def recode(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Callable[..., None]:
    """Return a change of all tokens, int64 [F, T]."""

    def each(number: int, line: dict[str, Any]) -> None:
        if line["codes"] is not None:
            codes = decode_codes(line["codes"])
            line["codes"] = encode_codes(change(codes, np.random.default_rng(number)))

    return each


def measured(*, by: float = 1.0, noise: float = 0.0, batch: str | None = "here") -> Callable[..., None]:
    """Return a change of the time taken to decode."""

    def each(number: int, line: dict[str, Any]) -> None:
        line["batch"] = batch
        line["rtf_decode"] *= by * (1 + noise * (-1) ** number)

    return each


def peaks(folder: Path, mb: float, **other: str) -> None:
    """Write the peak memory of every point into a run's manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["codecs"].values():
        for point in entry["points"]:
            point["peak_memory"] = {"mb": mb, "utterance": "utt-0004", "where": "here"} | other
    (folder / "manifest.json").write_text(json.dumps(manifest))


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


def verdicts(cli, *words: object) -> dict[str, str]:
    """Return the verdict of each check."""
    return {row["check"]: row["verdict"] for row in json.loads(cli("gate", *words, "--json").out)["checks"]}


def test_half_the_codes_or_a_longer_code_is_worse_against_a_stored_baseline_too(
    cli, base: Path, tmp_path: Path
) -> None:
    fewer = changed(base, tmp_path / "fewer", recode(lambda codes, _: codes & ~1))
    even = changed(base, tmp_path / "even", recode(lambda codes, rng: rng.integers(0, 150, codes.shape)))
    stored = tmp_path / "base.json"
    assert cli("gate", "--save", stored, base).status == 0
    for old in (base, stored):
        assert verdicts(cli, old, fewer, *PESQ)["codes_used"] == "worse"
        assert verdicts(cli, old, even, *PESQ)["entropy_kbps"] == "worse"


def test_speed_is_the_paired_ratio_of_times_taken_in_turns(cli, base: Path, tmp_path: Path) -> None:
    timed = changed(base, tmp_path / "timed", measured(noise=0.02))
    slower = changed(base, tmp_path / "slower", measured(by=1.3, noise=-0.02))
    answer = cli("gate", timed, slower, *PESQ, "--json")
    (row,) = (row for row in json.loads(answer.out)["checks"] if row["check"] == "rtf_decode")
    assert (answer.status, row["verdict"]) == (1, "worse")
    assert row["gain"] == pytest.approx(-0.3, abs=0.01)
    assert row["low"] < row["gain"] < row["high"] < -row["margin"]
    assert (row["base_value"], row["margin"]) == (1, pytest.approx(0.1))
    assert row["new_value"] == pytest.approx(1 - row["gain"])
    found = verdicts(cli, timed, changed(base, tmp_path / "same", measured(noise=-0.02)), *PESQ)
    assert found["rtf_decode"] == found["rtf_encode"] == "equivalent"


def test_times_of_two_calls_are_refused_with_the_reason(cli, base: Path, tmp_path: Path) -> None:
    timed = changed(base, tmp_path / "timed", measured())
    apart = changed(base, tmp_path / "apart", measured(by=1.3, batch="there"))
    answer = cli("gate", timed, apart, *PESQ, "--json")
    assert answer.status == 0
    assert "rtf_decode" not in {row["check"] for row in json.loads(answer.out)["checks"]}
    said = "rtf_decode is not compared: the two were not timed in turns in one run on one machine"
    assert any(said in line for line in json.loads(answer.out)["not_compared"])
    assert sum(said in line for line in answer.err.splitlines()) == 1
    margins = tmp_path / "margins.toml"
    margins.write_text("[gate.rtf_decode]\nmargin = 0.5\n")
    answer = cli("gate", timed, apart, *PESQ, "--margins", margins)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err
    slower = changed(base, tmp_path / "slower", measured(by=1.3))
    assert cli("gate", timed, slower, *PESQ, "--margins", margins).status == 0


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ((101.0, {}), (0, "equivalent")),
        ((120.0, {}), (1, "worse")),
        ((120.0, {"where": "there"}), (0, "machine, versions or device differ")),
        ((120.0, {"utterance": "utt-0009"}), (0, "measured on different utterances")),
        ((None, {}), (0, "measured of only one system")),
    ],
)
def test_memory_is_compared_where_it_was_measured_alike(
    cli, base: Path, tmp_path: Path, change: tuple[float | None, dict[str, str]], outcome: tuple[int, str]
) -> None:
    mb, other = change
    old, new = (changed(base, tmp_path / name, lambda *_: None) for name in ("old", "new"))
    peaks(old, 100.0)
    if mb is not None:
        peaks(new, mb, **other)
    answer = cli("gate", old, new, *PESQ)
    found = [line for line in (answer.out + answer.err).splitlines() if "peak_memory_mb" in line]
    assert (answer.status, len(found)) == (outcome[0], 1)
    assert outcome[1] in found[0]


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
    assert text.err.endswith("codecbench: worse: 4 equivalent, 1 worse\n")
    summary = cli("gate", base, new, *PESQ, "--format", "md").out
    assert summary.startswith("**WORSE**: 4 equivalent, 1 worse\n")
    assert "| pesq-wb (MOS-LQO) |" in summary
    suite = ET.fromstring(cli("gate", base, new, *PESQ, "--format", "junit").out)
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")
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
