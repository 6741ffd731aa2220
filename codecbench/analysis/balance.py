"""Balance of utterances over speakers: what an interval clustered by speaker rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from codecbench.analysis.bootstrap import FEWEST_CLUSTERS

LEAST_SHARE = 0.5
"""Effective over actual speakers below which one is warned.  Where one of ten speakers has most utterances
(effectively two or three) an interval of 95 % holds 40 to 60 %."""


def effective_speakers(speakers: Iterable[Any]) -> float:
    """Return (sum n)^2 / sum n^2 over each speaker's utterances n: as many equally busy ones weigh alike."""
    _, counts = np.unique(np.asarray(list(speakers), dtype=str), return_counts=True)
    return float(counts.sum() ** 2 / np.square(counts).sum()) if counts.size else 0.0


def remark(speakers: Iterable[Any]) -> str:
    """Return what a reader must know of the balance; empty where the speakers are even enough."""
    known = [str(speaker) for speaker in speakers]
    actual, effective = len(set(known)), effective_speakers(known)
    if actual < 2 or effective >= LEAST_SHARE * actual:
        return ""
    return (
        f"the utterances of {actual} speakers weigh like those of {effective:.1f} (one has many): means are "
        "of those few voices and intervals too narrow; codecbench table --by-speaker gives each one vote"
        + (f", --limit {actual} one utterance" if actual >= FEWEST_CLUSTERS else "")
    )
