"""Differences of no-reference scores to the original as the report shows them: one table, and a caution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codecbench.analysis.runs import decimals, point_label
from codecbench.report.shown import Shown, markdown
from codecbench.report.table import fixed
from codecbench.report.table_formats import escape_markdown
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

TITLE = "Predicted opinion against the original"
CAUTION = (
    "These figures are predictions of models that never hear the original and were not trained on codecs: "
    "no listener gave them."
)
UNHEARD = "No listening test was done."


@dataclass(frozen=True)
class Judged:
    """The table, and what is to be said of it."""

    table: Shown
    told: str


def judged(run: Run, differences: pd.DataFrame, *, heard: bool) -> Judged | None:
    """Return what is shown of `codecbench.analysis.judged.against_original`; None where that is nothing.

    Parameters
    ----------
    run : Run
        The run, for its metrics.
    differences : DataFrame
        The differences.
    heard : bool
        Whether listeners answered a test of this run.
    """
    if differences.empty:
        return None
    metrics = list(dict.fromkeys(differences["metric"]))
    reference = str(differences["reference"].iloc[0])
    cells: dict[str, dict[str, str]] = {}
    for row in differences.to_dict("records"):
        label = point_label(str(row["codec"]), str(row["point"]))
        cells.setdefault(label, {})[str(row["metric"])] = _cell(run, row)
    means = differences.groupby("metric")["reference_mean"].first()
    first = (f"{reference}, its mean", *(fixed(float(means[name]), _digits(run, name)) for name in metrics))
    rows = [(label, *(found.get(name, "") for name in metrics)) for label, found in cells.items()]
    heads = ("Codec", *(_head(run, name) for name in metrics))
    few = bool(differences["low"].isna().all())
    interval = "no interval with so few speakers" if few else "in parentheses 95 % intervals by speaker"
    heading = f"Decoded speech minus {reference}, mean over the same utterances; {interval}"
    told = CAUTION if heard else f"{UNHEARD} {CAUTION}"
    return Judged(Shown(heading, heads, (first, *rows), 1), told)


def in_markdown(found: Judged | None) -> list[str]:
    """Return the parts of a Markdown text; none where there is nothing to show."""
    if found is None:
        return []
    return [f"## {TITLE}", f"{escape_markdown(found.table.heading)}:", markdown(found.table), found.told]


def _head(run: Run, metric: str) -> str:
    entry = run.manifest["metrics"][metric]
    return " ".join(filter(None, [entry["label"], entry["unit"] and f"({entry['unit']})"]))


def _cell(run: Run, row: dict[Any, Any]) -> str:
    """Return ``-0.123 (-0.200 to -0.050)``, and of how many utterances where that is not all."""
    digits = _digits(run, str(row["metric"]))
    low, high = (float(row[name]) for name in ("low", "high"))
    text = fixed(float(row["difference"]), digits)
    if not math.isnan(low):
        text += f" ({fixed(low, digits)} to {fixed(high, digits)})"
    return text if row["n"] == len(run.manifest["utterances"]) else f"{text}, n {row['n']}"


def _digits(run: Run, metric: str) -> int:
    """Return one decimal more than scores are printed with: differences are small."""
    return decimals(run.manifest["metrics"][metric]) + 1
