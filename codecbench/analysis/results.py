"""Aggregated results: ``results/<dataset>/<codec>.json`` and published figures, in one schema.

A file is ``{"format": 1, "codec", "kind": "measured" | "published", "meta": {"source", "url", "dataset",
"note"}, "points": [{"point", "nominal_kbps", "payload_kbps", "n", "scores": {metric: {"mean", "low", "high",
"n", "band"}}}]}``.  What is not known is null.  ``band`` is the band a published score was taken in where its
metric has several (``wb`` or ``nb`` of PESQ).  Measured files carry ``signatures`` in their meta besides.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd

from codecbench.errors import InvalidInput
from codecbench.fields import list_of, map_of, maybe, number, one_of, read_json, record, text, truth, whole
from codecbench.files import write_atomically
from codecbench.names import safe_name
from codecbench.store.store import Run

FORMAT = 1
KINDS = ("measured", "published")
PUBLISHED = "published-*.json"

_NAME = text(4096)
_MEAN = number(-1e9, 1e9)
_RATE = maybe(number(0, 1e9))
_SCORE = record(
    {"mean": _MEAN},
    {"low": maybe(_MEAN), "high": maybe(_MEAN), "n": maybe(whole()), "band": maybe(_NAME)},
)
_CHECK = record({
    "format": one_of(FORMAT), "kind": one_of(*KINDS),
    "points": list_of(record(
        {"point": _NAME, "nominal_kbps": _RATE, "scores": map_of(_SCORE)},
        {"payload_kbps": _RATE, "n": maybe(whole())},
    )),
    "codec": _NAME,
    "meta": record({}, {
        "source": maybe(text()), "url": maybe(text()), "dataset": maybe(_NAME), "note": maybe(text()),
        "comparable": truth, "signatures": map_of(text()),
    }),
})  # fmt: skip


@dataclass(frozen=True)
class Score:
    """A mean score with its 95 % limits, the number of utterances, and the band it belongs to."""

    mean: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    band: str | None = None


@dataclass(frozen=True)
class Point:
    """One operating point with its scores by metric."""

    point: str
    nominal_kbps: float | None
    payload_kbps: float | None
    n: int | None
    scores: Mapping[str, Score]

    @property
    def kbps(self) -> float:
        """The measured rate where there is one, else the nominal one; NaN where neither is known."""
        rate = self.nominal_kbps if self.payload_kbps is None else self.payload_kbps
        return math.nan if rate is None else rate


@dataclass(frozen=True)
class Result:
    """What one source says about one codec."""

    codec: str
    kind: str
    meta: Mapping[str, Any]
    points: tuple[Point, ...] = field(default=())


def measured(run: Run, summary: pd.DataFrame) -> list[Result]:
    """Return one result a codec of a run's summary (`summary.summary`)."""
    dataset = run.manifest["dataset"]
    results = []
    for codec, entry in run.manifest["codecs"].items():
        rows = summary[summary["codec"] == codec]
        signatures = {"codec": entry["signature"]} | {
            name: metric["signature"] for name, metric in run.manifest["metrics"].items()
        }
        meta = {
            "source": f"codecbench {run.manifest['codecbench']}",
            "url": entry["info"].get("url") or None,
            "dataset": dataset["name"],
            "note": "synthetic speech" if dataset["synthetic"] else None,
            "revision": dataset["revision"],
            "signatures": signatures,
        }
        points = tuple(_measured_point(row, list(run.manifest["metrics"])) for _, row in rows.iterrows())
        results.append(Result(codec, "measured", meta, points))
    return results


def write(result: Result, folder: Path) -> Path:
    """Write a result as ``<codec>.json`` (``published-<codec>.json``) into a folder, atomically."""
    name = safe_name(result.codec)
    path = folder / f"{'published-' if result.kind == 'published' else ''}{name}.json"
    written = json.dumps({"format": FORMAT, **asdict(result)}, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, written + "\n")
    return path


def read(path: Path) -> Result:
    """Read and check one result file.

    Raises
    ------
    InvalidInput
        If it is not JSON of this schema; the message names the field.
    """
    try:
        found = read_json(path, _CHECK, "a result file", "see the schema in codecbench/analysis/results.py")
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(f"{path}: no such file; check the path") from None
    data = cast(dict[str, Any], found)
    return Result(data["codec"], data["kind"], data["meta"], tuple(map(_point, data["points"])))


def read_published(folder: Path) -> list[Result]:
    """Read every ``published-*.json`` of a folder, sorted by name; an empty list where there is none."""
    return [read(path) for path in sorted(folder.glob(PUBLISHED))]


def table(results: Iterable[Result]) -> pd.DataFrame:
    """Return results as rows: codec, kind, source, dataset, point, kbps, metric, mean, low, high, n."""
    columns = ["codec", "kind", "source", "dataset", "point", "kbps", "metric", "mean", "low", "high", "n"]
    rows = [
        {
            "codec": result.codec, "kind": result.kind, "source": result.meta.get("source"),
            "dataset": result.meta.get("dataset"), "point": point.point, "kbps": point.kbps, "metric": metric,
            "mean": score.mean, "low": score.low, "high": score.high, "n": score.n,
        }
        for result in results for point in result.points for metric, score in point.scores.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _point(item: Mapping[str, Any]) -> Point:
    scores = {
        name: Score(score["mean"], *(score.get(part) for part in ("low", "high", "n", "band")))
        for name, score in item["scores"].items()
    }
    return Point(item["point"], item["nominal_kbps"], item.get("payload_kbps"), item.get("n"), scores)


def _measured_point(row: pd.Series, metrics: list[str]) -> Point:
    scores = {
        metric: Score(
            round(float(row[metric]), 6),
            _rounded(row[f"{metric}_low"]),
            _rounded(row[f"{metric}_high"]),
            int(row[f"{metric}_n"]),
        )
        for metric in metrics
        if math.isfinite(row[metric])
    }
    return Point(
        str(row["point"]), _rounded(row["nominal_kbps"]), _rounded(row["payload_kbps"]), int(row["n"]), scores
    )


def _rounded(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
