"""Answers to listening tests: read, screened, and averaged with intervals.

References: ITU-R BS.1534-3, 2015, 4.1.2 (post-screening); a share of right answers has Wilson's interval.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from codecbench.analysis.bootstrap import bootstrap_mean, proportion_interval
from codecbench.errors import InvalidInput
from codecbench.listen.export import ANCHORS_HZ, REFERENCE

SCREEN_SCORE, SCREEN_SHARE = 90.0, 0.15
FOLDER = "listening"
ANSWERS = ("answers.csv", "mushra.csv")


@dataclass(frozen=True)
class Answered:
    """One listening test: its name, its kind, and one row a condition, see `read_answers`."""

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


def read_answers(answers: Path, key: Path) -> pd.DataFrame:
    """Read the answers to an exported test and return one row a condition with its 95 % interval.

    Parameters
    ----------
    answers : Path
        webMUSHRA's ``mushra.csv`` or what the ABX page saved; several listeners may follow one another.
    key : Path
        The test's ``key.json``.

    Returns
    -------
    DataFrame
        For MUSHRA ``condition, mean, low, high, n, listeners, screened``: scores from 0 to 100, interval
        clustered by listener, without the listeners who rated the hidden reference below 90 in more than 15 %
        of the trials (BS.1534-3); ``screened`` counts those.  For ABX ``condition, mean, low, high, n,
        listeners, p_value``: share of correct answers with its Wilson interval, and the one-sided exact
        binomial p-value against guessing.

    Raises
    ------
    InvalidInput
        If a file cannot be read, or an answer belongs to no trial of the key.
    """
    told = _read_key(Path(key))
    rows = _read_csv(Path(answers))
    return _mushra_table(rows, told, answers) if told["kind"] == "mushra" else _abx_table(rows, told, answers)


def _read_key(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] == 1 and told["kind"] in ("mushra", "abx"):
            return dict(told)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InvalidInput(f"{path}: not the key of a listening test; give the key.json of its export")


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidInput(f"{path}: cannot be read as CSV ({error}); give the file of answers") from None


def _mushra_table(rows: Sequence[Mapping[str, str]], told: Mapping[str, Any], path: Path) -> pd.DataFrame:
    names = dict(told["conditions"]) | {name: name for name in (REFERENCE, *ANCHORS_HZ)}
    trials = {item["trial"] for item in told["trials"]}
    known = {
        "session_test_id",
        "trial_id",
        "rating_stimulus",
        "rating_score",
        "rating_time",
        "rating_comment",
    }
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            condition, trial, score = (
                names[row["rating_stimulus"]],
                row["trial_id"],
                float(row["rating_score"]),
            )
            listener = row.get("session_uuid") or "/".join(v or "" for k, v in row.items() if k not in known)
            if trial not in trials or not 0 <= score <= 100:
                raise ValueError
        except (KeyError, ValueError, TypeError):
            raise InvalidInput(
                f"{path}: line {number} is no answer to this test; is the key its own?"
            ) from None
        found.append({"condition": condition, "listener": listener, "trial": trial, "score": score})
    table = pd.DataFrame(found, columns=["condition", "listener", "trial", "score"])
    hidden = table[table["condition"] == REFERENCE]
    missed = (hidden["score"] < SCREEN_SCORE).groupby(hidden["listener"]).mean()
    screened = set(missed[missed > SCREEN_SHARE].index)
    kept = table[~table["listener"].isin(screened)]
    result = []
    for condition in dict.fromkeys([REFERENCE, *names.values()]):
        part = kept[kept["condition"] == condition]
        interval = bootstrap_mean(part["score"], part["listener"].to_numpy(dtype=str), bounds=(0, 100))
        result.append({
            "condition": condition, **interval._asdict(), "n": len(part),
            "listeners": part["listener"].nunique(), "screened": len(screened),
        })  # fmt: skip
    return pd.DataFrame(result)


def _abx_table(rows: Sequence[Mapping[str, str]], told: Mapping[str, Any], path: Path) -> pd.DataFrame:
    truth = {item["trial"]: item for item in told["trials"]}
    found = []
    for number, row in enumerate(rows, start=2):
        trial, answer = truth.get(row.get("trial", "")), row.get("answer", "")
        if trial is None or answer not in ("a", "b"):
            raise InvalidInput(f"{path}: line {number} is no answer to this test; is the key its own?")
        right = answer == trial["x"]
        found.append({"condition": trial["condition"], "listener": row.get("listener", ""), "right": right})
    table = pd.DataFrame(found, columns=["condition", "listener", "right"])
    result = []
    for condition in dict.fromkeys(item["condition"] for item in told["trials"]):
        part = table[table["condition"] == condition]
        right, n = int(part["right"].sum()), len(part)
        p_value = float(stats.binom.sf(right - 1, n, 0.5)) if n else float("nan")
        result.append({
            "condition": condition, **proportion_interval(right, n)._asdict(), "n": n,
            "listeners": part["listener"].nunique(), "p_value": p_value,
        })  # fmt: skip
    return pd.DataFrame(result)
