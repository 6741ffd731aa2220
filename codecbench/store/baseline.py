"""Stored baselines: a part of a run in one JSON file, so that the old system need not be run again.

The file holds the manifest and the records of the codecs and points chosen, without audio.  Tokens stay:
code length and codebook use compare only over the same utterances.  It is checked on reading like a run's
folder, and compares by the same rule.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

from codecbench.errors import InvalidInput
from codecbench.fields import list_of, one_of, read_json, record
from codecbench.store import schema
from codecbench.store.frame import frame
from codecbench.store.manifest import current
from codecbench.store.records import MEASURED, read_records
from codecbench.store.store import Run

SUFFIX = ".json"
FORMAT = "codecbench-baseline-1"

_CHECK = record(
    {
        "format": one_of(FORMAT),
        "manifest": schema.manifest,
        "records": list_of(schema.record_of(MEASURED), 1),
    }
)


def baseline(run: Run, entries: Collection[tuple[str, str]]) -> str:
    """Return the text of a baseline: these codecs and points of a stored run."""
    codecs: dict[str, Any] = {}
    for codec, entry in run.manifest["codecs"].items():
        points = [point for point in entry["points"] if (codec, point["name"]) in entries]
        if points:
            codecs[codec] = {**entry, "points": points}
    utterances = [{**item, "audio": None} for item in run.manifest["utterances"]]
    last = {
        (found["utterance"], found["codec"], found["point"]): {**found, "audio": None}
        for found in read_records(run.out)
        if (found["codec"], found["point"]) in entries
    }
    manifest = {**run.manifest, "codecs": codecs, "utterances": utterances, "left_out": []}
    whole = {"format": FORMAT, "manifest": manifest, "records": list(last.values())}
    return json.dumps(whole, allow_nan=False, separators=(",", ":")) + "\n"


def read_baseline(path: Path) -> Run:
    """Read a baseline as a run without audio; raises `InvalidInput`."""
    advice = "write one with codecbench gate --save FILE.json RUN"
    try:
        found = cast(dict[str, Any], read_json(path, _CHECK, "a stored baseline", advice))
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(f"{path}: no such file; {advice}") from None
    manifest = current(found["manifest"])
    return Run(path, manifest, frame(found["records"], manifest))
