"""docs/metrics.md and docs/judges.md: tables of the code and of what was measured, between notes."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from codecbench import registry
from codecbench.errors import CodecBenchError
from codecbench.report.table import arrow
from codecbench.report.table_formats import heading
from codecbench.run.plan import DEFAULT_METRICS
from docs_of_reference import quoted, summary
from docs_rows import NOTE, rows
from spliced import ROOT, table

FOLDER = ROOT / "docs"
NOTES = Path(__file__).parent / "metrics_notes.md"
"""What is said of the numbers below the table of metrics, with a line for each table of measured figures."""
MEASURED = FOLDER / "measured" / "judges.csv"
PUBLISHED = FOLDER / "measured" / "published-metrics.csv"
JUDGES_NOTES = Path(__file__).parent / "judges_notes.md"
"""What is said above the table of codecs; see `docs_of_reference.quoted`."""
JUDGED = (
    "pcm@256", "spc@7.5", "spc@3.75", "rvq@7.5", "rvq@3.75", "lyra@6", "lyra@3.2", "opus@8", "codec2@3.2",
)  # fmt: skip
JUDGES = (
    "dwer", "dcer", "dnsmos", "dnsmos-sig", "dnsmos-bak", "plcmos", "speaker-similarity", "f0-rmse",
    "f0-voicing", "bandwidth", "loudness-change", "stoi", "pesq-wb", "mcd", "visqol",
)  # fmt: skip
COST = "cost"
LIMITS = ("mean", "low", "high")


def metrics_page() -> str:
    """Return the table of metrics, whether each is in the default set and how fast it is, then the notes."""
    speeds = {item["name"]: _speed(item["mean"]) for item in _read(MEASURED) if item["what"] == COST}

    def row(name: str, metric: Any) -> tuple[str, ...]:
        better = "higher" if metric.higher_is_better else "lower"
        rate = f"{metric.sample_rate_hz / 1000:g}"
        default = "yes" if name in DEFAULT_METRICS else "no"
        return (
            f"`{name}`", metric.label, metric.unit, better, default, speeds.get(name, "--"), rate,
            f"`{metric.signature()}`", metric.citation,
        )  # fmt: skip

    head = (
        "metric", "label", "unit", "better", "default set", "x real time", "kHz", "signature", "source",
    )  # fmt: skip
    text = (
        "Scores with different signatures do not compare; the signature names every choice of the recipe. "
        "The default set is what `run` scores\nwith where no `--metrics` is given. x real time is seconds of "
        "speech scored in a second of one core (measured below), `--` not measured.\n\n"
    )
    notes = NOTES.read_text(encoding="utf-8")
    for name, made in (("anchors", _anchors()), ("costs", _costs()), ("published", _published())):
        line = f"<!-- table: {name} -->\n"
        if line not in notes:
            raise CodecBenchError(f"{NOTES.name} lacks the line {line.strip()}")
        notes = notes.replace(line, made)
    return f"# Metrics\n\n{NOTE}\n{text}{table(head, rows(registry.METRICS, row))}\n{notes}"


def judges_page() -> str:
    """Return the table of what the judges say in the reference run: a column a codec and rate."""

    def cell(row: Mapping[str, Any], name: str) -> str:
        mean, low, high = (float(row[f"{name}{part}"]) for part in ("", "_low", "_high"))
        interval = "" if math.isnan(low) or low == high else f" ({low:.3g} to {high:.3g})"
        return "--" if math.isnan(mean) else f"{mean:.3g}{interval}"

    points = summary()
    codecs = [points[label] for label in JUDGED]
    metrics = {point.name: point for point in entry_points(group=registry.METRICS)}
    lines = [("kbit/s", *(f"{float(row['payload_kbps']):.2f}" for row in codecs))]
    lines.append(("utterances", *(str(row["n"]) for row in codecs)))
    for name in JUDGES:
        metric = metrics[name].load()
        label = heading(metric.label, metric.unit, arrow(metric.higher_is_better))
        lines.append((label, *(cell(row, name) for row in codecs)))
    head = ("", *(f"`{label}`" for label in JUDGED))
    return f"{quoted(JUDGES_NOTES.read_text(encoding='utf-8'))}\n{table(head, lines)}"


def _speed(seconds: str) -> str:
    """Return how many times faster than speech what takes so many seconds for a second of it is."""
    return f"{1.0 / max(float(seconds), 1e-4):.3g}"


def _costs() -> str:
    """Return how fast each metric is; what takes longest has the lowest speed."""
    lines = [
        (f"`{item['name']}`", item["n"], *(_speed(item[name]) for name in ("mean", "high", "low")))
        for item in _read(MEASURED)
        if item["what"] == COST
    ]
    return table(("x real time on one core", "n", "mean", "low", "high"), lines)


def _anchors() -> str:
    """Return between what scores of the judges lie where no codec is at work."""
    lines = [
        (f"`{item['what']}`", item["name"], item["n"], *(f"{float(item[of]):.3g}" for of in LIMITS))
        for item in _read(MEASURED)
        if item["what"] != COST
    ]
    return table(("metric", "of", "n", "mean", "low", "high"), lines)


def _published() -> str:
    """Return the published values that tests hold the metrics against, beside what they give."""
    head = ("metric", "reference", "degraded", "published", "here", "allowed", "by")
    names = ("reference", "degraded", "published", "found", "tolerance", "source")
    lines = [(f"`{row['metric']}`", *(row[name] for name in names)) for row in _read(PUBLISHED)]
    return table(head, lines)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
