"""Answers to listening tests: read, screened, and averaged with intervals.

References: ITU-R BS.1534-3, 2015, 4.1.2 (post-screening); a share of right answers has Wilson's interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import stats

from codecbench.analysis.bootstrap import bootstrap_mean, proportion_interval
from codecbench.errors import InvalidInput
from codecbench.fields import distinct, list_of, map_of, one_of, read_json, record, text
from codecbench.listen import sheet
from codecbench.listen.export import ANCHORS_HZ, REFERENCE

SCREEN_SCORE, SCREEN_SHARE = 90.0, 0.15
FOLDER = "listening"
ANSWERS = ("answers.csv", "mushra.csv")
_NOT_WHO = frozenset({
    "session_test_id", "trial_id", "rating_stimulus", "rating_score", "rating_time", "rating_comment",
    "trial", "answer",
})  # fmt: skip
"""Columns that do not say who answered."""


@dataclass(frozen=True)
class Answered:
    """One listening test: its name, its kind, one row a condition, and what to say of it; see `read_test`."""

    name: str
    kind: str
    table: pd.DataFrame
    notes: tuple[str, ...] = ()


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
            tests.append(read_test(answers, key))
    return tests


def read_answers(answers: Path, key: Path) -> pd.DataFrame:
    """Read the answers to an exported test and return one row a condition; see `read_test`."""
    return read_test(answers, key).table


def read_test(answers: Path, key: Path) -> Answered:
    """Read the answers to an exported test; one row a condition with its 95 % interval.

    Parameters
    ----------
    answers : Path
        webMUSHRA's ``mushra.csv`` or what the ABX page saved; several files may follow one another, separated
        by commas, semicolons or tabs.  Where a listener answered twice, the last answer counts.
    key : Path
        The test's ``key.json``.

    Returns
    -------
    Answered
        The table has for MUSHRA ``condition, mean, low, high, n, listeners, screened``: scores from 0 to 100,
        interval clustered by listener, without the listeners who rated the hidden reference below 90 in more
        than 15 % of the trials (BS.1534-3); ``screened`` counts those.  For ABX ``condition, mean, low, high,
        n, listeners, p_value``: share of correct answers with its Wilson interval, and the one-sided exact
        binomial p-value against guessing.

    Raises
    ------
    InvalidInput
        If a file cannot be read, or an answer belongs to no trial of the key.
    """
    answers, key = Path(answers), Path(key)
    told = _read_key(key)
    kind, read, table = (
        ("MUSHRA", _mushra_answers, _mushra_table)
        if told["kind"] == "mushra"
        else ("ABX", _abx_answers, _abx_table)
    )
    given = read(answers, told)
    found = pd.DataFrame(given, columns=["listener", "trial", "condition", "value", "line"])
    last = found.drop_duplicates(["listener", "trial", "condition"], keep="last", ignore_index=True)
    notes: tuple[str, ...] = ()
    if len(last) < len(found):
        notes = (
            f"{answers}: {len(found) - len(last)} answers were given again later by the same listener; "
            "the last of each counts",
        )
    return Answered(key.absolute().parent.name, kind, table(last, told), notes)


_TRIAL = {"trial": text(1000), "utterance": text(4096), "speaker": text(4096)}
_KEYS = {
    "mushra": record({
        "conditions": map_of(text(4096)), "trials": distinct("trial", list_of(record(_TRIAL))),
    }),
    "abx": record({
        "trials": distinct("trial", list_of(record(
            {**_TRIAL, "condition": text(4096), "x": one_of("a", "b")}
        ))),
    }),
}  # fmt: skip
_KIND = record({"format": one_of(1), "kind": one_of(*_KEYS)})


def _check_key(value: object, where: str) -> None:
    _KIND(value, where)
    assert isinstance(value, dict)
    _KEYS[value["kind"]](value, where)


def _read_key(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path, _check_key, "the key of a listening test", "give the key.json of its export")
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(
            f"{path}: not the key of a listening test: no such file; give the key.json of its export"
        ) from None
    return cast(dict[str, Any], found)


def _mushra_answers(path: Path, told: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float, int]]:
    names = dict(told["conditions"]) | {name: name for name in (REFERENCE, *ANCHORS_HZ)}
    trials = {item["trial"] for item in told["trials"]}
    for row in sheet.read(path, ("trial_id", "rating_stimulus", "rating_score")):
        condition, trial = names.get(row.cells["rating_stimulus"]), row.cells["trial_id"]
        score = row.number("rating_score")
        if condition is None or trial not in trials or not 0 <= score <= 100:
            raise _foreign(path, row)
        yield row.listener("session_uuid", _NOT_WHO), trial, condition, score, row.line


def _abx_answers(path: Path, told: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool, int]]:
    truth = {item["trial"]: item for item in told["trials"]}
    for row in sheet.read(path, ("trial", "answer")):
        trial, answer = truth.get(row.cells["trial"]), row.cells["answer"].strip().lower()
        if trial is None or answer not in ("a", "b"):
            raise _foreign(path, row)
        yield (
            row.listener("listener", _NOT_WHO),
            trial["trial"],
            trial["condition"],
            answer == trial["x"],
            row.line,
        )


def _foreign(path: Path, row: sheet.Row) -> InvalidInput:
    return InvalidInput(f"{path}: line {row.line} is no answer to this test; is the key its own?")


def _mushra_table(table: pd.DataFrame, told: Mapping[str, Any]) -> pd.DataFrame:
    names = dict(told["conditions"]) | {name: name for name in (REFERENCE, *ANCHORS_HZ)}
    hidden = table[table["condition"] == REFERENCE]
    missed = (hidden["value"] < SCREEN_SCORE).groupby(hidden["listener"]).mean()
    screened = set(missed[missed > SCREEN_SHARE].index)
    kept = table[~table["listener"].isin(screened)]
    result = []
    for condition in dict.fromkeys([REFERENCE, *names.values()]):
        part = kept[kept["condition"] == condition]
        scores = part["value"].to_numpy(dtype=np.float64)
        interval = bootstrap_mean(scores, part["listener"].to_numpy(dtype=str), bounds=(0, 100))
        result.append({
            "condition": condition, **interval._asdict(), "n": len(part),
            "listeners": part["listener"].nunique(), "screened": len(screened),
        })  # fmt: skip
    return pd.DataFrame(result)


def _abx_table(table: pd.DataFrame, told: Mapping[str, Any]) -> pd.DataFrame:
    result = []
    for condition in dict.fromkeys(item["condition"] for item in told["trials"]):
        part = table[table["condition"] == condition]
        right, n = int(part["value"].sum()), len(part)
        p_value = float(stats.binom.sf(right - 1, n, 0.5)) if n else float("nan")
        result.append({
            "condition": condition, **proportion_interval(right, n)._asdict(), "n": n,
            "listeners": part["listener"].nunique(), "p_value": p_value,
        })  # fmt: skip
    return pd.DataFrame(result)
