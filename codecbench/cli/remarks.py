"""Remarks below the table of a run: how speech lies in time, and on whose voices means rest."""

from __future__ import annotations

from collections.abc import Iterator

from codecbench.anchors import Folder
from codecbench.data.folders import Dataset, Utterance
from codecbench.errors import InvalidInput
from codecbench.run.cell import decoded_file
from codecbench.store.store import Run

MOST = 8
"""Lines about lags before the rest is left to the report."""


def after(run: Run) -> Iterator[str]:
    """Yield the lines to say beside a run's table."""
    from codecbench.analysis import balance, gaps, lags

    yield from gaps.remarks(run)
    lines = list(lags.remarks(run))
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"and {len(lines) - MOST} more codecs and points with a remark on their lag: codecbench report"
    uneven = balance.remark(item["speaker"] for item in run.manifest["utterances"])
    if uneven:
        yield uneven


def with_files(references: Dataset, decoded: Folder) -> tuple[Dataset, str]:
    """Return the references that have a decoded file, and a line on the others; all where none has one."""
    paired = tuple(item for item in references.utterances if _has_file(item, decoded))
    there, asked = len(paired), len(references.utterances)
    if there in {0, asked}:
        return references, ""
    kept = references.only(paired)
    return kept, f"{there} of {asked} references have a decoded file; the others are left out"


def _has_file(utterance: Utterance, decoded: Folder) -> bool:
    """Say whether a file is there; several of one name count, their reason belongs to the table."""
    try:
        decoded_file(decoded, utterance)
    except InvalidInput as error:
        return "has no file" not in str(error) or "names several references" in str(error)
    return True
