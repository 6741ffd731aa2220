"""What a run was: signatures, dataset, machine, versions.  It decides whether two runs may share a folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codecbench.errors import InvalidInput

FORMAT = 1

Manifest = dict[str, Any]


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
    there, here = old.get("align", "codec"), new.get("align", "codec")
    if there != here:
        differences.append(f"the lag undone is that of each {there} there, of each {here} here")
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
