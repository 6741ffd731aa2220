"""What no-reference metrics say of decoded speech beyond what they say of the recording itself.

Such a metric never sees the reference, so its score holds the recording's own: microphone, room, voice.  The
paired difference to the untouched original of the same utterance is the codec's share.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench import registry
from codecbench.analysis.bootstrap import bootstrap_mean
from codecbench.analysis.comparisons import wide
from codecbench.analysis.runs import is_ground_truth, point_label, points
from codecbench.errors import CodecBenchError
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "metric", "codec", "point", "reference", "reference_mean", "difference", "low", "high", "n", "speakers",
)  # fmt: skip


def no_reference(run: Run) -> list[str]:
    """Return the metrics of a run that look at decoded speech alone.

    A manifest of an earlier version does not tell; there the metric of that name says, where it is installed.
    """
    return [
        name
        for name, entry in run.manifest["metrics"].items()
        if (entry["no_reference"] if "no_reference" in entry else _registered(name))
    ]


def against_original(run: Run, seed: int = 0) -> pd.DataFrame:
    """Return by how much no-reference scores of decoded speech differ from those of the original.

    Parameters
    ----------
    run : Run
        Its original is the codec that says of itself that it leaves speech untouched.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: a row for each metric and each point of a codec with the mean of decoded minus
        original over the ``n`` utterances that have both, and its 95 % interval, which resamples speakers
        and is NaN for few.  Without an original or such a metric there are no rows.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    original = next((pair for pair in points(run) if is_ground_truth(run, pair[0])), None)
    for metric in no_reference(run) if original else []:
        assert original is not None
        scores, speakers = wide(run, metric)
        reference = point_label(*original)
        if reference not in scores or scores[reference].isna().all():
            continue
        for codec, point in points(run):
            label = point_label(codec, point)
            if is_ground_truth(run, codec) or label not in scores:
                continue
            differences = (scores[label] - scores[reference]).to_numpy(dtype=float)
            known = np.isfinite(differences)
            interval = bootstrap_mean(differences, speakers, seed=seed)
            rows.append({
                "metric": metric, "codec": codec, "point": point, "reference": reference,
                "reference_mean": float(scores[reference].mean()), "difference": interval.mean,
                "low": interval.low, "high": interval.high,
                "n": int(known.sum()), "speakers": len(set(speakers[known])),
            })  # fmt: skip
    return pd.DataFrame([row for row in rows if not math.isnan(row["difference"])], columns=list(COLUMNS))


def _registered(metric: str) -> bool:
    try:
        return bool(getattr(registry.load(registry.METRICS, metric), "no_reference", False))
    except CodecBenchError:
        return False
