"""Merging of runs: one or several as the report sees them, in order, with roles and rate bands.

The ground truth stands first, the reader's own models last, as tables of the field do.  Ground truth is every
codec that says of itself ``kind="anchor"``; the reader says which models are his or hers.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench.errors import InvalidInput
from codecbench.registry import unknown
from codecbench.store.manifest import differences, merge
from codecbench.store.store import Run, load_run

if TYPE_CHECKING:
    import pandas as pd

ANCHOR = "anchor"
"""What a codec's ``info.kind`` says where it is the untouched original."""

FILES = "files"
"""What it says where the speech was decoded elsewhere: nobody measured its rate here."""

EDGES_KBPS = (0.0, 2.0, 4.0, 8.0, 16.0, math.inf)
TYPICAL_KBPS = 6.0
MOST_PANELS = 8


EDGE = 0.03
"""How far below a band's lower edge a rate still belongs to it: 7.95 kbit/s are a peer of 8."""

NEAR_NOMINAL = 0.1
"""How far the measured rate may be from the nominal one for the latter to decide on the band."""


@dataclass(frozen=True)
class Band:
    """A range of bitrates within which codecs are ranked: low <= rate < high, edges with a tolerance."""

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

    @property
    def key(self) -> str:
        """Return e.g. ``4-8``, for what asks for a band by name."""
        return f"{self.low_kbps:g}-{self.high_kbps:g}"

    def holds(self, kbps: float) -> bool:
        """Say whether a rate, as `banded_kbps` gives it, falls into the band."""
        return self.low_kbps <= kbps * (1 + EDGE) < self.high_kbps


BANDS = tuple(Band(low, high) for low, high in itertools.pairwise(EDGES_KBPS))


def banded_kbps(measured: float, nominal: float) -> float:
    """Return the rate that decides on a point's band: the nominal one unless the measured is far from it.

    So peers stay together: what is run at 8 kbit/s stands at 8, whether it took 7.7 or 8.0 on this speech.
    NaN stands for a rate that nobody knows.
    """
    near = abs(measured - nominal) <= NEAR_NOMINAL * nominal
    return nominal if near or math.isnan(measured) else measured


def point_label(codec: str, point: str) -> str:
    """Return the name of a codec at an operating point, as on the command line: ``opus@8``."""
    return f"{codec}@{point}"


def is_ground_truth(run: Run, codec: str) -> bool:
    """Say whether a codec of the run, or a published one, is the untouched original."""
    entry = run.manifest["codecs"].get(codec)
    return entry is not None and entry["info"]["kind"] == ANCHOR


def is_declared(run: Run, codec: str) -> bool:
    """Say whether a codec's rates are what the user declares of decoded files, not what was measured."""
    return bool(run.manifest["codecs"][codec]["info"]["kind"] == FILES)


def tells_of(run: Run, metric: str, codec: str) -> bool:
    """Say whether a metric says anything of a codec: one that compares waveforms does not of a vocoder."""
    compares = run.manifest["metrics"][metric].get("compares_waveforms", False)
    return not compares or bool(run.manifest["codecs"][codec]["info"].get("keeps_waveform", True))


def shown_kbps(table: pd.DataFrame) -> pd.Series:
    """Return the rate at which each row of a summary stands in charts and bands: measured, else declared."""
    return table["payload_kbps"].fillna(table["declared_kbps"])


