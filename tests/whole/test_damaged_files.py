"""Runs and answers damaged by chance are used or refused in one line, never a defect of the program."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from listening import choices, key_of, ratings
from suite_fixtures import Answer

Cli = Callable[..., Answer]
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1e308, 10**30, "", "x", "\ud800", "../../x", "\x1b[31m", [], {}, [[]],
    {"a": 1}, [None],
]  # fmt: skip
CHANGES = 60


def _places(value: Any, place: tuple = ()) -> Iterator[tuple]:
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in list(items)[:30]:
        yield from _places(item, (*place, name))


def _changed(value: Any, rng: random.Random) -> Any:
    """Return JSON with one value lost, doubled, renamed or replaced."""
    value = copy.deepcopy(value)
    place = rng.choice(list(_places(value)))
    if not place:
        return rng.choice(ODD)
    parent = value
    for name in place[:-1]:
        parent = parent[name]
    what = rng.choice(["lose", "double", "replace", "replace"])
    if what == "lose":
        del parent[place[-1]]
    elif what == "double" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[place[-1]]))
    else:
        parent[place[-1]] = rng.choice(ODD)
    return value


def _bytes_changed(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return data[: rng.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.7:
        return json.dumps(_changed(json.loads(data), rng)).encode()
    return _bytes_changed(data, rng)


def _is_used_or_refused(answer: Answer) -> bool:
    assert "defect of this program" not in answer.err, answer.err
    assert answer.status == 0 or answer.err.count("\n") == 1, answer.err
    return answer.status == 0


@pytest.mark.parametrize("name", ["manifest.json", "records.jsonl"])
def test_a_damaged_run_is_read_or_named(
    cli: Cli, make_run: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    rng = random.Random(7)
    out = make_run(
        tmp_path / "run", utterances=4, audio=0, codecs=("pcm", "lyra"), points=1, metrics=("stoi",)
    )
    whole = (out / name).read_bytes()
    used = 0
    for _ in range(CHANGES):
        lines = [whole] if name == "manifest.json" else whole.splitlines(keepends=True)
        place = rng.randrange(len(lines))
        lines[place] = _damaged(lines[place].rstrip(b"\n"), rng) + b"\n"
        (out / name).write_bytes(b"".join(lines))
        used += _is_used_or_refused(cli("table", out))
    assert 0 < used < CHANGES


@pytest.mark.parametrize("kind", ["mushra", "abx"])
def test_damaged_answers_and_keys_are_read_or_named(cli: Cli, tmp_path: Path, kind: str) -> None:
    rng = random.Random(8)
    told = key_of(kind, trials=3)
    listeners = [f"l{number}" for number in range(3)]
    if kind == "mushra":
        rows = [ratings(told, who, lambda _, label: 90.0 + len(label)) for who in listeners]
    else:
        rows = [choices(told, who, lambda *_: True) for who in listeners]
    key, answers = tmp_path / "key.json", tmp_path / "answers.csv"
    good_key, good = json.dumps(told).encode(), "".join(rows).encode()
    used = 0
    for number in range(CHANGES):
        key.write_bytes(_damaged(good_key, rng) if number % 2 else good_key)
        answers.write_bytes(good if number % 2 else _bytes_changed(good, rng))
        used += _is_used_or_refused(cli("listen", "read", answers, "--key", key))
    assert 0 < used < CHANGES
