"""Peak memory of a codec: a fresh process opens it and codes one utterance, nothing else.

Workers of a run hold metrics and other codecs besides, and an allocator keeps what earlier cells gave back,
so that nothing about one codec follows from their memory.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from codecbench import calls
from codecbench.codec import DecodedFiles
from codecbench.errors import told
from codecbench.run import worker
from codecbench.run.describe import DISTRIBUTIONS
from codecbench.run.devices import own_device
from codecbench.run.executors import make_executor
from codecbench.run.patience import Limits
from codecbench.run.plan import Cell, Plan
from codecbench.store.manifest import Manifest

MB = 1e6


def with_peaks(
    manifest: Manifest, plan: Plan, device: str, limits: Limits, note: Callable[[str], None]
) -> Manifest:
    """Return a run's manifest with the peak memory of each point of the plan that has none yet.

    It is that of the longest utterance, as ``{"mb": 10^6 bytes, "utterance": id, "where": digest}``;
    ``where`` stands for machine, versions and device, without which two of them say nothing of each other.
    A point whose codec fails, which ``note`` is told, or whose system does not tell, stays without.
    """
    longest = max(plan.dataset.utterances, key=lambda item: (item.seconds or 0.0, item.id))
    named = {entry.label: entry.codec.distributions for entry in plan.contestants}
    codecs = {
        label: {**entry, "points": list(entry["points"])} for label, entry in manifest["codecs"].items()
    }
    for cell in replace(plan, dataset=plan.dataset.only([longest])):
        points = codecs[cell.codec]["points"]
        place = next(index for index, point in enumerate(points) if point["name"] == cell.point.name)
        if "peak_memory" in points[place]:
            continue
        try:
            with make_executor("processes", 1, limits) as (fresh, _):
                mb = fresh.submit(peak_mb, cell, device).result()
        except Exception as error:
            note(f"the peak memory of {cell.codec} at {cell.point.name} is not known: {told(error)}")
            continue
        if mb is None:
            continue
        where = _where(manifest, named[cell.codec])
        points[place] = {**points[place], "peak_memory": {"mb": mb, "utterance": longest.id, "where": where}}
    return {**manifest, "codecs": codecs}


def peak_mb(cell: Cell, device: str) -> float | None:
    """Open a cell's codec, code its utterance and return the most memory this process held, in 10^6 bytes."""
    codec = worker.open_codec(cell, own_device(device))
    if isinstance(codec, DecodedFiles):
        return None
    coded, _ = calls.encode(codec, worker.at(cell, codec.info.sample_rate_hz), cell.point)
    calls.decode(codec, coded, cell.point)
    return _high_water_mb()


def _high_water_mb() -> float | None:
    if sys.platform == "linux":
        # Not getrusage: its maximum reaches back to the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next((1024 * int(s.split()[1]) / MB for s in status.splitlines() if s[:6] == "VmHWM:"), None)
    if sys.platform == "darwin":
        import resource

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / MB
    return None


def _where(manifest: Manifest, distributions: Collection[str]) -> str:
    versions = {name: manifest["versions"].get(name) for name in {*DISTRIBUTIONS, *distributions}}
    parts = [manifest["machine"], manifest["device"], manifest["codecbench"], versions]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
