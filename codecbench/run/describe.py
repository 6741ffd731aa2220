"""Provenance of a run, for its manifest: signatures, dataset, machine and versions."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import codecbench
from codecbench.run.plan import Contestant, Plan
from codecbench.store.layout import reference_path
from codecbench.store.manifest import FORMAT, Manifest, now

DISTRIBUTIONS = ("numpy", "scipy", "soxr", "soundfile")
"""What every run computes with; codecs and metrics name their own."""


def describe(
    plan: Plan,
    *,
    device: str = "cpu",
    audio: Collection[str] = (),
    recoded: Collection[str] = (),
    command: Sequence[str] = (),
    align: str = "codec",
) -> Manifest:
    """Return the manifest of a run that is about to begin.

    ``audio`` are ids of utterances whose speech is kept, ``recoded`` of those that token codecs code twice.
    """
    data = plan.dataset
    return {
        "format": FORMAT,
        "codecbench": codecbench.__version__,
        "dataset": {
            "name": data.name,
            "revision": data.revision,
            "licence": data.licence,
            "description": data.description,
            "synthetic": data.synthetic,
            "n": len(data.utterances),
            "limit": data.limit,
            "seed": data.seed,
        },
        "codecs": {entry.label: _codec(entry) for entry in plan.contestants},
        "metrics": {metric.name: _metric(metric) for metric in plan.metrics},
        "left_out": [asdict(item) for item in plan.left_out],
        "align": align,
        "device": device,
        "machine": _machine(),
        "versions": _versions(plan),
        "git": _git(Path(codecbench.__file__).parent),
        "utterances": [
            {
                "id": item.id,
                "speaker": item.speaker,
                "seconds": item.seconds,
                "audio": reference_path(item.id) if item.id in audio else None,
                "recoded": item.id in recoded,
                "about": dict(item.about),
            }
            for item in data.utterances
        ],
        "started": now(),
        "finished": None,
        "command": list(command),
    }


def _codec(entry: Contestant) -> Manifest:
    info = entry.codec.info
    points = [
        {
            "name": point.name,
            "nominal_kbps": _finite(point.nominal_kbps),
            "frame_rate_hz": point.frame_rate_hz or info.frame_rate_hz,
        }
        for point in entry.points
    ]
    return {"signature": entry.signature, "info": asdict(info), "points": points}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _metric(metric: Any) -> Manifest:
    return {
        "signature": metric.signature(),
        "label": metric.label,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "compares_waveforms": metric.compares_waveforms,
        "no_reference": metric.no_reference,
        "value_range": [_finite(bound) for bound in metric.value_range],
        "citation": metric.citation,
        "bibtex": metric.bibtex,
    }


def _machine() -> Mapping[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """Return the processor's name; the standard library does not know it on Linux."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions(plan: Plan) -> Mapping[str, str | None]:
    """Return the version of each distribution that takes part, None where it is not installed."""
    named = [entry.codec.distributions for entry in plan.contestants]
    named += [metric.distributions for metric in plan.metrics]
    names = dict.fromkeys([*DISTRIBUTIONS, *(name for each in named for name in each)])
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _git(folder: Path) -> Mapping[str, Any] | None:
    """Return commit and cleanliness of the source tree this package runs from; None for an installed one."""
    try:
        run = [
            subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for arguments in (
                ["ls-files", "__init__.py"],
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "-uno"],
            )
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    tracked, commit, changes = run
    return {"commit": commit, "dirty": bool(changes)} if tracked else None
