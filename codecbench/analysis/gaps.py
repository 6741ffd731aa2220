"""Unbalanced designs: what one command ran on some utterances, or scored with some metrics, and another not.

Means over different utterances do not compare.  A dagger marks them in tables; this says what completes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from codecbench.analysis.runs import point_label, points, scored
from codecbench.store.store import Run

MOST_NAMED = 4


def remarks(run: Run) -> Iterator[str]:
    """Yield a line on points run on fewer utterances, and one on metrics not asked for everywhere."""
    total = len(run.manifest["utterances"])
    sizes = run.records.groupby(["codec", "point"]).size()
    fewer = [pair for pair in points(run) if sizes.get(pair, 0) < total]
    if fewer:
        yield (
            f"{_listed([point_label(*pair) for pair in fewer])} ran on fewer than the {total} utterances of "
            "the others: their means do not compare; the command with the most utterances completes them, "
            "given their names"
        )
    decoded = scored(run)
    lacking = {
        metric: int((decoded[metric].isna() & decoded[f"reason:{metric}"].isna()).sum())
        for metric in run.metrics
    }
    if lacking := {metric: count for metric, count in lacking.items() if count}:
        told = ", ".join(f"{metric} in {count}" for metric, count in lacking.items())
        yield (
            f"not asked for in some of {len(decoded)} decoded cells: {told}; the command with all codecs and "
            f"--metrics {','.join(run.metrics)} scores these alone"
        )


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
