"""The key of a listening test: what hides behind its names, and the test's id.

The id is a hash of all that makes the test: kind, seed, conditions with the signatures of their codecs,
anchors, and trials.  It is checked on reading, so that answers cannot be read with another test's key, nor
with one that was changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from codecbench.errors import InvalidInput
from codecbench.fields import (
    Check,
    distinct,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    read_json,
    record,
    text,
    whole,
)
from codecbench.files import write_atomically

Kind = Literal["mushra", "abx"]
KINDS: tuple[Kind, ...] = ("mushra", "abx")
KEY = "key.json"
FORMAT = 2
REFERENCE = "reference"
TRAINING = "training"
"""The trial that listeners begin with; its answers do not count."""

Key = dict[str, Any]


class Remark(NamedTuple):
    """Something to know of a test: the fact, which the key keeps, and what may be done about it."""

    fact: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.fact}; {self.advice}" if self.advice else self.fact


_HASHED = ("kind", "seed", "conditions", "anchors", "trials", TRAINING)
_TRIAL = {
    "trial": text(100), "utterance": text(4096), "speaker": text(4096), "seconds": number(0, 1e3),
}  # fmt: skip
_CONDITION = record({"label": text(4096), "kbps": maybe(number(0, 1e9)), "signature": text()})
_COMMON = {
    "test": text(100), "conditions": map_of(_CONDITION), "anchors": map_of(number(1, 1e6)),
    "bandwidth_hz": number(1, 1e6), TRAINING: record(_TRIAL), "notes": list_of(text()), "seed": whole(),
}  # fmt: skip
_ABX_TRIAL: dict[str, Check] = {**_TRIAL, "condition": text(100), "x": one_of("a", "b")}
_KEYS = {
    "mushra": record({**_COMMON, "trials": distinct("trial", list_of(record(_TRIAL), 1))}),
    "abx": record({**_COMMON, "trials": distinct("trial", list_of(record(_ABX_TRIAL), 1))}),
}
_KIND = record({"format": one_of(FORMAT), "kind": one_of(*_KEYS)})


def id_of(key: Mapping[str, Any]) -> str:
    """Return a test's id: lower-case letters, digits and dashes, which every program leaves as they are."""
    told = json.dumps([key[name] for name in _HASHED], sort_keys=True, ensure_ascii=True)
    return f"codecbench-{key['kind']}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def write_key(folder: Path, key: Mapping[str, Any]) -> Path:
    """Write the key into a test's folder, outside of what listeners get."""
    path = folder / KEY
    told = {"format": FORMAT, "test": id_of(key), **key}
    write_atomically(path, json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_key(path: Path) -> Key:
    """Read and check a key.

    Raises
    ------
    InvalidInput
        If it is none, or its content is not that of the test whose id it bears.
    """
    path = Path(path)
    try:
        found = read_json(path, _check, "the key of a listening test", "give the key.json of its export")
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(
            f"{path}: not the key of a listening test: no such file; give the key.json of its export"
        ) from None
    key = cast(Key, found)
    if key["test"] != id_of(key):
        raise InvalidInput(
            f"{path}: was changed since its export: it is called {key['test']} and its content belongs to "
            f"{id_of(key)}; take the file as it was exported"
        )
    return key


def _check(value: object, where: str) -> None:
    _KIND(value, where)
    assert isinstance(value, dict)
    _KEYS[value["kind"]](value, where)
    for index, trial in enumerate(value["trials"]):
        if "condition" in trial:
            one_of(*value["conditions"])(trial["condition"], f"{where}.trials[{index}].condition")
