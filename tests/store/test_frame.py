"""Records as a table: the last of each cell, in the manifest's order, however they are split into batches."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from codecbench.errors import InvalidInput
from codecbench.store import frame as module
from codecbench.store.frame import frame
from codecbench.store.records import read_records
from codecbench.store.store import load_run, read_manifest


@pytest.fixture(scope="module")
def folder(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("frame") / "run", utterances=6, codecs=("pcm", "opus", "spc"))


def test_batches_do_not_change_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_run(folder).records
    monkeypatch.setattr(module, "BATCH", 7)
    pd.testing.assert_frame_equal(load_run(folder).records, whole)


def test_rows_hold_what_the_records_say_in_the_order_of_the_manifest(folder: Path) -> None:
    manifest = read_manifest(folder)
    records = list(read_records(folder))
    shuffled = [{**records[3], "seconds": 99.0}, *records[::-1]]
    table = frame(shuffled, manifest)
    assert len(table) == len(records)
    for record, row in zip(records, table.to_dict("records"), strict=True):
        assert [row[name] for name in ("utterance", "codec", "point")] == [
            record[name] for name in ("utterance", "codec", "point")
        ]
        assert row["seconds"] == record["seconds"], "the last record of a cell counts"
        for metric in manifest["metrics"]:
            score = record["scores"][metric]
            assert row[metric] == score or (score is None and math.isnan(row[metric]))
            assert row[f"weight:{metric}"] == 1.0
            reason = row[f"reason:{metric}"]
            assert (reason if isinstance(reason, str) else None) == record["reasons"].get(metric)


def test_records_that_the_manifest_lacks_come_last(folder: Path) -> None:
    manifest = read_manifest(folder)
    records = list(read_records(folder))
    strange = {**records[0], "codec": "unheard-of"}
    later = {**records[0], "utterance": "one more"}
    found = frame([strange, later, *records], manifest)
    assert found["codec"].iloc[-1] == "unheard-of"
    assert list(found["utterance"])[:7] == [*(item["id"] for item in manifest["utterances"]), "one more"]


def test_no_record_gives_a_table_without_rows(folder: Path) -> None:
    assert len(frame([], read_manifest(folder))) == 0


@pytest.mark.parametrize("field", ["lag_note", "inverted", "settled_lag_ms"])
def test_a_wrong_field_is_named(folder: Path, tmp_path: Path, field: str) -> None:
    line = json.dumps({**next(iter(read_records(folder))), field: ["x"]})
    (tmp_path / "records.jsonl").write_text(line + "\n")
    with pytest.raises(InvalidInput, match=field):
        list(read_records(tmp_path))
