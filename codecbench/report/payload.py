"""JSON payload of the page's scripts: points, means, comparisons.  What `parts` holds is apart from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from codecbench.analysis.bootstrap import FEWEST_CLUSTERS
from codecbench.analysis.paired import smallest_p
from codecbench.analysis.runs import (
    BANDS,
    banded_kbps,
    decimals,
    is_ground_truth,
    point_label,
    points,
    tells_of,
)
from codecbench.report.style import DASHES, MARKERS, Mark
from codecbench.store.store import Run


def payload(run: Run, tables: Mapping[str, pd.DataFrame], marks: Mapping[str, Mark]) -> dict[str, Any]:
    """Return the page's data; indices stand for points (``points``).

    ``tables`` holds the data frames summary, pairs, deltas and published.
    """
    summary = tables["summary"]
    shown = points(run)
    labels = [point_label(*pair) for pair in shown]
    rows = {(row["codec"], row["point"]): row for row in summary.to_dict("records")}
    speakers = len({item["speaker"] for item in run.manifest["utterances"]})
    return {
        "metrics": [
            {"name": name, "label": m["label"], "unit": m["unit"], "higher": bool(m["higher_is_better"]),
             "digits": decimals(m)}
            for name, m in run.manifest["metrics"].items()
        ],
        "points": [_point(run, rows[pair], marks) for pair in shown],
        "bands": [[band.key, band.label] for band in BANDS],
        "summary": {
            metric: [
                _numbers([rows[pair][f"{metric}{part}"] for part in ("", "_low", "_high", "_n")])
                if tells_of(run, metric, pair[0])
                else [None, None, None, 0]
                for pair in shown
            ]
            for metric in run.manifest["metrics"]
        },
        "published": [
            {"codec": row["codec"], "metric": row["metric"], "kbps": row["kbps"], "mean": row["mean"],
             "source": row["source"] or "", "dataset": row["dataset"] or "", **_mark(marks[row["codec"]])}
            for row in tables["published"].to_dict("records")
        ],
        "smallestP": smallest_p(speakers),
        "fewSpeakers": speakers < FEWEST_CLUSTERS,
        "pairs": _pairs(tables["pairs"], labels),
        "deltas": _deltas(tables["deltas"]),
    }  # fmt: skip


def _point(run: Run, row: Mapping[Any, Any], marks: Mapping[str, Mark]) -> dict[str, Any]:
    codec, declared = row["codec"], row["declared_kbps"]
    lacking = math.isnan(row["payload_kbps"])
    rate = banded_kbps(row["payload_kbps"], row["nominal_kbps"])
    return {
        "label": point_label(codec, row["point"]), "codec": codec,
        "kbps": _number(declared if lacking else row["payload_kbps"]),
        "declared": lacking and math.isfinite(declared),
        "band": next((band.key for band in BANDS if band.holds(rate)), None),
        "nominal": _number(row["nominal_kbps"]),
        "truth": is_ground_truth(run, codec), "own": codec in run.ours,
        "n": int(row["n"]), "failures": int(row["failures"]), **_mark(marks[codec]),
    }  # fmt: skip


def _mark(mark: Mark) -> dict[str, Any]:
    marker = MARKERS.index(mark.marker) if mark.marker in MARKERS else len(MARKERS)
    dashes = DASHES.index(mark.dashes) if mark.dashes in DASHES else 0
    return {"colour": mark.colour, "dark": mark.dark, "marker": marker, "dashes": dashes}


def _pairs(pairs: pd.DataFrame, labels: list[str]) -> dict[str, list[list[Any]]]:
    """Return for each metric rows of: index a, index b, difference, low, high, n, p uncorrected."""
    places = {label: number for number, label in enumerate(labels)}
    found: dict[str, list[list[Any]]] = {}
    for row in pairs.to_dict("records"):
        values = _numbers([row[name] for name in ("difference", "low", "high", "n", "p_value")])
        found.setdefault(str(row["metric"]), []).append([places[row["a"]], places[row["b"]], *values])
    return found


def _deltas(deltas: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _number(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in deltas.to_dict("records")
    ]


def _numbers(values: Any) -> list[float | int | None]:
    return [_number(value) for value in np.asarray(values, dtype=np.float64)]


def _number(value: float) -> float | int | None:
    """Return a number with five significant digits, whole ones without a point; None where missing."""
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.5g}")
    return int(rounded) if rounded.is_integer() else rounded
