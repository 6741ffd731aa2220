"""Published scores as data, and a check of measured ones against them.

The files ``results/published-*.json`` hold what papers print, one file per source and codec, in the schema of
`codecbench.analysis.results`.  A correct wrapper of a codec lands near them; a score far away points at a
defect of the wrapper, the metric or the data, so it is flagged.  A source whose ``meta`` says
``"comparable": false`` is kept for its figures but never checked against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codecbench.analysis.results import PUBLISHED, Point, Result, Score, measured, read_published
from codecbench.errors import InvalidInput
from codecbench.store.store import Run

RATE_TOLERANCE = 0.03
"""Relative difference up to which two nominal rates are the same operating point."""

TOLERANCES = {"stoi": 0.02, "estoi": 0.03, "pesq-wb": 0.15, "pesq-nb": 0.15, "visqol": 0.15, "mcd": 0.3}
"""Half width of the band around a published mean without limits, in the metric's unit.

About the spread between sources that measured the same codec at the same rate: EnCodec at 1.5 and 6 kbit/s
differs by 0.04 and 0.13 in PESQ-WB and 0.03 to 0.05 in STOI between two test sets.
"""


@dataclass(frozen=True)
class Held:
    """A measured score and the published band it is held against.

    ``low`` and ``high`` are the limits of the band; ``source`` names where they come from; ``inside`` is
    whether the score's interval (its mean where it has none) reaches into the band.
    """

    codec: str
    point: str
    metric: str
    dataset: str
    score: float
    low: float
    high: float
    source: str
    inside: bool

    def __str__(self) -> str:
        said = f"{self.codec}@{self.point}: {self.metric} {self.score:.3g} on {self.dataset} is"
        band = f"{self.low:.3g} to {self.high:.3g} ({self.source})"
        if self.inside:
            return f"{said} within {band}"
        return f"{said} outside {band}; check weights, levels and alignment"


def repository_folder() -> Path:
    """Return the folder of published results in a checkout; an installed package is without it."""
    return Path(__file__).resolve().parents[2] / "results"


def load_published(folder: Path | None = None) -> list[Result]:
    """Return all published results of a folder, by default the repository's.

    Raises
    ------
    InvalidInput
        If it holds none.
    """
    folder = folder or repository_folder()
    if not (found := read_published(folder)):
        raise InvalidInput(f"{folder}: no {PUBLISHED} here; name the folder that holds them")
    return found


def check_published(ours: Run | Iterable[Result], published: Sequence[Result] | None = None) -> list[Held]:
    """Return the scores that lie outside the published band of the same codec, rate and test set.

    The band is the source's interval, or its mean give or take `TOLERANCES`; where several sources cover the
    same score it reaches from the lowest limit to the highest.  A measured score is flagged when its whole
    95 % interval (the mean where it has none) is outside.

    Parameters
    ----------
    ours : Run or iterable of Result
        What was measured.
    published : sequence of Result, optional
        By default `load_published`.
    """
    if isinstance(ours, Run):
        from codecbench.analysis.summary import summary

        ours = measured(ours, summary(ours))
    literature = load_published() if published is None else published
    return [score for result in ours for score in held(result, literature) if not score.inside]


def compared(result: Result, published: Iterable[Result]) -> list[Result]:
    """Return the published results that a measured one can be held against: same codec and test set."""
    return [
        source
        for source in published
        if source.codec == result.codec.partition(":")[0]
        and source.meta.get("dataset") == result.meta.get("dataset")
        and source.meta.get("comparable", True)
    ]


def held(result: Result, literature: Sequence[Result]) -> list[Held]:
    """Return each score of a measured result for which there is a published band, with that band."""
    sources = compared(result, literature)
    found = []
    for point in result.points:
        for metric, score in point.scores.items():
            bands = [band for source in sources for band in _bands(source, point, metric)]
            if not bands:
                continue
            low, high = min(band[0] for band in bands), max(band[1] for band in bands)
            inside = _limit(score.low, score.mean) <= high and _limit(score.high, score.mean) >= low
            names, dataset = ", ".join(sorted({band[2] for band in bands})), str(result.meta.get("dataset"))
            found.append(
                Held(result.codec, point.point, metric, dataset, score.mean, low, high, names, inside)
            )
    return found


def _bands(source: Result, point: Point, metric: str) -> Iterable[tuple[float, float, str]]:
    """Yield the limits that a source sets to a metric at a rate, and its name."""
    for theirs in source.points:
        if theirs.nominal_kbps is None or point.nominal_kbps is None:
            continue
        same = abs(theirs.nominal_kbps - point.nominal_kbps) <= RATE_TOLERANCE * theirs.nominal_kbps
        if same and metric in theirs.scores and (metric in TOLERANCES or _has_limits(theirs.scores[metric])):
            score, margin = theirs.scores[metric], TOLERANCES.get(metric, 0.0)
            low = _limit(score.low, score.mean - margin)
            yield low, _limit(score.high, score.mean + margin), str(source.meta.get("source"))


def _has_limits(score: Score) -> bool:
    return score.low is not None and score.high is not None


def _limit(limit: float | None, otherwise: float) -> float:
    return otherwise if limit is None else limit
