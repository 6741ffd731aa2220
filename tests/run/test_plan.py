"""What a command line asks for becomes the right cells, and nothing is dropped in silence."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from codecbench import registry
from codecbench.codec import OperatingPoint
from codecbench.data.folders import load_dataset
from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.metric import Metric
from codecbench.run.plan import (
    METRIC_GROUPS,
    Contestant,
    LeftOut,
    Plan,
    held_together,
    make_plan,
    require_something,
)


@pytest.fixture
def plan(folder: Path, fakes: Path):
    def make(codecs: str, **options) -> Plan:
        return make_plan(load_dataset(str(folder)), codecs, ["fake-snr"], **options)

    return make


def points(plan: Plan) -> list[str]:
    return [f"{entry.label}@{point.name}" for entry in plan.contestants for point in entry.points]


@pytest.mark.parametrize(
    ("codecs", "options", "expected"),
    [
        ("fake", {}, ["fake@64", "fake@32"]),
        ("fake@16", {}, ["fake@16"]),
        ("fake@16+64", {}, ["fake@16", "fake@64"]),
        ("fake", {"kbps": [64]}, ["fake@64"]),
        # Points off the ladder are found too; of two at one rate the first is taken.
        ("fake", {"kbps": [16]}, ["fake@16"]),
        ("fake", {"kbps": [17]}, ["fake@16"]),
        ("fake", {"kbps": [29.1]}, ["fake@32"]),
        ("fake", {"kbps": [60, 66]}, ["fake@64"]),
        ("fake", {"kbps": [16, 64]}, ["fake@16", "fake@64"]),
        ("fake", {"kbps": [20], "tolerance": 0.2}, ["fake@16"]),
        # One of the default ladder that is near enough goes before a nearer one that is not.
        ("fake", {"kbps": [20], "tolerance": 0.6}, ["fake@32"]),
        # Explicit points stand whatever rate the others shall have.
        ("fake@64,fake-8k", {"kbps": [32]}, ["fake@64", "fake-8k@32"]),
    ],
)
def test_points(plan, codecs: str, options: dict, expected: list[str]) -> None:
    assert points(plan(codecs, **options)) == expected


def test_it_is_told_which_points_stand_for_a_rate(plan) -> None:
    taken = plan("fake,fake-8k", kbps=[32, 15.2]).taken
    assert [(item.asked_kbps, str(item)) for item in taken] == [
        (32, "fake@32"), (15.2, "fake@16 (+5.3%)"), (32, "fake-8k@32"),
    ]  # fmt: skip


def test_unmatched_codecs_are_named_with_their_nearest_rate(plan) -> None:
    made = plan("fake,fake-8k", kbps=[50])
    assert points(made) == []
    assert [(item.kind, item.name, item.reason) for item in made.left_out] == [
        ("rate", "fake", "no point near 50 kbit/s, its nearest has 64"),
        ("rate", "fake-8k", "no point near 50 kbit/s, its nearest has 32"),
    ]
    with pytest.raises(CodecBenchError, match=r"fake is left out: no point near 50 kbit/s, .* fake@64, or"):
        require_something(made)


def test_unavailable_codecs_are_named_and_the_others_run(plan) -> None:
    made = plan("fake-absent,fake")
    assert points(made) == ["fake@64", "fake@32"]
    assert made.left_out == (LeftOut("codec", "fake-absent", "its library is not here", "run: install it"),)


@pytest.mark.parametrize(
    ("codecs", "message"),
    [
        ("fakee", "unknown codec 'fakee'; did you mean 'fake'?"),
        ("fake@7", "has no operating point '7'; it has: 64, 32, 16, 16-again"),
        ("fake:x", "takes no argument"),
    ],
)
def test_wrong_names_are_refused(plan, codecs: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(codecs)
    assert message in str(caught.value)


def test_cells_go_utterance_by_utterance(plan) -> None:
    """What metrics make of a reference serves all codecs that a worker holds open."""
    made = plan("fake-8k,fake")
    assert len(list(made)) == len(made) == 15
    assert [(cell.utterance.id, cell.codec, cell.point.name) for cell in made][:4] == [
        ("quiet-0", "fake-8k", "32"),
        ("quiet-0", "fake", "64"),
        ("quiet-0", "fake", "32"),
        ("quiet-1", "fake-8k", "32"),
    ]


def test_cells_go_codec_by_codec_where_models_are_large(plan) -> None:
    made = plan("fake-8k,fake")
    large = replace(made, contestants=tuple(map(_enlarged, made.contestants)))
    assert [[entry.label for entry in group] for group in held_together(large.contestants)] == [
        ["fake-8k"],
        ["fake"],
    ]
    assert [cell.codec for cell in large] == ["fake-8k"] * 5 + ["fake"] * 10
    assert {cell.key for cell in large} == {cell.key for cell in made}


def _enlarged(entry: Contestant) -> Contestant:
    codec = copy.copy(entry.codec)
    codec.info = replace(codec.info, parameters=200_000_000)
    return replace(entry, codec=codec)


def test_keys_are_distinct_and_stay(plan) -> None:
    keys = [cell.key for cell in plan("fake,fake-8k")]
    assert len(set(keys)) == len(keys)
    assert keys == [cell.key for cell in plan("fake,fake-8k")]


class Other(Metric):
    """Stands for any other metric: only its signature counts."""

    name = "other"

    def signature(self) -> str:
        return "other|v:1"

    def score(self, ref, deg) -> float:
        raise NotImplementedError


def test_keys_change_with_all_that_changes_the_result(plan, folder: Path) -> None:
    made = plan("fake@64")
    (entry,) = made.contestants
    (point,) = entry.points

    def keys(changed: Plan) -> set[str]:
        return {cell.key for cell in changed}

    def with_entry(**fields) -> Plan:
        return replace(made, contestants=(replace(entry, **fields),))

    before = keys(made)
    assert before.isdisjoint(keys(with_entry(signature="another")))
    assert before.isdisjoint(keys(with_entry(points=(replace(point, name="x"),))))
    assert before.isdisjoint(keys(with_entry(points=(replace(point, nominal_kbps=7),))))
    assert before.isdisjoint(keys(with_entry(points=(replace(point, settings={"step": 3}),))))
    assert before == keys(replace(made, metrics=(*made.metrics, Other())))
    first = folder / "quiet-0.wav"
    first.write_bytes((folder / "quiet-1.wav").read_bytes())
    assert len(before - keys(made)) == 1


def test_a_rate_nobody_knows_never_matches(plan, folder: Path) -> None:
    made = plan(f"folder:{folder}", kbps=[6])
    assert not made.contestants
    (left_out,) = made.left_out
    assert str(left_out) == (
        "folder:speech is left out: it has no known rate to compare with 6 kbit/s; "
        f"declare it, e.g. folder:{folder}@6"
    )


def test_a_plugin_that_cannot_be_imported_is_unavailable(plan) -> None:
    made = plan("fake-unimportable,fake")
    assert points(made) == ["fake@64", "fake@32"]
    assert "No module named 'codecbench_fakes_missing'" in made.left_out[0].reason


def test_points_survive_the_way_to_a_worker() -> None:
    import pickle

    point = OperatingPoint("8", 8.0, {"vbr": True})
    assert pickle.loads(pickle.dumps(point)) == point


def test_one_set_of_weights_under_two_labels_is_refused(plan) -> None:
    with pytest.raises(InvalidInput, match="'old' and 'new' are the same codec with the same weights at 64"):
        plan("old=fake@64,new=fake@64")
    assert points(plan("old=fake@64,new=fake@32")) == ["old@64", "new@32"]


def test_groups_of_metrics(folder: Path) -> None:
    def named(*metrics: str) -> list[str]:
        made = make_plan(load_dataset(str(folder)), "pcm", metrics)
        return [metric.name for metric in made.metrics]

    assert named("fast", "stoi", "mcd-dtw") == [*METRIC_GROUPS["fast"], "mcd-dtw"]
    fetched = {
        f"{rate}-{size}" for rate in ("wer", "cer", "dwer", "dcer") for size in ("base", "small", "medium")
    }
    assert set(named("all")) == set(registry.names(registry.METRICS)) - fetched
    with pytest.raises(InvalidInput, match="did you mean 'stoi'"):
        named("fast", "stoy")


@pytest.mark.parametrize("group", METRIC_GROUPS)
def test_groups_name_registered_metrics_and_no_group_is_one(group: str) -> None:
    known = registry.names(registry.METRICS)
    assert set(METRIC_GROUPS[group]) <= set(known)
    assert not {group, "all"} & set(known)
