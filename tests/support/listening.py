"""Answers to listening tests made up as the pages and webMUSHRA write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codecbench.listen.key import FORMAT, id_of
from codecbench.listen.pages import CHOICES, RATINGS

Score = Callable[[str, str], float]
"""The score of a trial and a condition's label."""


def key_of(
    kind: str, trials: int = 4, labels: tuple[str, ...] = ("opus@6",), **changed: Any
) -> dict[str, Any]:
    """Return a key as an export writes it; the trials of ABX have A for X, and the conditions in turn."""
    conditions = {
        f"c{n}": {"label": label, "kbps": 6.0, "signature": f"{label}|v:1"}
        for n, label in enumerate(labels, 1)
    }
    told = [
        {"trial": f"t{n}", "utterance": f"u{n}", "speaker": "s", "seconds": 4.0}
        | ({"condition": f"c{n % len(labels) + 1}", "x": "a"} if kind == "abx" else {})
        for n in range(trials)
    ]
    key: dict[str, Any] = {
        "format": FORMAT, "kind": kind, "seed": 0, "conditions": conditions, "trials": told,
        "anchors": {"anchor35": 3500.0, "anchor70": 7000.0} if kind == "mushra" else {"anchor35": 3500.0},
        "training": {"trial": "training", "utterance": "u", "speaker": "s", "seconds": 4.0},
        "bandwidth_hz": 8000.0, "notes": [],
    } | changed  # fmt: skip
    return {**key, "test": id_of(key)}


def write_key_of(folder: Path, kind: str, **options: Any) -> Path:
    """Write such a key and return its path."""
    path = folder / "key.json"
    path.write_text(json.dumps(key_of(kind, **options)))
    return path


def ratings(key: Mapping[str, Any], who: str, score: Score, time_ms: int = 20_000, session: str = "") -> str:
    """Return what a listener gave in a MUSHRA test, as CSV with a header."""
    names = {"reference": "reference", **{n: c["label"] for n, c in key["conditions"].items()}}
    names |= {name: name for name in key["anchors"]}
    rows = [
        (key["test"], who, session or who, item["trial"], name, score(item["trial"], label), time_ms)
        for item in (key["training"], *key["trials"])
        for name, label in names.items()
    ]
    return _text([RATINGS, *rows])


def choices(
    key: Mapping[str, Any],
    who: str,
    right: Callable[[int, str], bool],
    time_ms: int = 8000,
    session: str = "",
) -> str:
    """Return what a listener answered in an ABX test; ``right`` says it of a trial's place and condition."""
    other = {"a": "b", "b": "a"}
    labels = {name: told["label"] for name, told in key["conditions"].items()}
    rows = [(key["test"], who, session or who, "training", "a", time_ms)]
    for place, item in enumerate(key["trials"]):
        hit = right(place, labels[item["condition"]])
        rows.append(
            (key["test"], who, session or who, item["trial"], item["x"] if hit else other[item["x"]], time_ms)
        )
    return _text([CHOICES, *rows])


def _text(rows: list[tuple[Any, ...]]) -> str:
    class Lines(list[str]):
        write = list.append

    lines = Lines()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return "".join(lines)
