"""Runs merged into one, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codecbench.analysis import runs
from codecbench.analysis.summary import summary
from codecbench.errors import InvalidInput


def test_runs_merge_and_the_later_record_counts(make_run: Callable[..., Path], tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", utterances=6, audio=1, codecs=("pcm", "opus"))
    second = make_run(tmp_path / "b", utterances=6, audio=0, codecs=("pcm", "spc"))
    merged = runs.load_runs([first, second])
    assert list(merged.manifest["codecs"]) == ["pcm", "opus", "spc"]
    assert len(merged.records) == 6 * (1 + 5 + 1)
    assert merged.manifest["utterances"][0]["audio"] is not None
    assert len(summary(merged)) == 7


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter a stored manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["metrics"]["stoi"].update(signature="stoi|v:2"), "metric stoi has the signature"),
        (lambda m: m["codecs"]["opus"].update(signature="opus|v:2"), "codec opus has the signature"),
        (lambda m: m["dataset"].update(revision="cd" * 32), "different speech"),
        (lambda m: m["utterances"].pop(), "different samples"),
        (lambda m: m.update(device="cuda"), "device cpu there, cuda here"),
    ],
)
def test_runs_that_do_not_compare_are_refused(
    change: Callable[[dict[str, object]], object], message: str, make_run: Callable[..., Path], tmp_path: Path
) -> None:
    folders = [make_run(tmp_path / name, utterances=4, audio=0, codecs=("pcm", "opus")) for name in "ab"]
    change_manifest(folders[1], change)
    with pytest.raises(InvalidInput, match=message) as caught:
        runs.load_runs(folders)
    assert "\n" not in str(caught.value)


def test_audio_outside_the_run_is_not_taken(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=1, codecs=("pcm", "opus"))
    (tmp_path / "secret.flac").write_bytes(b"x")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["utterances"][0]["audio"] = "../secret.flac"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert runs.load_runs([folder]).manifest["utterances"][0]["audio"] is None


def test_runs_on_two_devices_merge_where_no_codec_is_in_both(make_run, tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", utterances=4, audio=0, codecs=("pcm", "opus"))
    second = make_run(tmp_path / "b", utterances=4, audio=0, codecs=("spc",))
    change_manifest(second, lambda m: m.update(device="cuda"))
    assert list(runs.load_runs([first, second]).manifest["codecs"]) == ["pcm", "opus", "spc"]


def test_a_run_of_the_first_format_still_reads(make_run, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=0, codecs=("pcm", "opus"))

    def as_it_was(manifest: dict[str, Any]) -> None:
        del manifest["left_out"]
        manifest["format"] = 1
        manifest["unavailable"] = [{"codec": "speex", "reason": "no library", "remedy": "install it"}]
        manifest["unmatched"] = [
            {"codec": "g722", "asked_kbps": 6.0, "nearest_kbps": 48.0, "nearest_point": "48"}
        ]

    change_manifest(folder, as_it_was)
    assert runs.load_runs([folder]).manifest["left_out"] == [
        {"kind": "codec", "name": "speex", "reason": "no library", "remedy": "install it"},
        {"kind": "rate", "name": "g722", "reason": "no point near 6 kbit/s, its nearest is 48", "remedy": ""},
    ]


def test_ground_truth_is_what_says_so_of_itself(make_run, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=0, codecs=("opus", "pcm"), points=1)
    assert runs.points(runs.load_runs([folder])) == [("pcm", "256"), ("opus", "6")]
    change_manifest(folder, lambda m: m["codecs"]["pcm"]["info"].update(kind="classical"))
    change_manifest(folder, lambda m: m["codecs"]["opus"]["info"].update(kind="anchor"))
    run = runs.load_runs([folder])
    assert runs.points(run) == [("opus", "6"), ("pcm", "256")]
    assert list(runs.without_truth(run, summary(run))["codec"]) == ["pcm"]


def test_own_models_stand_last_and_are_nobodys_by_default(make_run, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", utterances=3, audio=0, codecs=("spc", "pcm", "opus", "rvq"), points=1)
    change_manifest(
        folder, lambda m: m.update(codecs={f"{k}:x" if k == "rvq" else k: v for k, v in m["codecs"].items()})
    )
    assert runs.load_runs([folder]).ours == frozenset()
    run = runs.load_runs([folder], ["spc", "rvq"])
    assert run.ours == {"spc", "rvq:x"}
    assert [codec for codec, _ in runs.points(run)] == ["pcm", "opus", "spc", "rvq:x"]
    with pytest.raises(InvalidInput, match="unknown codec 'opsu'; did you mean 'opus'"):
        runs.load_runs([folder], ["opsu"])
