"""Systems under comparison: what ``RUN``, ``RUN:CODEC`` and ``RUN:CODEC@POINT`` stand for, and their pairs.

A system is a part of a stored run.  Two of them may come from different runs and hold different weights under
one label: an old checkpoint and a new one.  What must agree is the speech, the metrics and the way lags are
undone, by the same rule that decides which runs may stand together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codecbench.analysis.parts import choose, family
from codecbench.analysis.runs import is_ground_truth, point_label
from codecbench.errors import InvalidInput
from codecbench.store.baseline import SUFFIX, read_baseline
from codecbench.store.layout import MANIFEST
from codecbench.store.manifest import differences, lag_differences
from codecbench.store.store import Run, load_run

if TYPE_CHECKING:
    import pandas as pd

Strings = NDArray[np.str_]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class System:
    """A part of a run: its name as given, the run, and the (codec, point) that are compared."""

    name: str
    run: Run
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Pair:
    """The same utterances through two systems at one operating point.

    ``a`` and ``b`` are their records, one row an utterance in the same order; ``speakers`` [N] of the rows;
    ``a_peak`` and ``b_peak`` their peak memory as in the manifest, None where it was not measured.
    """

    a_label: str
    b_label: str
    a: pd.DataFrame
    b: pd.DataFrame
    speakers: Strings
    a_peak: Mapping[str, Any] | None = None
    b_peak: Mapping[str, Any] | None = None

    def scores(self, metric: str) -> tuple[Scores, Scores]:
        """Return a metric's scores of both, or values of another column, float64 [N], NaN where missing."""
        a, b = (part[metric].to_numpy(dtype=np.float64) for part in (self.a, self.b))
        return a, b

    def means(self, metric: str) -> tuple[float, float]:
        """Return the means of both over the utterances that both scored; NaN where there is none."""
        a, b = self.scores(metric)
        both = ~(np.isnan(a) | np.isnan(b))
        if not both.any():
            return np.nan, np.nan
        mean_a, mean_b = (
            float(np.average(part[both], weights=self.weights(metric)[both])) for part in (a, b)
        )
        return mean_a, mean_b

    def weights(self, metric: str) -> Scores:
        """Return the weight of each utterance in means, [N]; see `Metric.weight`."""
        column = f"weight:{metric}"
        known: Scores = np.full(len(self.a), np.nan)
        for part in (self.a, self.b):
            if column in part:
                known = np.fmax(known, part[column].to_numpy(dtype=np.float64))
        return np.where(np.isnan(known), 1.0, known)


def read_system(text: str) -> System:
    """Return the system that an argument names; ground truth takes part only where it is named.

    Raises
    ------
    InvalidInput
        If there is no such run, codec or point.
    """
    place, wanted = _split(text)
    run = read_baseline(place) if place.suffix == SUFFIX else load_run(place)
    if wanted:
        # A label may hold an @ of its own.
        is_point = "@" in wanted and not family(wanted, run.manifest["codecs"])
        run = choose(run, points=[wanted]) if is_point else choose(run, codecs=[wanted])
    entries = tuple(
        (codec, point["name"])
        for codec, entry in run.manifest["codecs"].items()
        if wanted or not is_ground_truth(run, codec)
        for point in entry["points"]
    )
    if not entries:
        raise InvalidInput(f"{text}: the run has ground truth alone; name a run with a codec")
    return System(text, run, entries)


def is_stored(text: str) -> bool:
    """Say whether an argument names a run or a baseline that is there."""
    place = _split(text)[0]
    return (place / MANIFEST).exists() or (place.suffix == SUFFIX and place.is_file())


def check_comparable(systems: Sequence[System]) -> None:
    """Refuse systems of different speech, metrics or ways of undoing lags; raises `InvalidInput`."""
    first = systems[0]
    for other in systems[1:]:
        # Codecs may differ: an old checkpoint and a new one are what is compared.
        bare = [{**system.run.manifest, "codecs": {}} for system in (first, other)]
        found = differences(*bare) + lag_differences(*bare)
        if found:
            raise InvalidInput(
                f"{first.name} and {other.name} do not compare: {'; '.join(found)}; run one of them again"
            )


def shared_metrics(systems: Sequence[System], names: Sequence[str] = ()) -> list[str]:
    """Return the metrics that all systems were scored with, or of them those named."""
    first, *others = systems
    shared = [name for name in first.run.metrics if all(name in other.run.metrics for other in others)]
    if missing := [name for name in names if name not in shared]:
        raise InvalidInput(
            f"metric {missing[0]!r} was not scored in every run; run again with --metrics {missing[0]}"
        )
    if not shared:
        raise InvalidInput("the runs have no metric in common; run one of them again with the other's")
    return list(names) or shared


def pairs(a: System, b: System) -> list[Pair]:
    """Return what is compared of two systems.

    One point each is compared whatever their names; else what bears the same label and point in both; of one
    codec each, points of the same name.

    Raises
    ------
    InvalidInput
        If nothing of the one corresponds to anything of the other, or they share no utterance.
    """
    found = _matched(a.entries, b.entries)
    if not found:
        told = (", ".join(point_label(*entry) for entry in system.entries[:6]) for system in (a, b))
        raise InvalidInput(
            f"{a.name} ({next(told)}) and {b.name} ({next(told)}) have no codec and point in common; "
            "name one of each as RUN:CODEC@POINT"
        )
    return [_pair(a, b, left, right) for left, right in found]


def _matched(
    a: Sequence[tuple[str, str]], b: Sequence[tuple[str, str]]
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    if same := [(entry, entry) for entry in a if entry in b]:
        return same
    if len({codec for codec, _ in a}) == len({codec for codec, _ in b}) == 1:
        there = {entry[1]: entry for entry in b}
        return [(entry, there[entry[1]]) for entry in a if entry[1] in there]
    return []


def _pair(a: System, b: System, left: tuple[str, str], right: tuple[str, str]) -> Pair:
    tables = [_rows(system.run, *entry) for system, entry in ((a, left), (b, right))]
    shared = [name for name in tables[0].index if name in tables[1].index]
    if not shared:
        raise InvalidInput(
            f"{a.name} and {b.name} share no utterance; run both with the same --limit, --seed"
        )
    one, two = (table.loc[shared] for table in tables)
    labels = [point_label(*left), point_label(*right)]
    if labels[0] == labels[1]:
        labels = [f"{system.run.out}:{label}" for system, label in zip((a, b), labels, strict=True)]
    peaks = (_peak(system.run, *entry) for system, entry in ((a, left), (b, right)))
    return Pair(labels[0], labels[1], one, two, one["speaker"].to_numpy(dtype=str), *peaks)


def _peak(run: Run, codec: str, point: str) -> Mapping[str, Any] | None:
    points = run.manifest["codecs"][codec]["points"]
    return next((item.get("peak_memory") for item in points if item["name"] == point), None)


def _rows(run: Run, codec: str, point: str) -> pd.DataFrame:
    return run.of(codec, point).set_index("utterance")


def _split(text: str) -> tuple[Path, str]:
    """Split an argument behind the longest path that is a run or a baseline: both may hold colons."""
    cuts = [len(text), *(place for place in range(len(text) - 1, 0, -1) if text[place] == ":")]
    for cut in cuts:
        path = Path(text[:cut])
        if (path / MANIFEST).exists() or (path.suffix == SUFFIX and path.is_file()):
            return Path(text[:cut]), text[cut + 1 :]
    return Path(text[: cuts[-1]]), text[cuts[-1] + 1 :]
