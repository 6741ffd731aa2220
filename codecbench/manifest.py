"""What a run was: signatures, dataset, machine, versions.  It decides whether two runs may share a folder."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import codecbench
from codecbench.cell import reference_path
from codecbench.errors import InvalidInput
from codecbench.plan import Contestant, Plan

FORMAT = 1
LIBRARIES = (
    "numpy", "scipy", "soxr", "soundfile", "torch", "transformers", "av", "pycodec2", "ai-edge-litert",
    "pystoi", "pesq", "visqol-python", "pyworld-prebuilt",
)  # fmt: skip

Manifest = dict[str, Any]


def describe(
    plan: Plan,
    *,
    seed: int,
    limit: int | None,
    device: str = "cpu",
    audio: Collection[str] = (),
    command: Sequence[str] = (),
) -> Manifest:
    """Return the manifest of a run that is about to begin; ``audio`` are utterances whose speech is kept."""
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
            "limit": limit,
            "seed": seed,
        },
        "codecs": {entry.label: _codec(entry) for entry in plan.contestants},
        "metrics": {metric.name: _metric(metric) for metric in plan.metrics},
        "unavailable": [
            {"codec": item.name, "reason": item.reason, "remedy": item.remedy} for item in plan.unavailable
        ],
        "unmatched": [
            {**asdict(item), "nearest_kbps": _finite(item.nearest_kbps)} for item in plan.unmatched
        ],
        "device": device,
        "machine": _machine(),
        "versions": _versions(),
        "git": _git(Path(codecbench.__file__).parent),
        "utterances": [
            {
                "id": item.id,
                "speaker": item.speaker,
                "seconds": item.seconds,
                "audio": reference_path(item.id) if item.id in audio else None,
            }
            for item in data.utterances
        ],
        "started": now(),
        "finished": None,
        "command": list(command),
    }


def check_same(old: Manifest, new: Manifest, out: Path) -> None:
    """Refuse to mix results that do not compare.

    Raises
    ------
    InvalidInput
        Naming what differs between the folder's run and this one.
    """
    differences = []
    if old["dataset"]["revision"] != new["dataset"]["revision"]:
        differences.append(
            f"dataset {old['dataset']['name']!r} there ({old['dataset']['revision'][:12]}), "
            f"{new['dataset']['name']!r} here ({new['dataset']['revision'][:12]})"
        )
    if old["device"] != new["device"]:
        differences.append(f"device {old['device']} there, {new['device']} here")
    if list(old["metrics"]) != list(new["metrics"]):
        differences.append(f"metrics {','.join(old['metrics'])} there, {','.join(new['metrics'])} here")
    for group in ("codecs", "metrics"):
        for name in old[group].keys() & new[group].keys():
            there, here = old[group][name]["signature"], new[group][name]["signature"]
            if there != here:
                differences.append(f"{group.removesuffix('s')} {name} was {there}, is {here}")
    if differences:
        raise InvalidInput(
            f"{out} holds a run that does not compare with this one: {'; '.join(sorted(differences))}; "
            "choose another --out, or delete the old run with --overwrite"
        )


def merge(old: Manifest | None, new: Manifest) -> Manifest:
    """Return the manifest of a folder after another run into it: codecs, points and utterances of both."""
    if old is None:
        return new
    merged = dict(new)
    merged["codecs"] = dict(old["codecs"])
    for label, entry in new["codecs"].items():
        points = {point["name"]: point for point in old["codecs"].get(label, entry)["points"]}
        points |= {point["name"]: point for point in entry["points"]}
        merged["codecs"][label] = {**entry, "points": list(points.values())}
    before = {item["id"]: item for item in old["utterances"]}
    utterances = before | {
        item["id"]: {**item, "audio": item["audio"] or before.get(item["id"], item)["audio"]}
        for item in new["utterances"]
    }
    merged["utterances"] = [utterances[key] for key in sorted(utterances)]
    merged["dataset"] = {**new["dataset"], "n": len(utterances)}
    settled = {*new["codecs"], *(item["codec"] for item in new["unavailable"])}
    merged["unavailable"] = [item for item in old["unavailable"] if item["codec"] not in settled]
    merged["unavailable"] += new["unavailable"]
    merged["unmatched"] = [item for item in old["unmatched"] if item not in new["unmatched"]] + new[
        "unmatched"
    ]
    merged["started"] = old["started"]
    return merged


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _codec(entry: Contestant) -> Manifest:
    points = [{"name": point.name, "nominal_kbps": _finite(point.nominal_kbps)} for point in entry.points]
    return {"signature": entry.signature, "info": asdict(entry.codec.info), "points": points}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _metric(metric: Any) -> Manifest:
    return {
        "signature": metric.signature(),
        "label": metric.label,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "value_range": [_finite(bound) for bound in metric.value_range],
        "citation": metric.citation,
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


def _versions() -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for name in LIBRARIES:
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
