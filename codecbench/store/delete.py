"""Deletion of a run: what its manifest and records name, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from codecbench.errors import CodecBenchError, InvalidInput
from codecbench.files import unwritable
from codecbench.store.layout import MANIFEST, RECORDS, TABLE, is_own_table
from codecbench.store.records import read_records
from codecbench.store.store import Store, read_manifest


def delete_run(out: Path) -> None:
    """Delete what a run wrote, and nothing else, from a folder that holds one.

    Raises
    ------
    InvalidInput
        If the folder has a manifest or records that are not whole and ours: they are not deleted then.
    StorageError
        If something cannot be deleted.
    """
    if not (out / MANIFEST).exists():
        return
    try:
        manifest = read_manifest(out)
        kept = [item["audio"] for item in manifest["utterances"]]
        kept += [record["audio"] for record in read_records(out)]
    except CodecBenchError as error:
        raise InvalidInput(
            f"--overwrite deletes only what a whole run names, so nothing was deleted: {error}"
        ) from None
    own = [out / RECORDS, *([out / TABLE] if is_own_table(out / TABLE) else [])]
    own += [path for name in kept if name and (path := _inside(out, name))]
    with Store(out):
        for path in (*own, out / MANIFEST):  # the manifest last: a broken off deletion can be done again
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error) from None
        for folder in sorted({path.parent for path in own} | {out / "audio"}, reverse=True):
            if folder not in (out, out.absolute()):
                with suppress(OSError):  # it holds something that is not ours
                    folder.rmdir()


def _inside(out: Path, name: str) -> Path | None:
    """Return the path of a kept file; None where its name leads out of the run's audio."""
    path = out / name
    below = (out / "audio").resolve()
    return path if path.resolve().is_relative_to(below) and path.is_file() else None
