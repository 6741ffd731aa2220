"""Post-screening of listeners: who is left out of the result, and by which rule.

References: ITU-R BS.1534-3, 2015, 4.1.2: out is who rates the hidden reference below 90 in more than 15 % of
the items, and who rates the mid-range anchor above 90 in more than 15 % of them; items in which more than a
quarter of the listeners do so do not count for the second rule, as the anchor may be hard to hear there.
Before that go those who only clicked on: no slider moved, or a trial done in less than half a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from codecbench.listen.key import REFERENCE

HIGH_SCORE, MOST_SHARE, MANY_LISTENERS = 90.0, 0.15, 0.25
FEWEST_MS = 500.0

CLICKED = "clicked on without judging"
MISSED = "hidden reference below 90"
DEAF = "mid-range anchor above 90"


@dataclass(frozen=True)
class Excluded:
    """A listener who is left out, the rule, and in how many of the trials it was broken."""

    listener: str
    rule: str
    broken: int
    trials: int

    def __str__(self) -> str:
        return f"{self.listener}: {self.rule} in {self.broken} of {self.trials} trials"


def screen_ratings(table: pd.DataFrame, mid_anchor: str) -> list[Excluded]:
    """Return who is out of a MUSHRA test.

    Parameters
    ----------
    table : DataFrame
        One row a rating: ``listener, trial, condition, value, time_ms`` (NaN where not known).
    mid_anchor : str
        The condition that is the mid-range anchor.
    """
    out = _by_trial(table, CLICKED, _clicked_ratings(table))
    left = table[~table["listener"].isin([item.listener for item in out])]
    hidden = left[left["condition"] == REFERENCE]
    out += _by_trial(left, MISSED, hidden[hidden["value"] < HIGH_SCORE])
    anchor = left[left["condition"] == mid_anchor]
    high = (anchor["value"] > HIGH_SCORE).groupby(anchor["trial"]).mean()
    hard = anchor["trial"].isin(high[high > MANY_LISTENERS].index)
    return out + _by_trial(left, DEAF, anchor[(anchor["value"] > HIGH_SCORE) & ~hard])


def screen_choices(table: pd.DataFrame) -> list[Excluded]:
    """Return who is out of an ABX test; ``table`` has ``listener, trial, time_ms``."""
    return _by_trial(table, CLICKED, table[table["time_ms"] < FEWEST_MS])


def _clicked_ratings(table: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of which no slider was moved: all stand where they stood."""
    trials = table.groupby(["listener", "trial"], sort=False)
    told = trials.agg(
        values=("value", "nunique"), size=("value", "size"), time_ms=("time_ms", "max")
    ).reset_index()
    return told[((told["values"] == 1) & (told["size"] > 1)) | (told["time_ms"] < FEWEST_MS)]


def _by_trial(table: pd.DataFrame, rule: str, broken: pd.DataFrame) -> list[Excluded]:
    """Return the listeners who broke a rule in more than 15 % of their trials."""
    trials = table.groupby("listener", sort=False)["trial"].nunique()
    found = broken.groupby("listener")["trial"].nunique().reindex(trials.index, fill_value=0)
    told = zip(trials.index, found, trials, strict=True)
    return [Excluded(str(who), rule, int(n), int(of)) for who, n, of in told if n > MOST_SHARE * of]
