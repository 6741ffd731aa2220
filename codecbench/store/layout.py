"""Where the files of a run lie in its folder; names of others never lead out of it."""

from __future__ import annotations

import re

RECORDS = "records.jsonl"
MANIFEST = "manifest.json"
TABLE = "table.csv"
AUDIO = "audio"


def audio_path(codec: str, point: str, utterance: str) -> str:
    """Return where decoded speech is kept, below the run's folder; safe on every file system."""
    return f"{AUDIO}/{_safe(codec)}@{_safe(point)}/{_safe(utterance)}.flac"


def reference_path(utterance: str) -> str:
    """Return where a reference is kept, below the run's folder."""
    return f"{AUDIO}/reference/{_safe(utterance)}.flac"


def _safe(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).lstrip(".") or "-"
