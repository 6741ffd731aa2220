"""Multiple comparisons: pairwise tests and Bjontegaard deltas of a run, as tables."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codecbench.analysis.bd import FEWEST_POINTS, compare_curves
from codecbench.analysis.paired import compare_all
from codecbench.analysis.runs import is_declared, is_ground_truth, ordered, point_label, points
from codecbench.store.store import Run


def pairs(run: Run, seed: int = 0) -> pd.DataFrame:
    """Return every pair of codecs and points on every metric, Holm-corrected within each metric.

    Columns are ``metric`` and those of `compare_all`.  The ground truth takes no part: that a codec differs
    from the original is no finding and would only weaken the others.
    """
    shown = [point_label(*pair) for pair in points(run) if not is_ground_truth(run, pair[0])]
    parts = []
    for metric in run.manifest["metrics"]:
        scores, speakers = wide(run, metric)
        scores = scores[[name for name in shown if name in scores.columns]]
        table = compare_all(scores, speakers, weights=weights(run, metric), seed=seed)
        table.insert(0, "metric", metric)
        parts.append(table)
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def deltas(run: Run, seed: int = 0) -> pd.DataFrame:
    """Return BD-rate and BD-quality of every ordered pair of codecs with enough points, on every metric.

    Rates that a user declares were not measured and take no part.
    Columns: metric, anchor, test, then ``rate``, ``quality``, ``clip_rate``, ``clip_quality`` each with
    ``_low`` and ``_high``, the numbers of clips, the overlaps, the ranges integrated over (``rate_over`` in
    scores, ``quality_over`` in kbit/s), and the reasons of refusals.
    """
    rates, _ = wide(run, "payload_kbps")
    columns: dict[str, list[str]] = {}
    for codec, point in points(run):
        known = point_label(codec, point) in rates.columns and not is_declared(run, codec)
        if known and not is_ground_truth(run, codec):
            columns.setdefault(codec, []).append(point_label(codec, point))
    codecs = [codec for codec in ordered(run, columns) if len(columns[codec]) >= FEWEST_POINTS]
    seconds = [item["seconds"] for item in run.manifest["utterances"]]
    rows = []
    for metric, entry in run.manifest["metrics"].items():
        scores, names = wide(run, metric)
        speakers = np.unique(names, return_inverse=True)[1]
        curves = {
            codec: (rates[columns[codec]].to_numpy(), scores[columns[codec]].to_numpy()) for codec in codecs
        }
        for anchor, test in permutations(codecs, 2):
            result = compare_curves(
                curves[anchor],
                curves[test],
                speakers,
                seconds=seconds,
                higher_is_better=bool(entry["higher_is_better"]),
                seed=seed,
            )
            row: dict[str, Any] = {"metric": metric, "anchor": anchor, "test": test}
            for name in ("rate", "quality", "clip_rate", "clip_quality"):
                interval = getattr(result, name)
                row |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
            row |= {
                "clips": result.clips,
                "rate_clips": result.rate_clips,
                "quality_clips": result.quality_clips,
                "rate_overlap": result.rate_overlap,
                "quality_overlap": result.quality_overlap,
            }
            for name in ("rate_over", "quality_over"):
                low, high = getattr(result, name)
                row |= {f"{name}_low": low, f"{name}_high": high}
            rows.append(row | {"rate_reason": result.rate_reason, "quality_reason": result.quality_reason})
    return pd.DataFrame(rows)


def weights(run: Run, metric: str) -> NDArray[np.float64]:
    """Return the weight of each utterance in the metric's means, [N] as `wide` has them; 1 where it has none.

    Weights are of the reference alone: where a codec has a score it has the weight of all others.
    """
    found = wide(run, f"weight:{metric}")[0].max(axis=1).fillna(1.0)
    return found.to_numpy(dtype=np.float64)


def wide(run: Run, column: str) -> tuple[pd.DataFrame, np.ndarray[tuple[int], np.dtype[np.str_]]]:
    """Return one column of the records as utterances x points, and the speaker of each row."""
    listed, places = run.manifest["utterances"], run.utterance_places
    values = run.records[column].to_numpy(dtype=np.float64)
    table = np.full((len(listed), len(run.rows)), math.nan)
    for number, rows in enumerate(run.rows.values()):
        known = rows[places[rows] >= 0]
        table[places[known], number] = values[known]
    frame = pd.DataFrame(
        table, index=[item["id"] for item in listed], columns=[point_label(*pair) for pair in run.rows]
    )
    return frame, np.array([str(item["speaker"]) for item in listed])


def failures(run: Run) -> pd.DataFrame:
    """Return every missing value with its reason: codec, point, utterance, metric (or "all"), reason.

    What a metric cannot say of the original against itself (an infinite ratio) is not missing.
    """
    reasons = {metric: run.records[f"reason:{metric}"].notna() for metric in run.manifest["metrics"]}
    failed = run.records["status"] == "failed"
    rows = []
    for record in run.records[np.logical_or.reduce([failed, *reasons.values()])].to_dict("records"):
        place = {name: record[name] for name in ("codec", "point", "utterance")}
        if record["status"] == "failed":
            rows.append(place | {"metric": "all", "reason": record["error"] or "no reason recorded"})
            continue
        for metric in reasons:
            if isinstance(record[f"reason:{metric}"], str) and not is_ground_truth(run, record["codec"]):
                rows.append(place | {"metric": metric, "reason": record[f"reason:{metric}"]})
    return pd.DataFrame(rows, columns=["codec", "point", "utterance", "metric", "reason"])
