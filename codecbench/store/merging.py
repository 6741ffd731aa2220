"""Merge runs into one folder, by the rules that hold for one run: shards of an array job, or other parts.

A cell that several runs hold is taken once: decoded before failed, with more scores before with fewer, else
from the run named first.  Merging again changes nothing, so a late shard may be merged into what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.files import unwritable, write_bytes_atomically
from codecbench.store import manifest as manifests
from codecbench.store.layout import MANIFEST, inside
from codecbench.store.manifest import Manifest
from codecbench.store.records import Record, essence, read_records
from codecbench.store.store import Store, read_manifest

AT_ONCE = 500
"""Records written and seen to the disk together."""


@dataclass(frozen=True)
class Merged:
    """What came of it: records ``taken`` from the runs, ``cells`` of the whole plan, those ``missing``."""

    taken: int
    cells: int
    missing: int


def merge_runs(runs: Sequence[Path], out: Path) -> Merged:
    """Put the records, kept speech and manifests of runs into one folder.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs; they stay as they are.
    out : Path
        Folder of the merged run; made where missing, or one that compares with the runs.

    Raises
    ------
    InvalidInput
        If a folder holds no run, or two do not compare; nothing is written then.
    StorageError
        If the folder cannot be written.
    """
    if not runs:
        raise InvalidInput("no run to merge; name the folders of the parts")
    if any(run.resolve() == out.resolve() for run in runs):
        raise InvalidInput(f"{out} cannot be merged into itself; give another --out")
    manifest = _manifest(runs, out)
    with Store(out) as store:
        if len(store) and store.manifest() is None:
            raise InvalidInput(f"{out} has records but no {MANIFEST}; choose another folder")
        store.write_manifest({**manifest, "finished": None})
        taken = 0
        for run in runs:
            better = _better(run, store)
            while some := list(islice(better, AT_ONCE)):
                store.extend([_with_audio(record, run, out) for record in some])
                taken += len(some)
            for utterance in manifest["utterances"]:
                _copy(utterance["audio"], run, out)
        store.write_manifest(manifest)
        cells = len(manifest["utterances"]) * sum(len(it["points"]) for it in manifest["codecs"].values())
        return Merged(taken, cells, cells - len(store.cells()))


def _manifest(runs: Sequence[Path], out: Path) -> Manifest:
    """Return the manifest of all together; it is finished when all are."""
    folders = [*([out] if (out / MANIFEST).exists() else []), *runs]
    merged: Manifest | None = None
    started, finished = [], []
    for folder in folders:
        manifest = read_manifest(folder)
        if merged is not None and (found := manifests.obstacles(merged, manifest)):
            raise InvalidInput(
                f"{folder} does not compare with {folders[0]}: {'; '.join(found)}; "
                "nothing was merged; leave it out"
            )
        merged = manifests.merge(merged, manifest)
        started.append(manifest["started"])
        finished.append(manifest["finished"])
    assert merged is not None
    return {**merged, "started": min(started), "finished": None if None in finished else max(finished)}


def _better(run: Path, store: Store) -> Iterator[Record]:
    """Yield the last record of each cell of a run that tells more than what the store holds."""
    last = {record["key"]: record for record in read_records(run)}
    for key, record in last.items():
        known = store.get(key)
        if known is None or _worth(essence(record)) > _worth(known):
            yield record


def _worth(known: Record) -> tuple[bool, int, bool]:
    return known["status"] == "ok", len(known["scored"]), known["audio"] is not None


def _with_audio(record: Record, run: Path, out: Path) -> Record:
    if record["audio"] is None:
        return record
    return record if _copy(record["audio"], run, out) else {**record, "audio": None}


def _copy(name: str | None, run: Path, out: Path) -> bool:
    """Copy a kept file unless it is there; return whether it is there now."""
    if not name or (source := inside(run, name)) is None:
        return False
    there = out / name
    try:
        if not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(there, source.read_bytes())
    except OSError as error:
        raise unwritable(there, error) from None
    return True
