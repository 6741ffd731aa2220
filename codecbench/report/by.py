"""A paper's table by language, gender or another column of the set's manifest: a section a part."""

from __future__ import annotations

import pandas as pd

from codecbench.analysis.parts import split
from codecbench.analysis.summary import summary
from codecbench.report.table import PaperTable, Section, paper_table
from codecbench.store.store import Run


def table_by(run: Run, column: str, *, by_speaker: bool = False) -> PaperTable:
    """Return the table with one section a value of a column, its speakers and utterances counted.

    Rows keep the order and the marks of their band; means and intervals are of the part alone.
    """
    parts = {
        value: paper_table(part, summary(part, by_speaker=by_speaker))
        for value, part in split(run, column).items()
    }
    sections = tuple(
        Section(_label(column, value, table), tuple(row for part in table.sections for row in part.rows))
        for value, table in parts.items()
    )
    whole = paper_table(run, summary(run, by_speaker=by_speaker))
    return PaperTable(whole.columns, sections, whole.metrics, whole.dataset, whole.utterances, whole.speakers)


def summary_by(run: Run, column: str, *, by_speaker: bool = False) -> pd.DataFrame:
    """Return the summaries of all parts, with their value as ``by:<column>`` and their speakers before."""
    frames = []
    for value, part in split(run, column).items():
        frame = summary(part, by_speaker=by_speaker)
        speakers = len({item["speaker"] for item in part.manifest["utterances"]})
        frame.insert(0, "speakers", speakers)
        frame.insert(0, f"by:{column}", value)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _label(column: str, value: str, table: PaperTable) -> str:
    counts = [
        f"{number} {what}{'' if number == 1 else 's'}"
        for number, what in ((table.speakers, "speaker"), (table.utterances, "utterance"))
    ]
    return f"{column} {value}: {', '.join(counts)}"
