"""Answers to listening tests that lie in a run's folder, as tables for the report.

A test exported to ``RUN/listening/<name>`` is shown once its answers lie beside its key as ``answers.csv`` or
``mushra.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from codecbench.listen import read_answers

FOLDER = "listening"
ANSWERS = ("answers.csv", "mushra.csv")


@dataclass(frozen=True)
class Answered:
    """One listening test: its name, its kind, and one row a condition, see `listen.read_answers`."""

    name: str
    kind: str
    table: pd.DataFrame


def answered(runs: Sequence[Path]) -> list[Answered]:
    """Return the answered listening tests of runs, in the order of their names.

    Raises
    ------
    InvalidInput
        If answers do not belong to the key beside them.
    """
    tests = []
    for key in sorted(key for run in runs for key in (Path(run) / FOLDER).glob("*/key.json")):
        answers = next((key.with_name(name) for name in ANSWERS if key.with_name(name).is_file()), None)
        if answers is not None:
            table = read_answers(answers, key)
            kind = "ABX" if "p_value" in table.columns else "MUSHRA"
            tests.append(Answered(key.parent.name, kind, table))
    return tests