def without_truth(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table with a column ``codec`` that are not the ground truth's."""
    return table[
        ~table["codec"].isin([codec for codec in table["codec"].unique() if is_ground_truth(run, codec)])
    ]


def ordered(run: Run, codecs: Iterable[str]) -> list[str]:
    """Return codecs with the ground truth first and the own models last, otherwise in the given order."""
    return sorted(codecs, key=lambda codec: (not is_ground_truth(run, codec), codec in run.ours))


def points(run: Run) -> list[tuple[str, str]]:
    """Return (codec, point) of a run in the report's order."""
    return [
        (codec, point["name"])
        for codec in ordered(run, run.manifest["codecs"])
        for point in run.manifest["codecs"][codec]["points"]
    ]


def scored(run: Run) -> pd.DataFrame:
    """Return the records of cells that gave decoded speech."""
    return run.records[run.records["status"] == "ok"]


def with_tokens(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records that carry tokens."""
    return records[records["codes"].map(lambda value: isinstance(value, dict)).astype(bool)]


def one_per_codec(run: Run, records: pd.DataFrame) -> pd.DataFrame:
    """Return one record a codec, at the rate nearest to the own model's, the own ones last."""
    import pandas as pd

    # A declared rate is no record's payload, but its point's name; files without one stand for themselves.
    rates = records["payload_kbps"]
    if "nominal_kbps" in records:
        rates = rates.fillna(records["nominal_kbps"])
    records = records.assign(rate=rates)
    own = records[records["codec"].isin(run.ours)]["rate"].dropna()
    target = float(own.iloc[0]) if len(own) else TYPICAL_KBPS
    rows = []
    for codec in ordered(run, records["codec"].unique()):
        part = records[records["codec"] == codec]
        if not is_ground_truth(run, codec):
            distances = np.abs(np.log(part["rate"].to_numpy(dtype=np.float64) / target))
            rows.append(part.iloc[int(np.argmin(np.nan_to_num(distances, nan=math.inf)))])
    others = [row for row in rows if row["codec"] not in run.ours]
    mine = [row for row in rows if row["codec"] in run.ours]
    return pd.DataFrame([*others[: MOST_PANELS - len(mine)], *mine], columns=records.columns)


def bounds(metric: Mapping[str, Any]) -> tuple[float, float]:
    """Return a metric's range; an open end is infinite."""
    low, high = metric.get("value_range") or (None, None)
    return (-math.inf if low is None else float(low)), (math.inf if high is None else float(high))


def decimals(metric: Mapping[str, Any]) -> int:
    """Return how many decimals a score is printed with: three for scores within -1 and 1, two otherwise."""
    low, high = bounds(metric)
    return 3 if high - low <= 2 else 2


def load_runs(folders: Sequence[Path], ours: Iterable[str] = ()) -> Run:
    """Read runs and merge them into one whose audio paths are absolute.

    Parameters
    ----------
    folders : sequence of Path
        The runs; where two hold the same cell, the later one's record counts.
    ours : iterable of str
        Names of the reader's own models: labels of codecs, or a name that stands for all its checkpoints.

    Raises
    ------
    InvalidInput
        If there is none, or the runs do not compare (other speech, another sample of it, or a codec or metric
        of the same name with another signature), or they have no codec of a name in ``ours``.
    """
    import pandas as pd

    if not folders:
        raise InvalidInput("no run given; name the --out folder of at least one")
    runs = [_absolute(load_run(folder)) for folder in folders]
    for other in runs[1:]:
        _check_comparable(runs[0], other)
    manifest = functools.reduce(merge, (run.manifest for run in runs))
    records = (
        pd.concat([run.records for run in runs], ignore_index=True) if len(runs) > 1 else runs[0].records
    )
    records = records.drop_duplicates(["utterance", "codec", "point"], keep="last", ignore_index=True)
    return with_ours(Run(runs[0].out, manifest, records), ours)


def with_ours(run: Run, names: Iterable[str]) -> Run:
    """Return a run with the reader's own models named; raises `InvalidInput` for a name that it lacks."""
    return replace(run, ours=_own(names, list(run.manifest["codecs"])))


def _own(names: Iterable[str], codecs: Sequence[str]) -> frozenset[str]:
    """Return the labels that a reader's names stand for."""
    found: set[str] = set()
    for name in names:
        meant = {codec for codec in codecs if codec == name or codec.startswith(f"{name}:")}
        if not meant:
            raise InvalidInput(f"{unknown('codec', name, codecs)}; --ours takes names of the runs' codecs")
        found |= meant
    return frozenset(found)


def without_audio(run: Run) -> Run:
    """Return the run as if no speech had been kept."""
    utterances = [{**item, "audio": None} for item in run.manifest["utterances"]]
    manifest = {**run.manifest, "utterances": utterances}
    return replace(run, manifest=manifest, records=run.records.assign(audio=None))


def _absolute(run: Run) -> Run:
    root = run.out.resolve()
    manifest = copy.deepcopy(run.manifest)
    for item in manifest["utterances"]:
        item["audio"] = _inside(root, item.get("audio"))
    records = run.records.copy()
    records["audio"] = [_inside(root, value) for value in records["audio"]]
    return replace(run, manifest=manifest, records=records)


def _inside(root: Path, name: object) -> str | None:
    """Return the path of a kept file, or None where there is none or the name leads out of the run."""
    if not isinstance(name, str):
        return None
    path = (root / name).resolve()
    return str(path) if path.is_relative_to(root) and path.is_file() else None


def _check_comparable(first: Run, other: Run) -> None:
    found = differences(first.manifest, other.manifest)
    samples = ({item["id"] for item in run.manifest["utterances"]} for run in (first, other))
    if not found and len(set(map(frozenset, samples))) > 1:
        found.append("different samples of the dataset; run with the same --limit and --seed")
    if found:
        raise InvalidInput(
            f"{first.out} and {other.out} do not compare: {'; '.join(found)}; "
            "run one of them again or report them apart"
        )
