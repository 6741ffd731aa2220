"""How stable tokens are: counted by hand, and on a stated sample of a run's utterances alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codecbench import benchmark, estimate, load_dataset, make_plan, registry
from codecbench.codec import Coded, OperatingPoint
from codecbench.errors import WrongUsage
from codecbench.run.recoding import DEFAULT_RECODED, recoded_equal
from codecbench.store.merging import merge_runs
from codecbench.store.store import load_run


@pytest.fixture
def run(fakes: Path, folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that benchmarks codecs on five clips in this process and returns the run."""

    def call(codecs: str = "fake@32", *, to: str = "out", **how: Any) -> Any:
        plan = make_plan(load_dataset(folder), codecs, ["fake-snr"])
        return benchmark(plan, tmp_path / to, executor="serial", **how).run

    return call


def recoded(run: Any) -> set[str]:
    """Return the utterances of which the records of a run know how stable their tokens are."""
    return set(run.records[run.records["recoded_equal"].notna()]["utterance"])


def stated(run: Any) -> set[str]:
    return {item["id"] for item in run.manifest["utterances"] if item["recoded"]}


@pytest.fixture
def encodings(fakes: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by a line with each encoding of the codec ``fake``."""
    kind, done = registry.load(registry.CODECS, "fake"), []
    encode = kind.encode

    def counted(self: Any, wave: Any, point: Any) -> Any:
        done.append(point.name)
        return encode(self, wave, point)

    monkeypatch.setattr(kind, "encode", counted)
    return done


@pytest.mark.parametrize(("asked", "many"), [(2, 2), ("3", 3), ("all", 5), ("none", 0), (0, 0), (99, 5)])
def test_a_second_coding_is_spent_on_the_sample_alone(run, encodings, asked, many) -> None:
    run(to="warmed-up", recode="none")
    encodings.clear()
    found = run(recode=asked)
    assert len(encodings) == 5 + many
    assert len(recoded(found)) == many
    assert recoded(found) == stated(found)


def test_by_default_a_few_utterances_tell(fakes, folder, tmp_path) -> None:
    for number in range(4, 4 + DEFAULT_RECODED):
        shutil.copy(folder / "quiet-0.wav", folder / f"quiet-{number}.wav")
    (folder / "manifest.csv").unlink()
    plan = make_plan(load_dataset(folder), "fake@32", ["fake-snr"])
    found = benchmark(plan, tmp_path / "out", executor="serial").run
    assert len(found.records) == DEFAULT_RECODED + 5
    assert len(recoded(found)) == DEFAULT_RECODED


def test_the_sample_has_both_speakers(run) -> None:
    found = run(recode=2)
    speakers = found.records[found.records["recoded_equal"].notna()]["speaker"]
    assert set(speakers) == {"a", "b"}


def test_scoring_again_and_more_codes_nothing_a_second_time(run, encodings, folder, tmp_path) -> None:
    run(recode="all")
    encodings.clear()
    plan = make_plan(load_dataset(folder), "fake@32", ["fake-snr", "fake-level"])
    again = benchmark(plan, tmp_path / "out", executor="serial", recode="all").run
    assert len(encodings) == 5
    assert len(recoded(again)) == 5


def test_what_was_measured_before_stays_and_is_stated(run) -> None:
    first = stated(run(recode=1))
    later = run("fake@64", recode=2)
    assert first < stated(later)
    assert {len(part) for _, part in later.records.dropna(subset=["recoded_equal"]).groupby("point")} == {
        1,
        2,
    }


def test_shards_have_one_sample_together(run, tmp_path) -> None:
    parts = [run(recode=2, shard=f"{part}/2") for part in (1, 2)]
    merge_runs([part.out for part in parts], tmp_path / "merged")
    merged = load_run(tmp_path / "merged")
    assert recoded(merged) == stated(merged) == stated(parts[0]) == stated(parts[1])
    assert len(recoded(merged)) == 2


def test_a_dry_run_reckons_with_the_sample(fakes, folder, tmp_path) -> None:
    plan = make_plan(load_dataset(folder), "fake@32", ["fake-snr"])
    spent = {
        many: estimate(plan, tmp_path / "out", executor="serial", recode=many).spent_s["fake"]
        for many in ("none", 1, "all")
    }
    assert "recoded_equal" not in spent["none"]
    assert spent[1]["recoded_equal"] > 0 and spent["all"]["recoded_equal"] > 0


@pytest.mark.parametrize("wrong", ["some", "-1", "1.5"])
def test_a_sample_that_is_none_is_refused(run, wrong) -> None:
    with pytest.raises(WrongUsage, match=f"--recode '{wrong}' is not usable; give a number, all or none"):
        run(recode=wrong)


class Recoder:
    """Gives these tokens for whatever it is to code, or fails."""

    def __init__(self, codes) -> None:
        self.codes = codes

    def encode(self, wave, point) -> Coded:
        if self.codes is None:
            raise RuntimeError("too loud")
        return Coded(b"1", wave.size, codes=np.asarray(self.codes))


@pytest.mark.parametrize(
    ("again", "share"),
    [
        ([[1, 2, 3], [4, 5, 6]], 1.0),
        ([[1, 2, 0], [4, 0, 6]], 4 / 6),
        ([[1, 2], [4, 5]], 4 / 6),  # what is missing is not equal
        ([[1, 2, 3, 4], [4, 5, 6, 7]], 6 / 8),
        (None, None),
    ],
)
def test_stability_is_the_share_of_tokens_that_a_second_coding_leaves(again, share) -> None:
    codes = np.array([[1, 2, 3], [4, 5, 6]])
    point = OperatingPoint("1", 1.0)
    found = recoded_equal(Recoder(again), codes, np.zeros(64_000, np.float32), point)
    assert found == share


def test_only_codecs_with_tokens_have_a_stability(run) -> None:
    assert set(run("fake@32").records["recoded_equal"]) == {1.0}
    assert run("pcm", to="other").records["recoded_equal"].isna().all()
