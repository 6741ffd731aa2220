"""Utterances coded at once give the records of one at a time, whatever goes wrong with the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codecbench import benchmark, load_dataset, make_plan, registry
from codecbench.codec import Coded
from codecbench.errors import WrongUsage
from codecbench.run.benchmark import Watch
from codecbench.run.cell import Task
from codecbench.run.together import LIKE, batched
from codecbench.store.records import read_records, without_timings
from codecbench.testing.codecs import check_codec


@pytest.fixture
def sizes(fakes: Path, monkeypatch) -> list[int]:
    """Let the fake codecs batch, and return how many utterances each call had."""
    fake, found = registry.load(registry.CODECS, "fake"), []

    def encode_batch(self, waves, point):
        found.append(len(waves))
        return [self.encode(wave, point) for wave in waves]

    monkeypatch.setattr(fake, "encode_batch", encode_batch)
    monkeypatch.setattr(fake, "batches", True)
    return found


def records(out: Path) -> dict[str, dict]:
    return {record["key"]: without_timings(record) for record in read_records(out)}


def test_records_are_those_of_one_at_a_time(folder: Path, tmp_path: Path, sizes: list[int]) -> None:
    plan = make_plan(load_dataset(folder), "fake,fake-late:40,pcm", ["fake-snr", "fake-level"])
    benchmark(plan, tmp_path / "single", executor="serial")
    assert not sizes
    done = benchmark(plan, tmp_path / "batched", executor="serial", batch=3)
    assert max(sizes) in (2, 3)
    assert (done.computed, done.failed) == (20, 0)
    assert records(tmp_path / "batched") == records(tmp_path / "single")
    assert (done.run.records.query("codec != 'pcm'")["encode_s"] > 0).all()


@pytest.mark.parametrize("fault", ["raise", "length", "segfault"])
def test_one_that_fails_costs_its_own_cell(folder: Path, fakes: Path, tmp_path: Path, fault: str) -> None:
    codec = f"fake-faulty-batch:{fault}@64"
    plan = make_plan(load_dataset(folder), codec, ["fake-snr"])
    single = benchmark(plan, tmp_path / "single", workers=1)
    together = benchmark(plan, tmp_path / "batched", workers=1, batch=8)
    assert single.failed == together.failed == 1
    assert records(tmp_path / "batched") == records(tmp_path / "single")


def test_blocks_are_of_like_length_and_stay_together(folder: Path, sizes: list[int]) -> None:
    data = load_dataset(folder)
    lengths = (1.0, 9.0, 1.2, 1.1, 1.3)
    utterances = [replace(it, seconds=s) for it, s in zip(data.utterances, lengths, strict=True)]
    plan = make_plan(replace(data, utterances=tuple(utterances)), "fake@64,pcm", ["fake-snr"])
    parts = batched(plan, [Task(cell, plan.metrics) for cell in plan], 3)
    told = [[(task.cell.codec, task.cell.utterance.seconds) for task in part] for part in parts]
    assert [part for part in told if part[0][0] == "fake"] == [
        [("fake", 1.0), ("fake", 1.2), ("fake", 1.1)], [("fake", 1.3)], [("fake", 9.0)]
    ]  # fmt: skip
    assert [len(part) for part in told if part[0][0] == "pcm"] == [1] * 5
    assert [name for name, _ in told[0]] == ["fake"] * 3
    assert [part[0][0] for part in told[1:4]] == ["pcm"] * 3, "codecs share a block's references"
    assert max(lengths[i] for i in (0, 2, 3)) <= LIKE


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"executor": "dask", "scheduler": "tcp://x"}, "--batch goes with --executor processes or serial"),
        ({"costs": True}, "--costs times one utterance at a time"),
    ],
)
def test_what_goes_one_by_one_refuses_batches(fakes, folder: Path, tmp_path: Path, how, message) -> None:
    plan = make_plan(load_dataset(folder), "fake@64", ["fake-snr"])
    with pytest.raises(WrongUsage, match=message):
        benchmark(plan, tmp_path / "out", batch=2, **how)


def test_a_run_without_a_codec_that_can_says_so(fakes, folder: Path, tmp_path: Path) -> None:
    plan = make_plan(load_dataset(folder).sample(1), "pcm", ["fake-snr"])
    told: list[str] = []
    benchmark(plan, tmp_path / "out", executor="serial", batch=2, watch=Watch(told.append))
    assert "no codec here codes several utterances at once: --batch changes nothing" in told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda coded: coded, None),
        (lambda coded: coded[:-1], "encode_batch gave list of 3, not a list of 4"),
        (lambda coded: [*coded[:-1], Coded(coded[-1].payload[::-1], coded[-1].length, 10)], "other bytes"),
    ],
)
def test_the_selftest_tells_batches_that_differ(sizes, monkeypatch, given, message) -> None:
    fake = registry.load(registry.CODECS, "fake")
    monkeypatch.setattr(
        fake,
        "encode_batch",
        lambda self, waves, point: given([self.encode(wave, point) for wave in waves]),
    )
    (found,) = [result for result in check_codec("fake") if result.check == "batches"]
    assert found.passed is (message is None), found
    assert message is None or message in str(found.measured)


def test_the_selftest_tells_samples_that_differ(sizes, monkeypatch) -> None:
    fake = registry.load(registry.CODECS, "fake")
    off = np.float32(1e-4)
    monkeypatch.setattr(
        fake, "decode_batch", lambda self, coded, point: [self.decode(each, point) + off for each in coded]
    )
    (found,) = [result for result in check_codec("fake") if result.check == "batches"]
    assert not found.passed
    assert "samples differ by 0.0001" in str(found.measured)
