"""Descriptive statistics of a run, one row a codec and operating point: what ``table.csv`` holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench.analysis.bootstrap import bootstrap_mean, cluster_sums
from codecbench.analysis.entropy import code_kbps
from codecbench.analysis.lags import undone_ms
from codecbench.analysis.runs import bounds, is_declared, with_tokens
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "codec", "point", "nominal_kbps", "payload_kbps", "declared_kbps", "entropy_kbps", "n", "failures",
    "lag_ms", "delay_ms", "rtf_encode", "rtf_decode",
)  # fmt: skip
"""The columns before those of the metrics."""


def summary(run: Run, *, by_speaker: bool = False) -> pd.DataFrame:
    """Return one row a codec and operating point, in the order of the manifest.

    Columns are `COLUMNS`, then for each metric ``<metric>`` (mean over the scored utterances, weighted by
    `Metric.weight`: a rate of errors is all errors over all words),
    ``<metric>_low``, ``<metric>_high`` (95 % bootstrap interval clustered by speaker, see
    `bootstrap.bootstrap_mean`) and ``<metric>_n`` (utterances scored).  ``payload_kbps`` and the
    real-time factors are totals over totals, ``declared_kbps`` is the rate that the user names for files
    decoded elsewhere, which nobody measured, ``entropy_kbps`` is what `code_kbps` gives, ``lag_ms`` the lag
    that was undone (the median where every file had its own), ``n`` counts decoded utterances.  Missing
    values are NaN.  With ``by_speaker`` the means of metrics are means over the speakers' means.
    """
    import pandas as pd

    metrics = run.manifest["metrics"]
    groups = dict(list(run.records.groupby(["codec", "point"], sort=False)))
    empty = run.records.iloc[:0]
    rows = []
    for codec, entry in run.manifest["codecs"].items():
        for point in entry["points"]:
            records = groups.get((codec, point["name"]), empty)
            row = _measured(records[records["status"] == "ok"])
            nominal = point["nominal_kbps"]
            row |= {
                "codec": codec,
                "point": point["name"],
                "nominal_kbps": math.nan if nominal is None else float(nominal),
            }
            row["declared_kbps"] = row["nominal_kbps"] if is_declared(run, codec) else math.nan
            row |= {"failures": int((records["status"] == "failed").sum())}
            row |= {
                "delay_ms": _first(records["delay_ms"]),
                "entropy_kbps": _entropy(run, codec, point["name"]),
            }
            for name, metric in metrics.items():
                row |= _scores(records, name, bounds(metric), by_speaker)
            rows.append(row)
    return pd.DataFrame(rows, columns=[*COLUMNS, *metric_columns(list(metrics))])


def metric_columns(metrics: list[str]) -> list[str]:
    """Return the summary's columns of the metrics: mean, limits, number scored of each."""
    return [f"{metric}{suffix}" for metric in metrics for suffix in ("", "_low", "_high", "_n")]


def _measured(decoded: pd.DataFrame) -> dict[str, Any]:
    seconds = decoded["seconds"].sum()
    over = {
        name: decoded[name].sum(min_count=1) / seconds if seconds > 0 else math.nan
        for name in ("encode_s", "decode_s")
    }
    bits = decoded["payload_bytes"].sum(min_count=1) * 8
    return {
        "payload_kbps": bits / seconds / 1000 if seconds > 0 else math.nan,
        "n": len(decoded),
        "lag_ms": float(undone_ms(decoded).median()),
        "rtf_encode": over["encode_s"],
        "rtf_decode": over["decode_s"],
    }


def _scores(
    records: pd.DataFrame, metric: str, limits: tuple[float, float], by_speaker: bool
) -> dict[str, float | int]:
    scored = int(np.isfinite(records[metric].to_numpy(dtype=np.float64)).sum())
    values = records[metric].to_numpy(dtype=np.float64)
    weights = records[f"weight:{metric}"].to_numpy(dtype=np.float64)
    speakers = records["speaker"].to_numpy(dtype=str)
    if by_speaker:
        sums, counts = cluster_sums(values, speakers, weights)
        values, weights, speakers = sums / counts, np.ones(sums.size), np.arange(sums.size).astype(str)
    interval = bootstrap_mean(values, speakers, weights=weights, bounds=limits)
    return {
        metric: interval.mean,
        f"{metric}_low": interval.low,
        f"{metric}_high": interval.high,
        f"{metric}_n": scored,
    }


def _entropy(run: Run, codec: str, point: str) -> float:
    rows = run.of(codec, point)
    coded = with_tokens(rows)
    return code_kbps(run.codes(codec, point), list(coded["speaker"]), float(coded["seconds"].sum()))


def _first(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.iloc[0]) if len(known) else math.nan
