"""Delays of a run by codec and point: what was undone, what single utterances show, what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from codecbench.alignment import RESOLUTION_MS
from codecbench.analysis.runs import point_label
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

FAR_MS = 10.0
"""Parametric codecs at low rates show up to 5 ms in single utterances by chance."""


def lags(run: Run) -> pd.DataFrame:
    """Return for each codec and point the lag that was undone beside the stated delay, and what that changed.

    Columns: codec, point, stated_ms, lag_median_ms (undone; the median where every file had its own),
    lag_min_ms and lag_max_ms of single utterances, shifted (utterances scored with a lag undone), others
    (utterances that show another lag, by over 3 ms), unknown (that show none), inverted, moving (whose delay
    drifts or jumps), n, and for each metric ``<metric>_change``, the mean aligned score less the raw one.
    """
    import pandas as pd

    rows = []
    decoded = run.records[run.records["status"] == "ok"]
    for (codec, point), part in decoded.groupby(["codec", "point"], sort=False):
        own, undone = part["lag_ms"], undone_ms(part)
        row: dict[str, Any] = {"codec": codec, "point": point, "stated_ms": _mean(part["delay_ms"])}
        row |= {
            "lag_median_ms": float(undone.median()),
            "lag_min_ms": float(own.min()),
            "lag_max_ms": float(own.max()),
            "shifted": int((undone.fillna(0) != 0).sum()),
            "others": int(((own - undone).abs() > RESOLUTION_MS).sum()),
            "unknown": int(own.isna().sum()),
            "inverted": int(part["inverted"].eq(True).sum()),
            "moving": int((own.notna() & part["lag_note"].map(bool) & part["lag_note"].notna()).sum()),
            "n": len(part),
        }
        for metric in run.manifest["metrics"]:
            row[f"{metric}_change"] = _mean(part[metric] - part[f"raw:{metric}"])
        rows.append(row)
    return pd.DataFrame(rows)


def undone_ms(records: pd.DataFrame) -> pd.Series:
    """Return the lag that was undone for each record of one codec and point, NaN where none was found.

    Records from before it was kept undid each utterance's own.
    """
    settled, own = records["settled_lag_ms"], records["lag_ms"]
    kept = settled.notna().any() or records["lag_note"].notna().any()
    return settled if kept else own


def remarks(run: Run) -> Iterator[str]:
    """Yield a line for each codec and point whose decoded speech does not simply lie in time."""
    decoded = run.records[run.records["status"] == "ok"]
    for row in lags(run).to_dict("records"):
        part = decoded[(decoded["codec"] == row["codec"]) & (decoded["point"] == row["point"])]
        told = list(_told(row, part))
        if told:
            yield f"{point_label(row['codec'], row['point'])}: {'; '.join(told)}"


def _told(row: Mapping[Hashable, Any], part: pd.DataFrame) -> Iterator[str]:
    n, undone = row["n"], row["lag_median_ms"]
    notes = part["lag_note"].dropna()
    if math.isnan(undone) and row["unknown"]:
        yield f"no lag was found in {row['unknown']} of {n} utterances ({notes.iloc[0]}); raw scores only"
    elif row["unknown"]:
        yield f"{row['unknown']} of {n} utterances show no lag ({notes[part['lag_ms'].isna()].iloc[0]})"
    if row["moving"]:
        yield f"in {row['moving']} of {n} {notes[part['lag_ms'].notna()].iloc[0]}"
    if row["inverted"]:
        undoing = "undone" if part["settled_inverted"].eq(True).any() else "left, as most are not"
        yield f"{row['inverted']} of {n} are inverted ({undoing})"
    if 2 * row["others"] > n or (row["others"] and not row["moving"] and _far_apart(row)):
        span = f"{row['lag_min_ms']:g} to {row['lag_max_ms']:g} ms"
        yield f"{row['others']} of {n} show another lag than the {undone:g} ms undone ({span})"


def _far_apart(row: Mapping[Hashable, Any]) -> bool:
    """Say whether single utterances lie further from the lag undone than chance takes them."""
    undone = row["lag_median_ms"]
    return bool(max(abs(row["lag_min_ms"] - undone), abs(row["lag_max_ms"] - undone)) > FAR_MS)


def _mean(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.mean()) if len(known) else math.nan
