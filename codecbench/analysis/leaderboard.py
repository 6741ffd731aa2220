"""Leaderboards over result files: which scores stand side by side, decided by signatures.

A board is one speech set by content.  Its columns are metrics *under one signature*: a metric that results
have under two is two columns, so that no column holds scores of different recipes.  Rows are codecs at a
point under one codec signature.  Published figures have no signatures and enter no board.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codecbench import registry
from codecbench.analysis.results import Point, Result, Score, read
from codecbench.errors import CodecBenchError, InvalidInput

Recipe = tuple[str, str]
"""A metric's name and signature."""


@dataclass(frozen=True)
class Scored:
    """One metric under one signature: how its column is headed and read."""

    metric: str
    signature: str
    label: str
    unit: str
    higher_is_better: bool | None
    variant: int = 0
    """Counts the signatures of one metric on a board from 1; 0 where it has one."""

    @property
    def head(self) -> str:
        """The label, numbered where the board has the metric under several signatures."""
        return f"{self.label} ({self.variant})" if self.variant else self.label


@dataclass(frozen=True)
class Entrant:
    """One codec at a point: its signature, rate, utterances, and scores by recipe."""

    codec: str
    point: str
    signature: str
    kbps: float
    n: int | None
    scores: dict[Recipe, Score]

    @property
    def label(self) -> str:
        """Codec and point as on the command line."""
        return f"{self.codec}@{self.point}"


@dataclass(frozen=True)
class Board:
    """All results on one speech set."""

    dataset: str
    revision: str
    columns: tuple[Scored, ...]
    entrants: tuple[Entrant, ...]


@dataclass(frozen=True)
class Across:
    """One recipe over several sets: mean scores of the codecs that at least two sets have."""

    column: Scored
    sets: tuple[str, ...]
    rows: tuple[tuple[Entrant, tuple[float, ...]], ...]


def find(paths: Sequence[Path]) -> tuple[list[Result], list[str]]:
    """Return the measured results in files and folders (at any depth), and notes on what was left out.

    Raises
    ------
    InvalidInput
        If a path is missing, a file is no result, or nothing measured is found.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InvalidInput(f"{path}: no such file or folder; name result files or folders with some")
        files += sorted(path.rglob("*.json")) if path.is_dir() else [path]
    results = [read(path) for path in dict.fromkeys(files)]
    measured = [result for result in results if result.kind == "measured" and result.meta.get("signatures")]
    notes = []
    if left_out := len(results) - len(measured):
        notes.append(f"{left_out} files without signatures (published figures) enter no leaderboard")
    if not measured:
        raise InvalidInput("no measured results here; make some with: codecbench export RUN --results FOLDER")
    return measured, notes


def boards(results: Iterable[Result]) -> list[Board]:
    """Return one board a speech set, rows by rate; sets of one name and other content are apart."""
    grouped: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        key = str(result.meta.get("dataset")), str(result.meta.get("revision") or "")
        grouped.setdefault(key, []).append(result)
    return [_board(name, revision, members) for (name, revision), members in grouped.items()]


def with_metrics(found: Sequence[Board], names: Sequence[str]) -> list[Board]:
    """Return the boards with the columns of some metrics alone, in the order of their names.

    Raises
    ------
    InvalidInput
        If no board has one of them.
    """
    known = list(dict.fromkeys(column.metric for board in found for column in board.columns))
    for name in names:
        if name not in known:
            raise InvalidInput(f"{registry.unknown('metric', name, known)}; name some that the results have")
    return [
        replace(
            board,
            columns=tuple(column for name in names for column in board.columns if column.metric == name),
        )
        for board in found
    ]


def across(found: Sequence[Board]) -> list[Across]:
    """Return the recipes that several sets share, with the codecs (under one signature) that they share."""
    tables = []
    for recipe in dict.fromkeys(
        (column.metric, column.signature) for board in found for column in board.columns
    ):
        holding = [board for board in found if any(recipe in row.scores for row in board.entrants)]
        rows: dict[tuple[str, str, str], dict[int, Entrant]] = {}
        for place, board in enumerate(holding):
            for row in board.entrants:
                if recipe in row.scores:
                    rows.setdefault((row.codec, row.point, row.signature), {})[place] = row
        shared = {key: there for key, there in rows.items() if len(there) > 1}
        if not shared:
            continue
        column = next(column for column in holding[0].columns if (column.metric, column.signature) == recipe)
        told = tuple(
            (
                next(iter(there.values())),
                tuple(
                    there[place].scores[recipe].mean if place in there else math.nan
                    for place in range(len(holding))
                ),
            )
            for there in shared.values()
        )
        tables.append(Across(column, tuple(board.dataset for board in holding), told))
    return tables


def _board(name: str, revision: str, members: Sequence[Result]) -> Board:
    recipes: dict[Recipe, None] = {}
    entrants: dict[tuple[str, str, str], Entrant] = {}
    for result in members:
        signatures = result.meta["signatures"]
        for point in result.points:
            scores = {
                (metric, signatures[metric]): score
                for metric, score in point.scores.items()
                if metric in signatures
            }
            recipes |= dict.fromkeys(scores)
            _enter(entrants, result, point, str(signatures.get("codec", "")), scores)
    rows = sorted(entrants.values(), key=lambda row: (math.isnan(row.kbps), row.kbps, row.label))
    return Board(name, revision, tuple(_columns(list(recipes))), tuple(rows))


def _enter(
    entrants: dict[tuple[str, str, str], Entrant],
    result: Result,
    point: Point,
    signature: str,
    scores: dict[Recipe, Score],
) -> None:
    """Add a point; scores of one codec under one signature from several files stand in one row."""
    key = result.codec, point.point, signature
    before = entrants[key].scores if key in entrants else {}
    entrants[key] = Entrant(result.codec, point.point, signature, point.kbps, point.n, {**before, **scores})


def _columns(recipes: Sequence[Recipe]) -> Iterable[Scored]:
    names = [metric for metric, _ in recipes]
    counts: dict[str, int] = {}
    for metric, signature in sorted(recipes, key=lambda recipe: names.index(recipe[0])):
        counts[metric] = counts.get(metric, 0) + 1
        variant = counts[metric] if names.count(metric) > 1 else 0
        label, unit, higher = _known(metric)
        yield Scored(metric, signature, label, unit, higher, variant)


def _known(metric: str) -> tuple[str, str, bool | None]:
    """Return label, unit and direction; the name alone where the metric is not installed."""
    try:
        kind: Any = registry.load(registry.METRICS, metric)
        return str(kind.label), str(kind.unit), bool(kind.higher_is_better)
    except (CodecBenchError, AttributeError):
        return metric, "", None
