"""A dry run computes a few cells and says what the whole will take."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import codecbench
from codecbench.cli.planned import show
from codecbench.data.sets import Dataset, Utterance
from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.run.benchmark import Watch
from codecbench.run.calibrate import spread
from codecbench.run.estimate import Estimate


@pytest.fixture
def arguments(fakes: Path, folder: Path, tmp_path: Path) -> Callable[..., tuple[Any, Path]]:
    """Return a function that makes a plan and the folder of its run."""

    def make(codecs: str = "fake", *metrics: str) -> tuple[Any, Path]:
        plan = codecbench.make_plan(codecbench.load_dataset(folder), codecs, metrics or ["fake-snr"])
        return plan, tmp_path / "out"

    return make


def test_cells_and_parts_are_those_of_the_plan_and_nothing_is_written(arguments) -> None:
    plan, out = arguments("fake,fake-8k", "fake-snr", "fake-level")
    found = codecbench.estimate(plan, out, executor="serial", workers=3, utterances=1)
    assert (found.cells, found.stored, dict(found.cells_of)) == (15, 0, {"fake": 10, "fake-8k": 5})
    assert found.audio_seconds == pytest.approx(9)
    assert set(found.spent_s["fake"]) == {
        "codec", "fake-snr", "fake-level", "audio", "other", "recoded_equal",
    }  # fmt: skip
    assert min(min(parts.values()) for parts in found.spent_s.values()) > 0
    assert set(found.wall_s) == {1, 2, 3, 4, 8}
    assert found.failed == ()
    assert not out.exists()


def test_disk_is_near_what_the_run_writes(arguments) -> None:
    plan, out = arguments()
    found = codecbench.estimate(plan, out, executor="serial", audio="all")
    codecbench.benchmark(plan, out, executor="serial", audio="all")
    written = sum(path.stat().st_size for path in (out / "audio").rglob("*.flac"))
    assert found.audio_bytes == pytest.approx(written, rel=0.2)
    assert found.record_bytes == pytest.approx((out / "records.jsonl").stat().st_size, rel=0.2)


def test_what_is_stored_is_not_counted_but_scores_it_lacks_are(arguments) -> None:
    plan, out = arguments("fake@64")
    codecbench.benchmark(plan, out, executor="serial")
    assert codecbench.estimate(plan, out, executor="serial").cells == 0
    assert codecbench.estimate(plan, out, executor="serial", rerun="all").cells == 5
    assert codecbench.estimate(plan, out, executor="serial", overwrite=True).cells == 5
    more, _ = arguments("fake", "fake-snr", "fake-level")
    found = codecbench.estimate(more, out, executor="serial", utterances=1)
    assert (found.cells, found.stored) == (10, 0)
    scored, _ = arguments("fake@64", "fake-snr", "fake-level")
    found = codecbench.estimate(scored, out, executor="serial", utterances=1)
    assert set(found.spent_s["fake"]) == {"codec", "fake-level", "other"}


def test_a_run_that_does_not_compare_is_refused_as_the_run_would_be(arguments) -> None:
    plan, out = arguments()
    codecbench.benchmark(plan, out, executor="serial")
    with pytest.raises(InvalidInput, match="does not compare with this one"):
        codecbench.estimate(plan, out, executor="serial", align="file")


def test_cells_that_fail_are_said(arguments) -> None:
    plan, out = arguments("fake-faulty:raise@64")
    found = codecbench.estimate(plan, out, executor="serial", utterances=5)
    assert found.failed == ("fake-faulty:raise@64 failed on the-loud: RuntimeError: cannot encode this",)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"utterances": 0}, "0 utterances"),
        ({"executor": "dask"}, "leave --executor dask out"),
        ({"costs": True}, "leave --costs out"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(arguments, how: dict[str, Any], message: str) -> None:
    with pytest.raises(CodecBenchError, match=message):
        codecbench.estimate(*arguments(), **how)


def test_the_calibrated_utterances_stand_for_all_lengths() -> None:
    made = [Utterance(f"u{number:02}", Path("x"), "a", float(number)) for number in range(12)]
    chosen = spread(Dataset("x", tuple(made), ""), 4)
    assert [item.seconds for item in chosen] == [4, 7, 1, 10]
    assert len(spread(Dataset("x", tuple(made[:2]), ""), 4)) == 2


def test_the_command_line_prints_it(cli, folder: Path, tmp_path: Path) -> None:
    base = ("run", "--data", folder, "-o", tmp_path / "o", "--codecs", "fake", "--plan")
    answer = cli(*base, "--metrics", "fake-snr", "--executor", "serial", "-j", 2)
    assert answer.status == 0
    assert "computing 3 cells, and up to 6 more within 60 s" in answer.err
    assert "9/9 cells" in answer.err
    lines = answer.out.splitlines()
    assert lines[0] == "10 cells to compute; 6 s of speech to code"
    assert re.fullmatch(r"reckoned from 9 cells that took \S+ s here; seconds of one core:", lines[1])
    assert lines[2].split() == [
        "codec", "cells", "coding", "fake-snr", "recoding", "keeping", "other", "seconds",
    ]  # fmt: skip
    assert not re.search(r"\de-\d", answer.out)
    assert [line.partition(":")[0] for line in lines[-2:]] == [
        "4 workers, a core each",
        "8 workers, a core each",
    ]
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("patience_s", "cells"), [(0.0, 3 + 2), (60.0, 4 * 3 + 2)])
def test_patience_bounds_the_utterances_after_the_first(
    arguments, monkeypatch, patience_s: float, cells: int
) -> None:
    """Each codec computes one cell more, in which all is loaded."""
    monkeypatch.setattr("codecbench.run.calibrate.PATIENCE_S", patience_s)
    told: list[Any] = []
    watch = Watch(begin=told.append, record=lambda record: told.append(record["codec"]))
    found = codecbench.estimate(*arguments("fake,fake-8k"), executor="serial", watch=watch)
    assert (found.measured, len(told) - 1, told[0]) == (cells, cells, 14)
    assert 0 < found.measured_s < 60
    assert set(found.spent_s) == {"fake", "fake-8k"}
    assert found.cells == 15


def test_hours_are_told_in_a_unit_that_fits(capsys) -> None:
    for hours, unit, shown in ((1e-5, "seconds", "0.04"), (0.05, "minutes", "3.00"), (50.0, "hours", "50.0")):
        spent = {"fake": {"codec": 3600 * hours, "stoi": 1e-7}}
        show(Estimate(1, 0, 1.0, spent, {"fake": 1}, 0.0, 0.0, {1: 3600 * hours}, (), 2, 3.0), as_json=False)
        lines = capsys.readouterr().out.splitlines()
        assert lines[1] == f"reckoned from 2 cells that took 3 s here; {unit} of one core:"
        assert lines[2].split() == ["codec", "cells", "coding", "stoi", unit]
        assert lines[3].split() == ["fake", "1", shown, "<0.01", shown]


@pytest.mark.slow
def test_the_time_is_that_of_a_real_run_within_a_fifth(arguments, monkeypatch) -> None:
    import codecbench_fakes

    plain = codecbench_fakes.Snr.score

    def slow(self: Any, ref: Any, deg: Any) -> float:
        # Sleeping takes as long on a busy machine as on a free one.
        time.sleep(ref.size / self.sample_rate_hz)
        return float(plain(self, ref, deg))

    monkeypatch.setattr(codecbench_fakes.Snr, "score", slow)
    plan, out = arguments()
    expected = codecbench.estimate(plan, out, executor="serial", utterances=2).wall_s[1]
    begin = time.perf_counter()
    codecbench.benchmark(plan, out, executor="serial")
    assert expected == pytest.approx(time.perf_counter() - begin, rel=0.2)
