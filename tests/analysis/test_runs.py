"""Runs merged into one, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["metrics"]["stoi"].update(signature="stoi|v:2"), "metric 'stoi' has the signatures"),
        (lambda m: m["codecs"]["opus"].update(signature="opus|v:2"), "codec 'opus' has the signatures"),
        (lambda m: m["dataset"].update(revision="cd" * 32), "different speech"),
        (lambda m: m["utterances"].pop(), "different samples"),
    ],
)
def test_runs_that_do_not_compare_are_refused(
    change: Callable[[dict[str, object]], object], message: str, make_run: Callable[..., Path], tmp_path: Path
) -> None:
    folders = [make_run(tmp_path / name, utterances=4, audio=0, codecs=("pcm", "opus")) for name in "ab"]
    manifest = json.loads((folders[1] / "manifest.json").read_text())
    change(manifest)
    (folders[1] / "manifest.json").write_text(json.dumps(manifest))
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
