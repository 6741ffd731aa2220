"""Remarks below the table of a run: how speech lies in time, and on whose voices means rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from codecbench.anchors import Folder
from codecbench.data.folders import Dataset, Utterance
from codecbench.errors import InvalidInput
from codecbench.run.cell import decoded_file
from codecbench.store.store import Run
from codecbench.text import shown_name

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


def with_files(references: Dataset, decoded: Sequence[Folder]) -> tuple[Dataset, list[str]]:
    """Return the references that have a decoded file of every codec, and lines on what has no counterpart.

    All are returned where none has one: their reason belongs to the table.
    """
    paired = tuple(item for item in references.utterances if all(_has_file(item, each) for each in decoded))
    there, asked = len(paired), len(references.utterances)
    lines = []
    if there not in {0, asked}:
        whose = "a decoded file" if len(decoded) == 1 else f"a decoded file in each of {len(decoded)} folders"
        lacking = [item.id for item in references.utterances if item not in paired]
        lines.append(f"{there} of {asked} references have {whose}; left out: {_first(lacking)}")
    for each in decoded:
        used = {path for item in references.utterances if (path := _file(item, each))}
        own = {item.path for item in references.utterances}  # they may lie inside the decoded files' folder
        if used and (alone := each.unused(used | own)):
            count = f"{len(alone)} decoded file{'' if len(alone) == 1 else 's'}"
            lines.append(f"{count} in {shown_name(each.folder)} without a reference: {_first(alone)}")
    return (references.only(paired) if there else references), lines


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _file(utterance: Utterance, decoded: Folder) -> Path | None:
    try:
        return decoded_file(decoded, utterance)
    except InvalidInput:
        return None


def _has_file(utterance: Utterance, decoded: Folder) -> bool:
    """Say whether a file is there; several of one name count, their reason belongs to the table."""
    try:
        decoded_file(decoded, utterance)
    except InvalidInput as error:
        return "has no file" not in str(error) or "names several references" in str(error)
    return True
