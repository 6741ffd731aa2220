"""Answers to listening tests: read from one or many files, each once, and given only to their own key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codecbench.errors import InvalidInput
from codecbench.listen import results, sheet
from codecbench.listen.export import LISTENERS
from codecbench.listen.key import KEY, REFERENCE, TRAINING, Key, read_key
from codecbench.listen.results import Result

FOLDER = "listening"
_TEST = "session_test_id"
_NEEDED = {
    "mushra": (_TEST, "trial_id", "rating_stimulus", "rating_score"),
    "abx": (_TEST, "trial", "answer"),
}
_NOT_WHO = frozenset({
    _TEST, "trial_id", "rating_stimulus", "rating_score", "rating_time", "rating_comment", "trial", "answer",
    "time_ms",
})  # fmt: skip
"""Columns that do not say who answered."""


@dataclass(frozen=True)
class Answered:
    """One listening test: the name of its folder, its key, what the answers say, and what to say of them."""

    name: str
    key: Key
    result: Result
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Return ``MUSHRA`` or ``ABX``."""
        return str(self.key["kind"]).upper()


def answered(runs: Sequence[Path]) -> list[Answered]:
    """Return the answered listening tests of runs, in the order of their names.

    A test lies in ``RUN/listening/NAME``, its answers beside the key under any name that ends in ``.csv``.

    Raises
    ------
    InvalidInput
        If answers do not belong to the key beside them.
    """
    keys = sorted(key for run in runs for key in (Path(run) / FOLDER).glob(f"*/{KEY}"))
    return [read_test([key.parent], key) for key in keys if _files([key.parent])]


def read_test(answers: Path | Sequence[Path], key: Path) -> Answered:
    """Read the answers to an exported test.

    Parameters
    ----------
    answers : Path or sequence of Path
        What webMUSHRA or our own pages saved: files, or folders with such.  Headers may come again, cells be
        separated by commas, semicolons or tabs.  What a listener answered twice counts once, as it was last.
    key : Path
        The test's ``key.json``.

    Raises
    ------
    InvalidInput
        If a file cannot be read, there is none, or an answer is of another test than the key.
    """
    given = [answers] if isinstance(answers, str | Path) else list(answers)
    told = read_key(Path(key))
    files = _files(given)
    if not files:
        raise InvalidInput(
            f"{', '.join(map(str, given))}: no file of answers (.csv) there; give files or their folder"
        )
    read = _ratings if told["kind"] == "mushra" else _choices
    rows = (row for path in files for row in _rows(path, told))
    columns = ["listener", "who", "trial", "condition", "value", "time_ms"]
    found = pd.DataFrame(list(read(rows, told)), columns=columns)
    last = found.drop_duplicates(["listener", "trial", "condition"], keep="last", ignore_index=True)
    last["listener"] = _named(last)
    result = (results.of_ratings if told["kind"] == "mushra" else results.of_choices)(last, told)
    name = Path(key).absolute().parent.name
    return Answered(name, told, result, tuple(_notes(found, last, told)))


def _files(given: Iterable[Path]) -> list[Path]:
    """Return the files of answers, those of folders in the order of their names."""
    found: list[Path] = []
    for path in map(Path, given):
        below = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
        found += [item for item in below if LISTENERS not in item.relative_to(path).parts[:-1]]
    return list(dict.fromkeys(item.absolute() for item in found))


def _rows(path: Path, told: Key) -> Iterator[tuple[Path, sheet.Row]]:
    for row in sheet.read(path, _NEEDED[told["kind"]]):
        if row.cells[_TEST] != told["test"]:
            raise InvalidInput(
                f"{path}: line {row.line} answers the test {row.shown(_TEST)}, and the key is of "
                f"{told['test']!r}; give the key that was exported with it"
            )
        yield path, row


def _ratings(rows: Iterable[tuple[Path, sheet.Row]], told: Key) -> Iterator[tuple[Any, ...]]:
    known = {REFERENCE, *told["conditions"], *told["anchors"]}
    trials = {item["trial"] for item in told["trials"]} | {TRAINING}
    for path, row in rows:
        trial, condition, score = (
            row.cells["trial_id"],
            row.cells["rating_stimulus"],
            row.number("rating_score"),
        )
        if trial not in trials or condition not in known or not 0 <= score <= 100:
            raise _foreign(path, row)
        if trial != TRAINING:
            yield (*_who(path, row), trial, condition, score, row.number("rating_time"))


def _choices(rows: Iterable[tuple[Path, sheet.Row]], told: Key) -> Iterator[tuple[Any, ...]]:
    truth = {item["trial"]: item for item in told["trials"]}
    for path, row in rows:
        trial, answer = row.cells["trial"], row.cells["answer"].strip().lower()
        if (trial not in truth and trial != TRAINING) or answer not in ("a", "b"):
            raise _foreign(path, row)
        if trial != TRAINING:
            right = float(answer == truth[trial]["x"])
            yield (*_who(path, row), trial, truth[trial]["condition"], right, row.number("time_ms"))


def _who(path: Path, row: sheet.Row) -> tuple[str, str]:
    """Return what a session is known by, and what its listener calls himself or herself."""
    session = row.listener("session_uuid", _NOT_WHO)
    return session or f"{path} {row.part}", row.cells.get(
        "listener", ""
    ) or session or f"{path.name} {row.part}"


def _named(table: pd.DataFrame) -> pd.Series[str]:
    """Return the listeners' own names, with a part of the session's where two have the same."""
    sessions = table.groupby("who")["listener"].transform("nunique")
    marked = table["who"] + " (" + table["listener"].str[:8] + ")"
    return table["who"].where(sessions == 1, marked)


def _foreign(path: Path, row: sheet.Row) -> InvalidInput:
    return InvalidInput(f"{path}: line {row.line} is no answer to this test; was it changed?")


def _notes(found: pd.DataFrame, last: pd.DataFrame, told: Mapping[str, Any]) -> Iterator[str]:
    again = len(found) - len(last)
    if again:
        yield f"{again} answers were given again later in the same session; the last of each counts"
    trials = len(told["trials"])
    done = last.groupby("listener", sort=False)["trial"].nunique()
    for who, count in done[done < trials].items():
        yield f"{who} answered {count} of {trials} trials"
