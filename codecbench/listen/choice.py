"""What is judged in a listening test: conditions at rates near to each other, and clips that may be heard."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecbench import audio
from codecbench.analysis import runs
from codecbench.errors import InvalidInput
from codecbench.listen.clips import SHORTEST_S, Clip, Decoded, judged_seconds
from codecbench.listen.key import Remark
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

MOST_CONDITIONS = 9
"""BS.1534-3 asks for at most twelve signals in a trial: nine codecs, the hidden reference and two anchors."""
NEAR = 1.25
"""Rates that differ by a larger factor are not comparable without saying so."""


@dataclass(frozen=True)
class Chosen:
    """A condition: its blinded name, ``codec@point``, mean measured rate, and the codec's signature."""

    name: str
    label: str
    kbps: float | None
    signature: str

    def told(self) -> dict[str, Any]:
        """Return it as the key has it."""
        return {"label": self.label, "kbps": self.kbps, "signature": self.signature}


def conditions(run: Run, points: Sequence[str]) -> list[Chosen]:
    """Return the points asked for, or one of each codec at rates near to each other.

    Raises
    ------
    InvalidInput
        If the run has no such point, kept no audio, or they are too many for listeners.
    """
    known = [runs.point_label(*pair) for pair in runs.points(run) if not runs.is_ground_truth(run, pair[0])]
    for name in points:
        if name not in known:
            raise InvalidInput(f"the run has no point {name!r}; it has: {', '.join(known)}")
    rates = _rates(run)
    near = runs.one_per_codec(run, rates[rates["kept"]])
    labels = list(dict.fromkeys(points)) or [*map(runs.point_label, near["codec"], near["point"])]
    if not labels:
        raise InvalidInput(f"{run.out}: no audio was kept; run with --audio all")
    if len(labels) > MOST_CONDITIONS:
        raise InvalidInput(f"{len(labels)} points are too many for listeners; name at most {MOST_CONDITIONS}")
    measured = dict(
        zip(map(runs.point_label, rates["codec"], rates["point"]), rates["payload_kbps"], strict=True)
    )
    signed = {
        runs.point_label(codec, point): str(run.manifest["codecs"][codec]["signature"])
        for codec, point in runs.points(run)
    }
    return [
        # c1, c2, ...: no page gives a codec away.
        Chosen(f"c{number}", label, _rounded(measured.get(label)), signed[label])
        for number, label in enumerate(labels, start=1)
    ]


def usable(run: Run, chosen: Sequence[Chosen]) -> tuple[list[Clip], list[Remark]]:
    """Return the clips that may be judged, and what is to be said of them and of those left out.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    kept = _kept(run)
    clips, short, untimed = [], 0, set()
    for item in run.manifest["utterances"]:
        found = kept.get(item["id"], {})
        if not item["audio"] or not all(condition.label in found for condition in chosen):
            continue
        wave, rate_hz = audio.load(item["audio"])
        seconds = judged_seconds(wave, rate_hz)
        if seconds is None:
            short += 1
            continue
        decoded = {condition.name: found[condition.label] for condition in chosen}
        untimed |= {c.label for c in chosen if found[c.label].lag_ms is None}
        whole = seconds == wave.size / rate_hz
        clips.append(Clip(item["id"], str(item["speaker"]), Path(item["audio"]), decoded, seconds, not whole))
    names = ", ".join(condition.label for condition in chosen)
    if not clips:
        why = f"{short} are shorter than {SHORTEST_S:g} s; " if short else ""
        raise InvalidInput(
            f"{run.out}: no utterance of {SHORTEST_S:g} s has audio of {names}; {why}run with --audio all"
        )
    return clips, [*_clip_remarks(short, sorted(untimed)), *_rate_remarks(chosen)]


def _rates(run: Run) -> pd.DataFrame:
    """Return the rate of each codec and point over all speech, and whether any of its audio was kept."""
    records = runs.scored(run)
    grouped = records.assign(kept=records["audio"].notna()).groupby(["codec", "point"], sort=False)
    table = grouped.agg(size=("payload_bytes", "sum"), seconds=("seconds", "sum"), kept=("kept", "any"))
    table["payload_kbps"] = 8e-3 * table["size"] / table["seconds"].where(table["size"] > 0)
    return table.reset_index()


def _kept(run: Run) -> dict[str, dict[str, Decoded]]:
    """Return the kept file of each utterance and point, with the delay that its scores undid."""
    kept: dict[str, dict[str, Decoded]] = {}
    for row in run.records[run.records["audio"].notna()].to_dict("records"):
        label = runs.point_label(row["codec"], row["point"])
        lag_ms, inverted = row.get("settled_lag_ms"), row.get("settled_inverted")
        known = lag_ms is not None and math.isfinite(lag_ms)
        decoded = Decoded(Path(row["audio"]), lag_ms if known else None, inverted in (True, 1))
        kept.setdefault(row["utterance"], {})[label] = decoded
    return kept


def _rounded(kbps: float | None) -> float | None:
    return None if kbps is None or not math.isfinite(kbps) else round(float(kbps), 3)


def _clip_remarks(short: int, untimed: Sequence[str]) -> list[Remark]:
    found = []
    if short:
        found.append(Remark(f"{short} utterances are shorter than {SHORTEST_S:g} s and left out"))
    if untimed:
        names = ", ".join(untimed)
        found.append(Remark(f"no lag is known of {names}, which may lie out of time with the reference"))
    return found


def _rate_remarks(chosen: Sequence[Chosen]) -> list[Remark]:
    rates = [item.kbps for item in chosen if item.kbps]
    if not rates or max(rates) <= NEAR * min(rates):
        return []
    told = ", ".join(f"{item.label} {item.kbps:.3g}" for item in chosen if item.kbps)
    return [Remark(f"the conditions' rates differ ({told} kbit/s)", "--points names others")]
