"""The best of several points on a metric, all that do not differ significantly from it, and the next.

Points of one codec alone are not ranked, and nothing is where no difference could be significant, as under
six speakers: a best that is within its uncertainty of all others is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codecbench.analysis.comparisons import weights, wide
from codecbench.analysis.paired import against, flips_for, smallest_p
from codecbench.store.store import Run

BEST, SECOND = 1, 2
LEVEL = 0.05


class Ranking:
    """The ranking on one metric of a run, for any choice of its points."""

    def __init__(self, run: Run, metric: str) -> None:
        self._higher = bool(run.manifest["metrics"][metric]["higher_is_better"])
        self._scores, self._speakers = wide(run, metric)
        self._weights = weights(run, metric)

    def of(self, means: Mapping[tuple[str, str], float], digits: int) -> dict[tuple[str, str], int]:
        """Return `BEST` and `SECOND` by codec and label.

        Parameters
        ----------
        means : Mapping
            The mean of each point, by its codec and its label; missing ones (NaN) take no part.
        digits : int
            The decimals that are printed: of those that differ from the best, all that print the best
            value are second.
        """
        known = {pair: mean for pair, mean in means.items() if np.isfinite(mean)}
        speakers = np.unique(self._speakers).size
        others = len(known) - 1
        if len({codec for codec, _ in known}) < 2 or smallest_p(speakers, flips_for(others)) * others > LEVEL:
            return {}
        best = (max if self._higher else min)(known, key=lambda pair: known[pair])
        rest = [pair for pair in known if pair != best]
        p_values = self._against(best, rest)
        places = {pair: BEST for pair, p in zip(rest, p_values, strict=True) if not p <= LEVEL}
        worse = {pair: round(known[pair], digits) for pair in rest if pair not in places}
        if worse:
            next_best = (max if self._higher else min)(worse.values())
            places |= {pair: SECOND for pair, value in worse.items() if value == next_best}
        return places | {best: BEST}

    def _against(self, best: tuple[str, str], rest: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        columns = [label for _, label in (best, *rest)]
        table: pd.DataFrame = self._scores[columns]
        values: NDArray[Any] = table.to_numpy(dtype=np.float64)
        return against(values[:, 0], values[:, 1:], self._speakers, weights=self._weights)
