"""Results store: records appended whole or not at all, a manifest replaced atomically, one writer.

A run's folder holds ``records.jsonl`` (one JSON object a cell), ``manifest.json`` (what was run, see
`codecbench.store.manifest`), ``table.csv`` and ``audio/``.  `Store` writes it, `load_run` reads it into a
`Run`.  Where a cell was computed again, its last record counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from codecbench.codec import Codes
from codecbench.errors import InvalidInput
from codecbench.fields import Wrong, read_json
from codecbench.files import clean_partial, unwritable, write_all, write_atomically
from codecbench.lock import Lock
from codecbench.store import schema
from codecbench.store.frame import frame
from codecbench.store.layout import AUDIO, MANIFEST, RECORDS
from codecbench.store.manifest import FORMAT, Manifest, current
from codecbench.store.records import (
    FIELDS,
    Record,
    decode_codes,
    essence,
    read_records,
    timing,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_RECORD_HEAD = b'{"key":'
"""How each line of records begins."""


class Store:
    """The writer of one run's folder; use it as a context manager.

    Parameters
    ----------
    out : Path
        The folder; made where missing.

    Attributes
    ----------
    repaired_bytes : int
        Length of the torn last line that was removed on opening; 0 if there was none.

    Raises
    ------
    InvalidInput
        If another process writes the folder, or a stored line is not a record.
    StorageError
        If the folder cannot be made or written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._path = out / RECORDS
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(out)
        except OSError as error:
            raise unwritable(out, error) from None
        try:
            self._clean()
            self._file = self._path.open("ab", buffering=0)
            self.repaired_bytes = self._repair()
            self._known: dict[str, Record] = {}
            self._timings: dict[str, Record] = {}
            for record in read_records(out):
                self._remember(record)
        except OSError as error:
            self._lock.release()
            raise unwritable(self._path, error) from None
        except BaseException:
            self.close()
            raise

    def _clean(self) -> None:
        """Remove what a killed run left half written: nobody writes here while the lock is ours."""
        for folder in (self.out, *(self.out / AUDIO).glob("*")):
            clean_partial(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def close(self) -> None:
        """Close the file and let other writers in."""
        self._file.close()
        self._lock.release()

    def get(self, key: str) -> Record | None:
        """Return status, audio, reasons and the metrics tried of the last record of a cell, or None."""
        return self._known.get(key)

    def cells(self) -> set[tuple[str, str, str]]:
        """Return codec, point and utterance of every cell with a record."""
        return {(it["codec"], it["point"], it["utterance"]) for it in self._timings.values()}

    def timings(self) -> Mapping[str, Record]:
        """Return how decoded speech lies in time by cell, see `codecbench.store.records.timing`."""
        return self._timings

    def records(self) -> Iterator[Record]:
        """Yield every stored record in the order of writing."""
        return read_records(self.out)

    def last(self, keys: Collection[str]) -> dict[str, Record]:
        """Return the last record of each of these cells, whole."""
        return {record["key"]: record for record in self.records() if record["key"] in keys}

    def append(self, record: Record) -> None:
        """Write one record as a whole line and see it to the disk, see `extend`."""
        self.extend([record])

    def extend(self, records: Sequence[Record]) -> None:
        """Write records as whole lines and see them to the disk together.

        Raises
        ------
        StorageError
            If they cannot be written; the file is then as it was before.
        """
        lines = b"".join(
            (json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n").encode() for record in records
        )
        before = os.fstat(self._file.fileno()).st_size
        try:
            write_all(self._file.fileno(), lines)
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), before)
            raise unwritable(self._path, error, kept=len(self._known)) from None
        for record in records:
            self._remember(record)

    def manifest(self) -> dict[str, Any] | None:
        """Return the folder's manifest, or None where no run has begun."""
        return read_manifest(self.out) if (self.out / MANIFEST).exists() else None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest atomically."""
        write_atomically(self.out / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False) + "\n")

    def _remember(self, record: Record) -> None:
        self._known[record["key"]] = essence(record)
        self._timings[record["key"]] = timing(record)

    def _repair(self) -> int:
        """Cut an incomplete last line, left by a kill during a write; return its length in bytes."""
        with self._path.open("rb+") as file:
            head = file.read(len(_RECORD_HEAD))
            if not _RECORD_HEAD.startswith(head):
                raise InvalidInput(
                    f"{self._path}: not records of a run; move it away or choose another --out"
                )
            size = file.seek(0, os.SEEK_END)
            whole = _end_of_last_line(file, size)
            if whole < size:
                file.truncate(whole)
                os.fsync(file.fileno())
            return size - whole


@dataclass(frozen=True)
class Run:
    """One stored run.

    Parameters
    ----------
    out : Path
        Its folder.
    manifest : dict
        What was run, see `codecbench.store.manifest`.
    records : pandas.DataFrame
        One row a cell in the manifest's order of codecs, points and utterances.  Columns are the fields of a
        record, and for every metric ``<metric>`` (score after alignment), ``raw:<metric>``,
        ``reason:<metric>`` and ``weight:<metric>`` (what the utterance counts in means); missing scores are
        NaN, missing reasons None.  ``codes`` holds what `codecbench.store.records.decode_codes` takes.
    ours : frozenset of str
        Codecs that are the reader's own, by label; what is compared is set off from the others.  A stored run
        says nothing of it.
    """

    out: Path
    manifest: dict[str, Any]
    records: pd.DataFrame
    ours: frozenset[str] = frozenset()

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, in the order asked for."""
        return list(self.manifest["metrics"])

    @property
    def failures(self) -> pd.DataFrame:
        """The rows of cells that gave no decoded speech; ``error`` says why."""
        return self.records[self.records["status"] == "failed"]

    @property
    def unscored(self) -> list[str]:
        """Metrics that scored no decoded utterance at all."""
        decoded = self.records[self.records["status"] == "ok"]
        return [metric for metric in self.metrics if len(decoded) and decoded[metric].isna().all()]

    @cached_property
    def rows(self) -> dict[tuple[str, str], NDArray[np.intp]]:
        """The places among the records of each codec and point that has any, in the records' order."""
        found: dict[Any, Any] = self.records.groupby(["codec", "point"], sort=False).indices
        return dict(sorted(found.items(), key=lambda item: int(item[1][0])))

    @cached_property
    def utterance_places(self) -> NDArray[np.intp]:
        """The place of each record's utterance in the manifest, -1 where that lacks it."""
        import pandas as pd

        listed = pd.Index([item["id"] for item in self.manifest["utterances"]])
        places: NDArray[np.intp] = listed.get_indexer(self.records["utterance"])
        return places

    def of(self, codec: str, point: str) -> pd.DataFrame:
        """Return the records of one codec at one point."""
        return self.records.iloc[self.rows.get((codec, point), [])]

    def codes(self, codec: str, point: str) -> list[Codes]:
        """Return the tokens of all utterances of one codec at one point, int64 [F, T] each."""
        return [decode_codes(value) for value in self.of(codec, point)["codes"] if isinstance(value, dict)]


def load_run(out: str | Path) -> Run:
    """Read a run's folder; it may still be written to, a torn last line is left out.

    Raises
    ------
    InvalidInput
        If the folder holds no run, or one of another format.
    """
    out = Path(out)
    manifest = read_manifest(out)
    return Run(out, manifest, frame(read_records(out), manifest))


def read_manifest(out: Path) -> Manifest:
    """Read and check ``manifest.json``; raises `InvalidInput` where there is none that can be used."""
    try:
        found = read_json(
            out / MANIFEST, _check_manifest, f"a manifest of format {FORMAT}",
            "use the codecbench version that wrote it, or run again",
        )  # fmt: skip
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(
            f"{out}: no run here ({MANIFEST} is missing); give the --out folder of a run"
        ) from None
    return current(cast(Manifest, found))


def _check_manifest(value: object, where: str) -> None:
    schema.manifest(value, where)
    assert isinstance(value, dict)
    for name in value["metrics"]:
        if name in FIELDS:
            raise Wrong(f"the field 'metrics.{name}' is called like a field of a record")


def _end_of_last_line(file: Any, size: int) -> int:
    """Return the offset behind the last newline, reading backwards."""
    end, block = size, 1 << 16
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return int(start + found + 1)
        end = start
    return 0
