"""A key is checked on reading, by its fields and against its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codecbench.errors import InvalidInput
from codecbench.listen.key import id_of, read_key
from listening import key_of, write_key_of


@pytest.mark.parametrize("kind", ["mushra", "abx"])
def test_what_was_written_is_read(tmp_path: Path, kind: str) -> None:
    assert read_key(write_key_of(tmp_path, kind)) == key_of(kind)


def test_every_part_of_a_test_makes_its_id() -> None:
    key = key_of("mushra")
    assert id_of(key).startswith("codecbench-mushra-")
    changes: list[dict[str, Any]] = [
        {"seed": 1},
        {"conditions": {"c1": {**key["conditions"]["c1"], "label": "opus@8"}}},
        {"conditions": {"c1": {**key["conditions"]["c1"], "signature": "other weights"}}},
        {"anchors": {"anchor20": 2000.0, "anchor35": 3500.0}},
        {"trials": key["trials"][:-1]},
        {"training": {**key["training"], "utterance": "other"}},
    ]
    assert len({id_of(key | change) for change in changes} | {id_of(key)}) == 1 + len(changes)
    assert id_of(key | {"notes": ["said"]}) == id_of(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": [{"trial": "t1"}]}, r"trials\[0\].utterance' is missing"),
        ({"kind": "mos"}, "'kind'"),
        ({"trials": None}, "'trials' is null"),
        ({"trials": []}, "'trials'"),
        ({"format": 1}, "'format' is 1"),
        ({"seed": 7}, "changed since its export"),
        ({"conditions": {}}, r"trials\[0\].condition"),
        (
            {"conditions": {"c1": {"label": "lyra@6", "kbps": 6.0, "signature": "x"}}},
            "changed since its export",
        ),
    ],
)
def test_a_damaged_or_changed_key_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_key_of(tmp_path, "abx")
    path.write_text(json.dumps({**key_of("abx"), **change}))
    with pytest.raises(InvalidInput, match=message) as caught:
        read_key(path)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not the key of a listening test: no such file"):
        read_key(tmp_path / "key.json")
