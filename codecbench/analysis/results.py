"""Aggregated results: ``results/<dataset>/<codec>.json`` and published figures, in one schema.

A file is ``{"format": 1, "codec", "kind": "measured" | "published", "meta": {"source", "url", "dataset",
"note"}, "points": [{"point", "nominal_kbps", "payload_kbps", "n", "scores": {metric: {"mean", "low", "high",
"n", "band"}}}]}``.  What is not known is null.  ``band`` is the band a published score was taken in where its
metric has several (``wb`` or ``nb`` of PESQ).  Measured files carry ``signatures`` in their meta besides.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from codecbench.errors import InvalidInput
from codecbench.files import write_atomically
from codecbench.store.store import Run

FORMAT = 1
KINDS = ("measured", "published")
PUBLISHED = "published-*.json"


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
    nominal_kbps: float
    payload_kbps: float | None
    n: int | None
    scores: Mapping[str, Score]

    @property
    def kbps(self) -> float:
        """The measured rate where there is one, else the nominal one."""
        return self.nominal_kbps if self.payload_kbps is None else self.payload_kbps


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
    name = re.sub(r"[^\w.+-]+", "-", result.codec)
    path = folder / f"{'published-' if result.kind == 'published' else ''}{name}.json"
    text = json.dumps({"format": FORMAT, **asdict(result)}, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")
    return path


def read(path: Path) -> Result:
    """Read and check one result file.

    Raises
    ------
    InvalidInput
        If it is not JSON of this schema; the message names the field.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be read as JSON ({error}); restore or remove it") from None
    try:
        if data["format"] != FORMAT or data["kind"] not in KINDS:
            raise InvalidInput(
                f"{path}: format {data['format']!r}, kind {data['kind']!r} are not of this schema"
            )
        points = tuple(_point(item) for item in data["points"])
        return Result(str(data["codec"]), data["kind"], dict(data["meta"]), points)
    except KeyError as error:
        raise InvalidInput(f"{path}: the field {error} is missing; see codecbench/results.py") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"{path}: not a result file ({error}); see codecbench/results.py") from None


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
        str(name): Score(
            float(score["mean"]),
            _number(score.get("low")),
            _number(score.get("high")),
            None if score.get("n") is None else int(score["n"]),
            score.get("band"),
        )
        for name, score in item["scores"].items()
    }
    n = None if item.get("n") is None else int(item["n"])
    payload = _number(item.get("payload_kbps"))
    return Point(str(item["point"]), float(item["nominal_kbps"]), payload, n, scores)


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
        str(row["point"]), float(row["nominal_kbps"]), _rounded(row["payload_kbps"]), int(row["n"]), scores
    )


def _rounded(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]
