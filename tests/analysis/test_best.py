"""Which points are marked as best: all that do not differ significantly from it, where that can be told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codecbench.analysis.best import BEST, SECOND, Ranking
from codecbench.analysis.runs import BANDS, banded_kbps
from codecbench.store.store import Run


def made_run(scores: dict[str, list[float]], *, higher: bool = True) -> Run:
    """Return a run of one utterance a speaker, each codec at the point "1"."""
    count = len(next(iter(scores.values())))
    utterances = [{"id": f"u{i}", "speaker": f"s{i}", "seconds": 1.0} for i in range(count)]
    rows: list[dict[str, Any]] = [
        {"utterance": f"u{i}", "codec": codec, "point": "1", "m": value, "weight:m": 1.0}
        for codec, values in scores.items()
        for i, value in enumerate(values)
    ]
    manifest = {"metrics": {"m": {"higher_is_better": higher}}, "utterances": utterances}
    return Run(Path("run"), manifest, pd.DataFrame(rows))


def places(scores: dict[str, list[float]], *, higher: bool = True, codec: str = "") -> dict[str, int]:
    means = {(codec or name, f"{name}@1"): float(np.nanmean(values)) for name, values in scores.items()}
    ranking = Ranking(made_run(scores, higher=higher), "m")
    return {label.removesuffix("@1"): place for (_, label), place in ranking.of(means, 2).items()}


TEN = list(np.linspace(1, 2, 10))
NOISY = [value + (0.3 if i % 2 else -0.31) for i, value in enumerate(TEN)]
LOWER = [value - 0.5 for value in TEN]
LOWEST = [value - 0.9 for value in TEN]


@pytest.mark.parametrize(
    ("scores", "higher", "expected"),
    [
        ({"a": TEN, "b": LOWER, "c": LOWEST}, True, {"a": BEST, "b": SECOND}),
        ({"a": TEN, "b": LOWER, "c": LOWEST}, False, {"c": BEST, "b": SECOND}),
        ({"a": TEN, "b": NOISY, "c": LOWEST}, True, {"a": BEST, "b": BEST, "c": SECOND}),
        ({"a": TEN, "b": LOWER, "c": [value + 0.001 for value in LOWER]}, True,
         {"a": BEST, "b": SECOND, "c": SECOND}),
        ({"a": TEN, "b": [math.nan] * 10}, True, {}),
        ({"a": TEN[:5], "b": LOWER[:5]}, True, {}),
    ],
    ids=["clear", "lower is better", "in the noise", "alike in print", "nothing to rank", "few speakers"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_the_best_and_all_that_do_not_differ_are_marked(
    scores: dict[str, list[float]], higher: bool, expected: dict[str, int]
) -> None:
    assert places(scores, higher=higher) == expected


def test_points_of_one_codec_are_not_ranked() -> None:
    assert places({"a": TEN, "b": LOWER}, codec="opus") == {}


@pytest.mark.parametrize(
    ("measured", "nominal", "band"),
    [
        (7.97, 8.0, "8-16"), (7.7, 8.0, "8-16"), (7.95, 7.95, "8-16"), (7.5, 7.5, "4-8"),
        (5.56, 7.5, "4-8"), (math.nan, 8.0, "8-16"), (15.9, 16.0, "16-inf"), (9.5, 8.0, "8-16"),
        (6.2, 8.0, "4-8"), (3.2, math.nan, "2-4"), (1.62, 1.6, "0-2"),
    ],
)  # fmt: skip
def test_peers_stay_in_one_band(measured: float, nominal: float, band: str) -> None:
    rate = banded_kbps(measured, nominal)
    assert [found.key for found in BANDS if found.holds(rate)] == [band]
