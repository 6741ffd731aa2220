"""What a run will take, from what a second of speech costs: hours by codec and metric, disk, N workers.

Arithmetic over given costs; `codecbench.run.calibrate` measures them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codecbench.run.cell import AUDIO, CODEC
from codecbench.store.records import RECODED

if TYPE_CHECKING:
    import pandas as pd

OTHER = "other"
"""References, resampling and lags: a cell's time outside codec and metrics."""


@dataclass(frozen=True)
class Cost:
    """Cost of one codec at one point.

    Parameters
    ----------
    spent : Mapping[str, float]
        Seconds of work a second of speech, by metric, ``codec``, ``audio`` (keeping it) and ``other``.
    record_bytes, audio_bytes : float
        Of the record and of kept decoded speech, a second of speech.
    """

    spent: Mapping[str, float]
    record_bytes: float = 0.0
    audio_bytes: float = 0.0


@dataclass(frozen=True)
class Costs:
    """What a calibration found.

    Parameters
    ----------
    cells : Mapping[tuple[str, str], Cost]
        By codec and point.
    load_s : Mapping[str, float]
        Seconds until a worker has loaded a codec; with the first one also what all need.
    start_s : float
        Seconds until a worker answers.
    reference_bytes : float
        Of kept reference speech, a second of speech.
    failed : tuple of str
        One line a cell that gave no speech; its cost counts as it was.
    measured, measured_s : int, float
        The cells that were computed, and the seconds that took.
    """

    cells: Mapping[tuple[str, str], Cost]
    load_s: Mapping[str, float] = field(default_factory=dict)
    start_s: float = 0.0
    reference_bytes: float = 0.0
    failed: tuple[str, ...] = ()
    measured: int = 0
    measured_s: float = 0.0


@dataclass(frozen=True)
class Piece:
    """A cell to compute: ``metrics`` are those it lacks; is its speech kept, is it coded again?"""

    codec: str
    point: str
    utterance: str
    seconds: float
    metrics: tuple[str, ...]
    keep: bool = False
    recode: bool = False


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Parameters
    ----------
    cells, stored : int
        Cells to compute, and those that the folder holds already.
    audio_seconds : float
        Speech to push through codecs, summed over cells.
    spent_s : Mapping[str, Mapping[str, float]]
        Seconds of work of one core by codec, then by metric, ``codec``, ``audio`` and ``other``.
    audio_bytes, record_bytes : float
        Disk for kept speech and for records.
    wall_s : Mapping[int, float]
        Seconds from start to end by number of workers, a core each.
    failed : tuple of str
        Cells of the calibration that gave no speech.
    measured, measured_s : int, float
        Cells of the calibration, and the seconds that they took.
    """

    cells: int
    stored: int
    audio_seconds: float
    spent_s: Mapping[str, Mapping[str, float]]
    cells_of: Mapping[str, int]
    audio_bytes: float
    record_bytes: float
    wall_s: Mapping[int, float]
    failed: tuple[str, ...] = ()
    measured: int = 0
    measured_s: float = 0.0

    @property
    def work_s(self) -> float:
        """Seconds of work of one core, loading left out."""
        return sum(sum(parts.values()) for parts in self.spent_s.values())

    def table(self) -> pd.DataFrame:
        """Return hours of one core: a row a codec and one for all, a column for each part."""
        import pandas as pd

        hours = pd.DataFrame(self.spent_s).T.fillna(0.0).rename_axis("codec") / 3600
        hours = hours.rename(columns={CODEC: "coding", RECODED: "recoding", AUDIO: "keeping"})
        hours.loc["all"] = hours.sum()
        hours["hours"] = hours.sum(axis=1)
        cells = [*(self.cells_of[codec] for codec in self.spent_s), self.cells]
        hours.insert(0, "cells", cells)
        return hours.reset_index()

    def as_json(self) -> dict[str, Any]:
        """Return all figures as JSON has them."""
        names = (
            "cells",
            "stored",
            "audio_seconds",
            "work_s",
            "audio_bytes",
            "record_bytes",
            "measured",
            "measured_s",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "cells_of": dict(self.cells_of),
            "spent_s": {codec: dict(parts) for codec, parts in self.spent_s.items()},
            "wall_s": {str(workers): seconds for workers, seconds in self.wall_s.items()},
            "failed": list(self.failed),
        }


def expect(pieces: Iterable[Piece], costs: Costs, workers: Sequence[int], stored: int = 0) -> Estimate:
    """Add up what pieces of work cost.

    Parameters
    ----------
    pieces : iterable of Piece
        What is to compute.
    costs : Costs
        Of every codec and point among them.
    workers : sequence of int
        The numbers of workers to tell the time for.
    stored : int
        Cells that need nothing.
    """
    spent: dict[str, dict[str, float]] = {}
    count: dict[str, int] = {}
    kept: dict[str, float] = {}
    seconds = audio_bytes = record_bytes = longest = 0.0
    for piece in pieces:
        cost = costs.cells[piece.codec, piece.point]
        parts = spent.setdefault(piece.codec, {})
        own = {what: rate * piece.seconds for what, rate in cost.spent.items() if what in parts_of(piece)}
        for what, value in own.items():
            parts[what] = parts.get(what, 0.0) + value
        count[piece.codec] = count.get(piece.codec, 0) + 1
        seconds += piece.seconds
        longest = max(longest, sum(own.values()))
        record_bytes += cost.record_bytes * piece.seconds
        if piece.keep:
            kept[piece.utterance] = piece.seconds
            audio_bytes += cost.audio_bytes * piece.seconds
    work_s = sum(sum(parts.values()) for parts in spent.values())
    audio_bytes += costs.reference_bytes * sum(kept.values())
    walls = {many: _wall_s(many, work_s, longest, count, costs) for many in workers}
    return Estimate(
        sum(count.values()), stored, seconds, spent, count, audio_bytes, record_bytes, walls, costs.failed,
        costs.measured, costs.measured_s,
    )  # fmt: skip


def parts_of(piece: Piece) -> set[str]:
    """Return what is spent on a piece of work, by name."""
    beside = {AUDIO: piece.keep, RECODED: piece.recode}
    return {CODEC, OTHER, *piece.metrics, *(what for what, wanted in beside.items() if wanted)}


def _wall_s(workers: int, work_s: float, longest_s: float, cells: Mapping[str, int], costs: Costs) -> float:
    """Return the time of so many workers: each starts, loads every codec that it meets, takes its part."""
    if not cells:
        return 0.0
    at_once = min(workers, sum(cells.values()))
    load_s = sum(costs.load_s.get(codec, 0.0) * min(1.0, many / at_once) for codec, many in cells.items())
    return costs.start_s + load_s + max(work_s / at_once, longest_s)
