"""Records, one a cell: its fields, and its line in ``records.jsonl``.

A record is a JSON object on one line; missing values are null, never NaN.  Scores stand in ``scores`` (after
undoing the settled lag) and ``raw_scores``, with the reason of each missing one in ``reasons``; in
``weights`` what the utterance counts in means of metrics where that is not 1.  ``lag_ms``,
``inverted`` and ``lag_note`` are what the utterance itself showed; ``settled_lag_ms`` and
``settled_inverted`` what was undone for ``scores``.  ``batch`` is shared by cells that one machine timed in
one call with the codecs taking turns, whose times may be compared; null, or absent, otherwise.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from codecbench.codec import Codes
from codecbench.errors import InvalidInput
from codecbench.fields import Wrong, parse_json
from codecbench.store.layout import RECORDS
from codecbench.store.schema import record_of, unpack_codes

Record = dict[str, Any]
TIMINGS = frozenset({"encode_s", "decode_s", "rtf_encode", "rtf_decode", "batch"})
"""Fields of a record that differ between two runs of the same cell."""

MEASURED = (
    "payload_bytes", "container_bytes", "payload_kbps", "container_kbps", "lag_ms", "delay_ms",
    "encode_s", "decode_s", "rtf_encode", "rtf_decode",
)  # fmt: skip
ALIGNMENT = ("inverted", "lag_note", "settled_lag_ms", "settled_inverted")
"""What else is known of how decoded speech lies in time; records before it was kept lack these fields."""
RECODED = "recoded_equal"
"""Share of the tokens that stay as they are where decoded speech is coded again; younger than records."""
FIELDS = (
    "key", "utterance", "speaker", "seconds", "codec", "point", "nominal_kbps", "status", "error",
    *MEASURED, *ALIGNMENT, "codes", RECODED, "audio", "batch",
)  # fmt: skip
_TIMING = ("codec", "point", "utterance", "status", "lag_ms", *ALIGNMENT)
NESTED = {"": "scores", "raw:": "raw_scores", "reason:": "reasons", "weight:": "weights"}
"""The parts of a record that hold a value a metric, by what stands before the metric in a table's columns."""
_CHECK = record_of(MEASURED)


def read_records(out: Path) -> Iterator[Record]:
    """Yield the records of a folder in the order of writing, without a torn last line."""
    path = out / RECORDS
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            yield _parse(line, path, number)


def without_timings(record: Mapping[str, Any]) -> Record:
    """Return what two computations of the same cell must agree on."""
    return {name: value for name, value in record.items() if name not in TIMINGS}


def essence(record: Record) -> Record:
    """Return what decides whether a cell needs computing again; ``scored`` are the metrics tried."""
    known = {name: record[name] for name in ("status", "audio", "reasons")}
    return {**known, "scored": frozenset(record["scores"])}


def timing(record: Record) -> Record:
    """Return how decoded speech lies in time, and which lag was undone for its scores."""
    return {name: record.get(name) for name in _TIMING}


def encode_codes(codes: Codes) -> dict[str, Any]:
    """Return tokens [F, T] as JSON: shape, dtype and base64 of the zlib-compressed little-endian integers."""
    dtype = "uint16" if codes.size == 0 or int(codes.max()) < 1 << 16 else "uint32"
    packed = zlib.compress(codes.astype(np.dtype(dtype).newbyteorder("<")).tobytes(), 9)
    return {"shape": list(codes.shape), "dtype": dtype, "data": base64.b64encode(packed).decode()}


def decode_codes(value: Mapping[str, Any]) -> Codes:
    """Return the tokens that `encode_codes` stored, int64 [F, T]."""
    values = np.frombuffer(unpack_codes(value), np.dtype(value["dtype"]).newbyteorder("<"))
    return values.astype(np.int64).reshape(value["shape"])


def _parse(line: bytes, path: Path, number: int) -> Record:
    try:
        record = parse_json(line)
        _CHECK(record, "")
    except Wrong as error:
        raise InvalidInput(
            f"{path}: line {number} is not a record; delete that line and run again ({error})"
        ) from None
    return cast(Record, record)
