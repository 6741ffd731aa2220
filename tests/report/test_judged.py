"""Differences of no-reference scores to the original: counted by hand, and as report and page show them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codecbench import registry
from codecbench.analysis import runs
from codecbench.analysis.bootstrap import bootstrap_mean
from codecbench.analysis.judged import against_original, no_reference
from codecbench.report.build import build
from codecbench.report.judged import CAUTION, UNHEARD, judged

JUDGES = {"dnsmos": "DNSMOS OVRL", "plcmos": "PLCMOS"}
CODECS = ("pcm", "opus", "rvq")


def lost(codec: str, point: str, number: int) -> float:
    """Return what a codec takes from the original's opinion of an utterance."""
    return 0.0 if codec == "pcm" else (0.25 if codec == "opus" else 0.5) / float(point) + 0.01 * (number % 3)


@pytest.fixture
def judged_run(make_run: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes up a run with no-reference scores whose differences are known."""

    def make(
        name: str = "run",
        *,
        codecs: tuple[str, ...] = CODECS,
        speakers: int = 7,
        told: bool = True,
        points: int = 2,
    ) -> Path:
        out = make_run(
            tmp_path / name, utterances=14, speakers=speakers, audio=0, codecs=codecs, points=points,
            metrics=("stoi",), fail_every=0, tokens=False,
        )  # fmt: skip
        manifest = json.loads((out / "manifest.json").read_text())
        manifest["metrics"]["stoi"]["no_reference"] = False
        for metric, label in JUDGES.items():
            manifest["metrics"][metric] = {
                "signature": f"{metric}|v:1", "label": label, "unit": "MOS", "higher_is_better": True,
                "value_range": [1.0, 5.0], "citation": "Doe et al.", "bibtex": "",
            }  # fmt: skip
            if told:
                manifest["metrics"][metric]["no_reference"] = True
        (out / "manifest.json").write_text(json.dumps(manifest))
        numbers = {item["id"]: place for place, item in enumerate(manifest["utterances"])}
        lines = []
        for line in (out / "records.jsonl").read_text().splitlines():
            record = json.loads(line)
            number = numbers[record["utterance"]]
            for place, metric in enumerate(JUDGES):
                own = 3.0 + 0.1 * number - lost(record["codec"], record["point"], number) * (1 + place)
                record["scores"][metric] = record["raw_scores"][metric] = own
            if (record["codec"], record["utterance"]) == ("rvq", "utt-0003"):
                record["scores"]["plcmos"] = None
                record["reasons"]["plcmos"] = "shorter than 0.5 s"
            lines.append(json.dumps(record))
        (out / "records.jsonl").write_text("\n".join(lines) + "\n")
        return out

    return make


def test_differences_are_paired_by_utterance_with_intervals_by_speaker(judged_run) -> None:
    table = against_original(runs.load_runs([judged_run()]))
    assert list(zip(table["metric"], table["codec"], table["point"], strict=True)) == [
        (metric, codec, point)
        for metric in JUDGES
        for codec, point in (("opus", "6"), ("opus", "8"), ("rvq", "2.5"), ("rvq", "5"))
    ]
    speakers = [f"s{number % 7:02d}" for number in range(14)]
    for row in table.to_dict("records"):
        factor = 1 + list(JUDGES).index(row["metric"])
        differences = [-factor * lost(row["codec"], row["point"], number) for number in range(14)]
        if (row["metric"], row["codec"]) == ("plcmos", "rvq"):
            differences[3] = np.nan
        expected = bootstrap_mean(differences, speakers)
        assert row["difference"] == pytest.approx(np.nanmean(differences))
        assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
        assert row["low"] < row["difference"] < row["high"]
        assert row["n"] == np.isfinite(differences).sum()
        assert (row["reference"], row["speakers"]) == ("pcm@256", 7)
        assert row["reference_mean"] == pytest.approx(3.65)


def test_only_metrics_without_a_reference_take_part_in_old_runs_too(judged_run) -> None:
    for told in (True, False):
        assert no_reference(runs.load_runs([judged_run(f"told-{told}", told=told)])) == list(JUDGES)


def test_the_registered_metrics_say_whether_they_look_at_the_reference() -> None:
    blind = {
        name
        for name in registry.names(registry.METRICS)
        if registry.load(registry.METRICS, name).no_reference
    }
    assert blind == {"dnsmos", "dnsmos-sig", "dnsmos-bak", "plcmos"}


def test_report_and_page_show_them_with_the_caution(judged_run, tmp_path: Path) -> None:
    page = build([judged_run()], tmp_path / "report")
    text = (page.parent / "report.md").read_text()
    assert "## Predicted opinion against the original" in text
    assert "| Codec | DNSMOS OVRL (MOS) | PLCMOS (MOS) |" in text
    assert "| pcm@256, its mean | 3.650 | 3.650 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| rvq@5 | -0.109 (-0.")]
    assert len(rows) == 1 and rows[0].endswith(", n 13 |")
    assert f"{UNHEARD} {CAUTION}" in text
    html = page.read_text()
    assert 'id="judged"' in html and f"{UNHEARD} {CAUTION}" in html and "\u22120.109" in html
    stored = pd.read_csv(page.parent / "tables" / "judged.csv")
    assert len(stored) == 8 and stored["difference"].lt(0).all()


def test_without_the_original_or_such_a_metric_there_is_no_section(
    judged_run, make_run, tmp_path: Path
) -> None:
    without = judged_run("without", codecs=("opus", "rvq"))
    assert against_original(runs.load_runs([without])).empty
    plain = make_run(tmp_path / "plain", utterances=6, audio=0, codecs=CODECS, points=1, metrics=("stoi",))
    page = build([plain], tmp_path / "report")
    assert "Predicted opinion" not in page.read_text() + (page.parent / "report.md").read_text()
    assert not (page.parent / "tables" / "judged.csv").exists()


def test_few_speakers_get_no_interval_and_listeners_another_caution(judged_run) -> None:
    run = runs.load_runs([judged_run(speakers=3)])
    found = judged(run, against_original(run), heard=True)
    assert found is not None and found.told == CAUTION
    assert "no interval with so few speakers" in found.table.heading
    assert all(" to " not in cell for row in found.table.rows for cell in row)


def test_the_agreement_of_three_metrics_over_four_points_is_in_the_report(judged_run, tmp_path: Path) -> None:
    for name, points, there in (("enough", 2, True), ("few", 1, False)):
        page = build([judged_run(name, points=points)], tmp_path / f"report-{name}")
        assert "(figures/agreement.png)" in (page.parent / "report.md").read_text()
        assert (page.parent / "figures" / "agreement.png").is_file()
        frame = pd.read_csv(page.parent / "figures" / "agreement.csv")
        assert frame.query("over == 'codecs'")["rho"].notna().any() == there
        drawn = (page.parent / "figures" / "agreement.svg").read_text()
        assert ("nothing, as 2 codecs and rates are too few" in drawn) != there
