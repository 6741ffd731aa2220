"""Layout of a run's folder; names that come from others never lead out of it."""

from __future__ import annotations

import re
from pathlib import Path

from codecbench.names import MOST_BYTES, safe_name

RECORDS = "records.jsonl"
MANIFEST = "manifest.json"
TABLE = "table.csv"
AUDIO = "audio"
_TABLE_HEAD = b"codec,point,nominal_kbps,"


def audio_path(codec: str, point: str, utterance: str) -> str:
    """Return where decoded speech is kept, below the run's folder; safe on every file system."""
    return f"{AUDIO}/{_safe(codec)}@{_safe(point)}/{_safe(utterance)}.flac"


def reference_path(utterance: str) -> str:
    """Return where a reference is kept, below the run's folder."""
    return f"{AUDIO}/reference/{_safe(utterance)}.flac"


def _safe(name: str) -> str:
    """Return a name as a file name; labels and points are plain but for their colon, others get a hash."""
    if re.search(r"[^\w.+:/-]", name) or len(name.encode()) > MOST_BYTES:
        return safe_name(name)
    return re.sub(r"[:/]+", "-", name).lstrip(".") or "-"


def is_own_table(path: Path) -> bool:
    """Say whether a file is a run's table by its first columns; False where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(len(_TABLE_HEAD)) == _TABLE_HEAD
    except OSError:
        return False
