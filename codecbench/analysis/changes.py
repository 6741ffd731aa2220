"""The utterances that changed most between two systems, so that people can listen where it matters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codecbench.analysis.gate import Gate
from codecbench.analysis.systems import Pair, System, pairs
from codecbench.store.layout import inside
from codecbench.store.store import Run

MOST = 10


@dataclass(frozen=True)
class Moved:
    """One metric of one utterance; ``margins`` is its gain in margins, positive where ``new`` is better."""

    metric: str
    base: float
    new: float
    margins: float


@dataclass(frozen=True)
class Change:
    """One utterance through both systems at one point.

    ``scores`` begins with the metric that moved most.  ``audio`` holds the absolute paths of the reference
    and of the base's and the new system's kept speech, None where none was kept.  ``failed`` names the system
    that gave no speech, or is empty.
    """

    utterance: str
    speaker: str
    base: str
    new: str
    scores: tuple[Moved, ...]
    audio: tuple[str | None, str | None, str | None]
    failed: str

    @property
    def size(self) -> float:
        """Return how far the utterance moved, in margins; infinite where one system alone failed."""
        return math.inf if self.failed else max((abs(one.margins) for one in self.scores), default=0.0)


def most_changed(gate: Gate, base: System, new: System, most: int = MOST) -> list[Change]:
    """Return the utterances of a gate that moved most: by the largest gain or loss of a metric, in margins.

    Parameters
    ----------
    gate : Gate
        What was decided of the two systems.
    base, new : System
    most : int
        How many utterances at most.  Those that failed with one system alone come first.
    """
    found = [
        change for pair in pairs(base, new) for change in _changes(pair, gate, base, new) if change.size > 0
    ]
    return sorted(found, key=lambda change: (-change.size, change.utterance, change.new))[:most]


def _changes(pair: Pair, gate: Gate, base: System, new: System) -> Iterator[Change]:
    metrics = base.run.manifest["metrics"]
    margins = {
        check.check: check.margin if metrics[check.check]["higher_is_better"] else -check.margin
        for check in gate.checks
        if (check.base, check.new) == (pair.a_label, pair.b_label) and check.check in metrics
    }
    references = {**_references(new.run), **_references(base.run)}
    for utterance, was, now in zip(
        pair.a.index, pair.a.to_dict("records"), pair.b.to_dict("records"), strict=True
    ):
        failed = [label for label, row in ((pair.a_label, was), (pair.b_label, now)) if row["status"] != "ok"]
        yield Change(
            utterance, str(was["speaker"]), pair.a_label, pair.b_label, tuple(_moved(was, now, margins)),
            (references.get(utterance), _kept(base.run, was["audio"]), _kept(new.run, now["audio"])),
            failed[0] if len(failed) == 1 else "",
        )  # fmt: skip


def _moved(was: Mapping[Any, Any], now: Mapping[Any, Any], margins: Mapping[str, float]) -> list[Moved]:
    moved = [
        Moved(metric, was[metric], now[metric], (now[metric] - was[metric]) / margin)
        for metric, margin in margins.items()
        if not (math.isnan(was[metric]) or math.isnan(now[metric]))
    ]
    return sorted(moved, key=lambda one: -abs(one.margins))


def _references(run: Run) -> dict[str, str]:
    kept = {item["id"]: _kept(run, item["audio"]) for item in run.manifest["utterances"]}
    return {utterance: path for utterance, path in kept.items() if path}


def _kept(run: Run, name: object) -> str | None:
    path = inside(run.out, name) if isinstance(name, str) else None
    return str(path.resolve()) if path else None
