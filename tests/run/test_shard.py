"""Shards of a run, merged, are the run: the same records, kept speech and table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench import load_dataset, make_plan
from codecbench.errors import InvalidInput
from codecbench.run.shard import Shard, parse_shard
from codecbench.store.records import read_records, without_timings
from codecbench.store.store import load_run

CODECS = "fake,fake-late:40,fake-faulty:raise@64"
HOW = ("--metrics", "fake-snr,fake-level", "--executor", "serial", "--audio", "2")


def last(out: Path) -> dict[str, dict]:
    return {record["key"]: without_timings(record) for record in read_records(out)}


def test_merged_shards_are_one_run(cli, folder: Path, tmp_path: Path) -> None:
    command = ("run", "--codecs", CODECS, "--data", folder, *HOW)
    whole, out = tmp_path / "whole", tmp_path / "array"
    assert cli(*command, "--out", whole).status == 0
    shards = []
    for index in (1, 2, 3):
        # A part whose only utterance fails is an error of that part; its records stand.
        cli(*command, "--out", out, "--shard", f"{index}/3")
        shards.append(out / f"shard-{index}-of-3")
    sizes = [len(last(shard)) for shard in shards]
    assert sum(sizes) == len(last(whole)) == 20
    assert max(sizes) - min(sizes) == 4

    early = cli("merge", *shards[:2], "--out", out, "--strict")
    assert early.status == 1
    assert f"{sizes[2]} of 20 cells are missing; run the same command without --shard" in early.err
    late = cli("merge", *shards, "--out", out)
    assert f"{sizes[2]} records taken into {out}" in late.err
    assert "missing;" not in late.err
    again = cli(*command, "--out", out)
    assert "0 cells to compute, 20 stored" in again.err
    assert last(out) == last(whole)
    assert cli("merge", *shards, "--out", out, "--strict").status == 0

    (merged, one) = (load_run(folder).manifest for folder in (out, whole))
    for name in ("dataset", "codecs", "metrics", "utterances", "left_out", "align", "device"):
        assert merged[name] == one[name], name
    kept = sorted(path.relative_to(whole) for path in whole.rglob("*.flac"))
    assert len(kept) > 4
    assert [(out / name).read_bytes() for name in kept] == [(whole / name).read_bytes() for name in kept]


def test_a_lag_that_shards_settled_apart_is_told_and_undone(cli, folder: Path, tmp_path: Path) -> None:
    """The lag of a codec is the median over all utterances; a shard knows only its own."""
    decoded = tmp_path / "decoded"
    decoded.mkdir()
    for number, path in enumerate(sorted(folder.glob("*.wav"))):
        wave, rate_hz = soundfile.read(path)
        late = np.concatenate([np.zeros(40 * (1 + number // 2)), wave])
        soundfile.write(decoded / path.name, late[: wave.size], rate_hz)
    command = ("score", "--ref", folder, "--deg", decoded, *HOW)
    whole, out = tmp_path / "whole", tmp_path / "array"
    cli(*command, "--out", whole)
    for index in range(1, 6):
        cli(*command, "--out", out, "--shard", f"{index}/5")
    merged = cli("merge", *sorted(out.glob("shard-*")), "--out", out, "--strict")
    assert merged.status == 1
    assert "records are scored with another lag undone than that of all parts" in merged.err
    cli(*command, "--out", out)
    assert last(out) == last(whole)


def test_more_shards_than_utterances_leave_some_with_nothing(cli, folder: Path, tmp_path: Path) -> None:
    answer = cli("run", "--codecs", "fake", "--data", folder, "--out", tmp_path, *HOW, "--shard", "7/9")
    assert answer.status == 0, answer.err
    assert "0 cells to compute" in answer.err
    assert last(tmp_path / "shard-7-of-9") == {}


def test_parts_cover_a_plan_once(fakes: Path, folder: Path) -> None:
    plan = make_plan(load_dataset(folder), "fake", ["fake-snr"])
    keys = [cell.key for index in (1, 2, 3) for cell in Shard(index, 3).of(plan)]
    assert sorted(keys) == sorted(cell.key for cell in plan)
    assert Shard(7, 100).folder(Path("runs/x")) == Path("runs/x/shard-007-of-100")


@pytest.mark.parametrize("text", ["3", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/3/5", "1.5/3"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="give I/N with I from 1 to N"):
        parse_shard(text)
    assert parse_shard("") is None
