"""Run manifest: signatures, dataset, machine, versions; it decides which runs may be put together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codecbench.errors import InvalidInput

FORMAT = 2

Manifest = dict[str, Any]


def differences(there: Manifest, here: Manifest) -> list[str]:
    """Say why results of two runs must not stand side by side; an empty list where they may.

    They must be of the same speech, and what both hold must have been made by the same codecs and metrics,
    codecs on the same kind of device.
    """
    found = []
    if there["dataset"]["revision"] != here["dataset"]["revision"]:
        told = (f"{data['name']!r} ({data['revision'][:12]})" for data in (there["dataset"], here["dataset"]))
        found.append("different speech by hash: dataset {} there, {} here".format(*told))
    if other := _other_texts(there, here):
        found.append(f"another transcript of {other} there than here")
    for group in ("codecs", "metrics"):
        for name in sorted(there[group].keys() & here[group].keys()):
            was, now_is = there[group][name]["signature"], here[group][name]["signature"]
            if was != now_is:
                found.append(f"{group.removesuffix('s')} {name} has the signature {was} there, {now_is} here")
    if there["codecs"].keys() & here["codecs"].keys() and not _same_kind(there, here):
        found.append(f"device {there['device']} there, {here['device']} here")
    return found


def device_kind(devices: str) -> str:
    """Return the kind of one or several devices, e.g. ``cuda`` of ``cuda:0,cuda:1``."""
    return devices.partition(",")[0].partition(":")[0]


def _same_kind(there: Manifest, here: Manifest) -> bool:
    return device_kind(there["device"]) == device_kind(here["device"])


def _other_texts(there: Manifest, here: Manifest) -> str:
    """Return the first utterance that both have with different transcripts, "" for none."""
    texts = {item["id"]: item.get("about", {}).get("text") for item in there["utterances"]}
    for item in here["utterances"]:
        mine, theirs = item.get("about", {}).get("text"), texts.get(item["id"])
        if mine and theirs and mine != theirs:
            return str(item["id"])
    return ""


def lag_differences(there: Manifest, here: Manifest) -> list[str]:
    """Say where two runs undid lags in different ways before scoring; an empty list where they did not."""
    was, now_is = there.get("align", "codec"), here.get("align", "codec")
    if was == now_is:
        return []
    return [f"the lag undone is that of each {was} there, of each {now_is} here"]


def obstacles(old: Manifest, new: Manifest) -> list[str]:
    """Say why two runs cannot be one: `differences`, or another kind of device, another way of undoing lags.

    Metrics may be added: what decides is each metric's own signature.
    """
    found = differences(old, new)
    if not _same_kind(old, new) and not any(item.startswith("device ") for item in found):
        found.append(f"device {old['device']} there, {new['device']} here")
    return found + lag_differences(old, new)


def check_same(old: Manifest, new: Manifest, out: Path) -> None:
    """Refuse to continue a folder's run with one that does not compare, see `obstacles`.

    Raises
    ------
    InvalidInput
        Naming what differs between the folder's run and this one.
    """
    if found := obstacles(old, new):
        raise InvalidInput(
            f"{out} holds a run that does not compare with this one: {'; '.join(found)}; "
            "choose another --out, or delete the old run with --overwrite"
        )


def merge(old: Manifest | None, new: Manifest) -> Manifest:
    """Return the manifest of two runs that compare: codecs, points, metrics and utterances of both.

    All else (machine, command, times) is the new one's, except the start, and so is what both hold.
    """
    if old is None:
        return new
    merged = dict(new)
    merged["codecs"] = dict(old["codecs"])
    for label, entry in new["codecs"].items():
        points = {point["name"]: point for point in old["codecs"].get(label, entry)["points"]}
        points |= {point["name"]: points.get(point["name"], {}) | point for point in entry["points"]}
        merged["codecs"][label] = {**entry, "points": list(points.values())}
    merged["metrics"] = {**old["metrics"], **new["metrics"]}
    before = {item["id"]: item for item in old["utterances"]}
    utterances = before | {
        item["id"]: {
            **item,
            "audio": item["audio"] or before.get(item["id"], item)["audio"],
            "recoded": item.get("recoded") or before.get(item["id"], item).get("recoded", False),
        }
        for item in new["utterances"]
    }
    merged["utterances"] = [utterances[key] for key in sorted(utterances)]
    merged["dataset"] = {**new["dataset"], "n": len(utterances)}
    merged["left_out"] = [item for item in old["left_out"] if not _settled(item, new)] + new["left_out"]
    merged["started"] = old["started"]
    return merged


def _settled(left_out: Manifest, new: Manifest) -> bool:
    """Say whether a newer run has tried again what an older one had to leave out."""
    if left_out["kind"] == "rate":
        return left_out in new["left_out"]
    tried = {item["name"] for item in new["left_out"] if item["kind"] == left_out["kind"]}
    return left_out["name"] in {*new[f"{left_out['kind']}s"], *tried}


def current(manifest: Manifest) -> Manifest:
    """Return a manifest in today's format; format 1 told apart what was left out."""
    return _from_format_1(manifest) if manifest["format"] == 1 else manifest


def _from_format_1(manifest: Manifest) -> Manifest:
    left_out = [
        {"kind": "codec", "name": item["codec"], "reason": item["reason"], "remedy": item["remedy"]}
        for item in manifest.pop("unavailable")
    ]
    for item in manifest.pop("unmatched"):
        reason = f"no point near {item['asked_kbps']:g} kbit/s, its nearest is {item['nearest_point']}"
        left_out.append({"kind": "rate", "name": item["codec"], "reason": reason, "remedy": ""})
    return {**manifest, "format": FORMAT, "left_out": left_out}


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
