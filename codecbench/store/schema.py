"""Schema of a run's manifest and records, checked once, on reading."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from codecbench.fields import (
    Check,
    Wrong,
    anything,
    distinct,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    record,
    text,
    truth,
    whole,
)
from codecbench.store.manifest import FORMAT

MOST_TOKENS = 1 << 26
"""Tokens of one utterance: half a day at 1500 a second."""

CODE_TYPES = {"uint16": 2, "uint32": 4}
"""Types that tokens are stored in, with their sizes in bytes."""

_LABEL = text(4096)
_AMOUNT = maybe(number(0, 1e15))
_RATE = maybe(number(0, 1e9))
_SCORE = maybe(number(-1e9, 1e9))
_SECONDS = maybe(number(1e-9, 1e8))

_INFO = record(
    {},
    {
        "name": text(), "description": text(), "version": text(), "licence": text(),
        "weights_licence": text(), "kind": text(), "citation": text(), "url": text(), "causal": maybe(truth),
        "keeps_waveform": truth,
        "sample_rate_hz": maybe(number(1, 1e9)), "frame_rate_hz": _RATE, "algorithmic_delay_ms": _AMOUNT,
        "parameters": _AMOUNT, "bandwidth_hz": _AMOUNT,
    },
)  # fmt: skip
_PEAK = record({"mb": number(0, 1e9), "utterance": _LABEL, "where": _LABEL})
_POINT = record({"name": _LABEL, "nominal_kbps": _RATE}, {"frame_rate_hz": _RATE, "peak_memory": _PEAK})
_METRIC = record({
    "signature": text(), "label": _LABEL, "unit": _LABEL, "higher_is_better": truth,
    "value_range": list_of(_SCORE, 2, 2), "citation": text(),
}, {"compares_waveforms": truth, "no_reference": truth})  # fmt: skip
_UTTERANCE = record(
    {"id": _LABEL, "speaker": _LABEL, "seconds": _SECONDS, "audio": maybe(_LABEL)},
    {"about": map_of(text()), "recoded": truth},
)
_DATASET = record(
    {"name": _LABEL, "revision": _LABEL, "licence": text(), "synthetic": truth},
    {"description": text(), "n": whole(), "limit": maybe(whole(1)), "seed": number(-(2.0**64), 2.0**64)},
)
_SHARED: dict[str, Check] = {
    "codecbench": _LABEL, "dataset": _DATASET,
    "codecs": map_of(record({
        "signature": text(), "info": _INFO, "points": distinct("name", list_of(_POINT, 1)),
    })),
    "metrics": map_of(_METRIC), "machine": map_of(anything), "versions": map_of(anything),
    "git": maybe(map_of(anything)), "utterances": distinct("id", list_of(_UTTERANCE)), "started": _LABEL,
    "command": list_of(text()), "device": _LABEL,
}  # fmt: skip
_TIMES: dict[str, Check] = {"finished": maybe(_LABEL)}
_LEFT_OUT = record({
    "kind": one_of("codec", "metric", "rate"), "name": _LABEL, "reason": text(), "remedy": text(),
})  # fmt: skip
_FORMAT_1 = record(
    {
        "format": one_of(1), **_SHARED,
        "unavailable": list_of(record({"codec": _LABEL, "reason": text(), "remedy": text()})),
        "unmatched": list_of(record({
            "codec": _LABEL, "asked_kbps": number(0, 1e9), "nearest_kbps": _RATE, "nearest_point": _LABEL,
        })),
    },
    _TIMES,
)  # fmt: skip
_FORMAT_2 = record({"format": one_of(FORMAT), **_SHARED, "left_out": list_of(_LEFT_OUT)}, _TIMES)


def manifest(value: object, where: str) -> None:
    """Check a run's manifest, of this format or the one before; of another the writer is named."""
    known = {1: _FORMAT_1, FORMAT: _FORMAT_2}
    found = value.get("format") if isinstance(value, dict) else None
    if isinstance(found, int) and found not in known:
        assert isinstance(value, dict)
        writer = value.get("codecbench", "of unknown version")
        raise Wrong(
            f"it is of format {found}, written by codecbench {writer}, "
            f"and this version reads formats {' and '.join(map(str, known))}"
        )
    known.get(found if isinstance(found, int) else FORMAT, _FORMAT_2)(value, where)


_CODES = record({
    "shape": list_of(whole(0, MOST_TOKENS), 2, 2), "dtype": one_of(*CODE_TYPES), "data": text(1 << 28),
})  # fmt: skip


def codes(value: object, where: str) -> None:
    """Check stored tokens: they unpack to what their shape says."""
    _CODES(value, where)
    assert isinstance(value, dict)
    unpack_codes(value, where)


def unpack_codes(value: Mapping[str, Any], where: str = "codes") -> bytes:
    """Return the bytes of stored tokens; never more than their shape says."""
    size = math.prod(value["shape"]) * CODE_TYPES[value["dtype"]]
    if size > MOST_TOKENS * 4:
        raise Wrong(f"the field '{where}.shape' is larger than {MOST_TOKENS} tokens")
    try:
        packed = base64.b64decode(value["data"], validate=True)
        raw = zlib.decompressobj().decompress(packed, size + 1)
    except (ValueError, zlib.error):
        raise Wrong(f"the field '{where}.data' is not what was packed") from None
    if len(raw) != size:
        raise Wrong(f"the field '{where}.data' does not hold as many tokens as its shape says")
    return raw


def record_of(measured: Iterable[str]) -> Check:
    """Return the check of a record with these fields of amounts."""
    return record(
        {
            "key": _LABEL, "utterance": _LABEL, "speaker": _LABEL, "seconds": _SECONDS, "codec": _LABEL,
            "point": _LABEL, "nominal_kbps": _RATE, "status": one_of("ok", "failed"), "error": maybe(text()),
            **dict.fromkeys(measured, _AMOUNT), "lag_ms": maybe(number(-1e9, 1e9)),
            "scores": map_of(_SCORE), "raw_scores": map_of(_SCORE), "reasons": map_of(text()),
            "codes": maybe(codes), "audio": maybe(_LABEL),
        },
        {
            "weights": map_of(number(0, 1e9)), "batch": maybe(_LABEL), "recoded_equal": maybe(number(0, 1)),
            "inverted": maybe(truth), "lag_note": maybe(text()), "settled_inverted": maybe(truth),
            "settled_lag_ms": maybe(number(-1e9, 1e9)),
        },
    )  # fmt: skip
