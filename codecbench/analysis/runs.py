"""One or several runs as the report sees them: merged, ordered, with names, roles and rate bands.

The ground truth stands first, the repository's own model last, as tables of the field do; both are told by
the codec's name, nothing else here knows a codec.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codecbench.errors import InvalidInput
from codecbench.store.store import Run, load_run

GROUND_TRUTH = "pcm"
OWN = "spc"
EDGES_KBPS = (0.0, 2.0, 4.0, 8.0, 16.0, math.inf)
TYPICAL_KBPS = 6.0
MOST_PANELS = 8


@dataclass(frozen=True)
class Band:
    """A range of measured bitrates within which codecs are ranked: low <= rate < high."""

    low_kbps: float
    high_kbps: float

    @property
    def label(self) -> str:
        """Return e.g. ``4-8 kbit/s``."""
        if self.low_kbps == 0:
            return f"below {self.high_kbps:g} kbit/s"
        if math.isinf(self.high_kbps):
            return f"above {self.low_kbps:g} kbit/s"
        return f"{self.low_kbps:g}\N{EN DASH}{self.high_kbps:g} kbit/s"

    def holds(self, kbps: float) -> bool:
        """Say whether a measured rate falls into the band."""
        return self.low_kbps <= kbps < self.high_kbps


BANDS = tuple(Band(low, high) for low, high in itertools.pairwise(EDGES_KBPS))


def point_label(codec: str, point: str) -> str:
    """Return the name of a codec at an operating point, as on the command line: ``opus@8``."""
    return f"{codec}@{point}"


def is_ground_truth(codec: str) -> bool:
    """Say whether a codec is the untouched original."""
    return codec == GROUND_TRUTH


def is_own(codec: str) -> bool:
    """Say whether a codec is this repository's own model, with or without a named checkpoint."""
    return codec == OWN or codec.startswith(f"{OWN}:")


def ordered(codecs: Sequence[str]) -> list[str]:
    """Return codecs with the ground truth first and the own model last, otherwise in the given order."""
    return sorted(codecs, key=lambda codec: (not is_ground_truth(codec), is_own(codec)))


def points(run: Run) -> list[tuple[str, str]]:
    """Return (codec, point) of a run in the report's order."""
    return [
        (codec, point["name"])
        for codec in ordered(list(run.manifest["codecs"]))
        for point in run.manifest["codecs"][codec]["points"]
    ]


def scored(run: Run) -> pd.DataFrame:
    """Return the records of cells that gave decoded speech."""
    return run.records[run.records["status"] == "ok"]


def with_tokens(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records that carry tokens."""
    return records[records["codes"].map(lambda value: isinstance(value, dict)).astype(bool)]


def one_per_codec(records: pd.DataFrame) -> pd.DataFrame:
    """Return one record a codec, at the rate nearest to the own model's, the own one last."""
    own = records[records["codec"].map(is_own).astype(bool)]["payload_kbps"]
    target = float(own.iloc[0]) if len(own) else TYPICAL_KBPS
    rows = []
    for codec in ordered(list(records["codec"].unique())):
        part = records[records["codec"] == codec]
        if not is_ground_truth(codec):
            rows.append(part.iloc[int(np.argmin(np.abs(np.log(part["payload_kbps"] / target))))])
    others, mine = (
        [row for row in rows if not is_own(row["codec"])],
        [row for row in rows if is_own(row["codec"])],
    )
    return pd.DataFrame([*others[: MOST_PANELS - len(mine)], *mine], columns=records.columns)


def bounds(metric: Mapping[str, Any]) -> tuple[float, float]:
    """Return a metric's range; an open end is infinite."""
    low, high = metric.get("value_range") or (None, None)
    return (-math.inf if low is None else float(low)), (math.inf if high is None else float(high))


def decimals(metric: Mapping[str, Any]) -> int:
    """Return how many decimals a score is printed with: three for scores within -1 and 1, two otherwise."""
    low, high = bounds(metric)
    return 3 if high - low <= 2 else 2


def load_runs(folders: Sequence[Path]) -> Run:
    """Read runs and merge them into one whose audio paths are absolute.

    Raises
    ------
    InvalidInput
        If there is none, or if the runs do not compare: another dataset or sample, or a codec or metric of
        the same name with another signature.
    """
    if not folders:
        raise InvalidInput("no run given; name the --out folder of at least one")
    runs = [_absolute(load_run(Path(folder))) for folder in folders]
    for other in runs[1:]:
        _check_comparable(runs[0], other)
    manifest = copy.deepcopy(runs[0].manifest)
    for other in runs[1:]:
        _merge_manifest(manifest, other.manifest)
    records = (
        pd.concat([run.records for run in runs], ignore_index=True) if len(runs) > 1 else runs[0].records
    )
    records = records.drop_duplicates(["utterance", "codec", "point"], keep="last", ignore_index=True)
    return Run(runs[0].out, manifest, records)


def without_audio(run: Run) -> Run:
    """Return the run as if no speech had been kept."""
    utterances = [{**item, "audio": None} for item in run.manifest["utterances"]]
    return Run(run.out, {**run.manifest, "utterances": utterances}, run.records.assign(audio=None))


def _absolute(run: Run) -> Run:
    root = run.out.resolve()
    manifest = copy.deepcopy(run.manifest)
    for item in manifest["utterances"]:
        item["audio"] = _inside(root, item.get("audio"))
    records = run.records.copy()
    records["audio"] = [_inside(root, value) for value in records["audio"]]
    return Run(run.out, manifest, records)


def _inside(root: Path, name: object) -> str | None:
    """Return the path of a kept file, or None where there is none or the name leads out of the run."""
    if not isinstance(name, str):
        return None
    path = (root / name).resolve()
    return str(path) if path.is_relative_to(root) and path.is_file() else None


def _check_comparable(first: Run, other: Run) -> None:
    here, there = first.manifest, other.manifest
    pair = f"{first.out} and {other.out}"
    if here["dataset"]["revision"] != there["dataset"]["revision"]:
        names = f"{here['dataset']['name']!r} and {there['dataset']['name']!r}"
        raise InvalidInput(f"{pair} used different speech ({names}, by hash); report them apart")
    if {item["id"] for item in here["utterances"]} != {item["id"] for item in there["utterances"]}:
        raise InvalidInput(
            f"{pair} used different samples of the dataset; run with the same --limit and --seed"
        )
    for kind in ("metrics", "codecs"):
        for name in here[kind].keys() & there[kind].keys():
            ours, theirs = here[kind][name]["signature"], there[kind][name]["signature"]
            if ours != theirs:
                raise InvalidInput(
                    f"{pair}: {kind.removesuffix('s')} {name!r} has the signatures {ours} and {theirs}, "
                    "which do not compare; run one of them again or report them apart"
                )


def _merge_manifest(manifest: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, metric in other["metrics"].items():
        manifest["metrics"].setdefault(name, metric)
    for label, codec in other["codecs"].items():
        kept = manifest["codecs"].setdefault(label, copy.deepcopy(codec))
        known = {point["name"] for point in kept["points"]}
        kept["points"].extend(point for point in codec["points"] if point["name"] not in known)
    for kind in ("unavailable", "unmatched"):
        manifest[kind] = [*manifest[kind], *(item for item in other[kind] if item not in manifest[kind])]
    audio = {item["id"]: item["audio"] for item in other["utterances"]}
    for item in manifest["utterances"]:
        item["audio"] = item["audio"] or audio[item["id"]]
