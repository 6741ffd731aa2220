"""Coded speech in a file: what `codecbench encode` writes and `codecbench decode` reads.

Layout, version 2: the magic ``CBN2``; the header's length, four bytes little-endian; the CRC-32 of all else
but the magic, likewise; the header, a JSON object in UTF-8; the payload.  The header has codec and point,
lengths and rates, and packet sizes.  A codec with a file format of its own (`Codec.pack`) has a whole such
file as payload.  Version 1, ``CBN1``, has no checksum there, but the payload's in its header; it is still
read.  Every field is checked before use, against the others and against the payload: a file may come from
anywhere.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any, cast

from codecbench.codec import Coded
from codecbench.errors import InvalidPayload
from codecbench.fields import Wrong, list_of, parse_json, record, text, truth, whole

MAGIC, OLD_MAGIC = b"CBN2", b"CBN1"
SUFFIX = ".cbn"
MAX_HEADER = 1 << 22
MAX_SECONDS = 86_400
MAX_RATE_HZ = 768_000
FREE_SECONDS, SECONDS_PER_BYTE = 10.0, 1.0
"""A payload stands for at most so many seconds, and so many more for each of its bytes: 8 bit/s."""


@dataclass(frozen=True)
class Header:
    """What a decoder needs besides the payload.

    Parameters
    ----------
    codec : str
        Registered name, without argument: a file must not name another to open.
    signature : str
        The encoding codec's signature; another one must not decode.
    point : str
        Operating point.
    length, rate_hz : int
        Samples coded, and the codec's rate.
    source_length, source_hz : int
        Samples and rate of the original file, to which decoded speech is resampled.
    container_bytes : int
        See `Coded`.
    packet_bytes : tuple of int
        See `Coded`.
    own_format : bool
        Whether the payload is a file in the codec's own format, which tells its model itself.
    """

    codec: str
    signature: str
    point: str
    length: int
    rate_hz: int
    source_length: int
    source_hz: int
    container_bytes: int
    packet_bytes: tuple[int, ...]
    own_format: bool = False


def pack(header: Header, payload: bytes) -> bytes:
    """Return the bytes of a file."""
    fields = {**asdict(header), "payload_bytes": len(payload)}
    rest = json.dumps(fields, separators=(",", ":")).encode() + payload
    size = (len(rest) - len(payload)).to_bytes(4, "little")
    return MAGIC + size + zlib.crc32(size + rest).to_bytes(4, "little") + rest


def unpack(data: bytes) -> tuple[Header, Coded]:
    """Return header and coded speech of a file.

    Raises
    ------
    InvalidPayload
        If the bytes are not such a file, or a damaged or truncated one, or claim what cannot be.
    """
    magic, size = data[:4], int.from_bytes(data[4:8], "little")
    if magic not in (MAGIC, OLD_MAGIC):
        raise InvalidPayload("not a file of codecbench encode (it does not begin with CBN2 or CBN1)")
    begin = 12 if magic == MAGIC else 8
    if len(data) < begin or size > MAX_HEADER or len(data) < begin + size:
        raise InvalidPayload("truncated or damaged: the header is incomplete; copy the file again")
    if magic == MAGIC and zlib.crc32(data[4:8] + data[12:]) != int.from_bytes(data[8:12], "little"):
        raise InvalidPayload("truncated or damaged: it is not what was written; copy the file again")
    fields, payload = _fields(data[begin : begin + size]), data[begin + size :]
    # Version 1 has a checksum of the payload alone, in its header.
    is_whole = magic == MAGIC or fields.get("crc32") == zlib.crc32(payload)
    if len(payload) != fields["payload_bytes"] or not is_whole:
        raise InvalidPayload("truncated or damaged: the payload is not what was written; copy the file again")
    header = Header(**{item.name: fields[item.name] for item in dataclass_fields(Header)})
    header = replace(header, packet_bytes=tuple(header.packet_bytes))
    _check_sizes(header, len(payload))
    return header, Coded(payload, header.length, header.container_bytes, header.packet_bytes)


def _fields(data: bytes) -> dict[str, Any]:
    try:
        fields = parse_json(data)
        _CHECK(fields, "")
    except Wrong as error:
        raise InvalidPayload(f"damaged: in the header {error}; copy the file again") from None
    return cast(dict[str, Any], fields)


def _check_sizes(header: Header, payload_bytes: int) -> None:
    """Refuse lengths that contradict each other or that so few bytes cannot stand for."""
    coded_s, source_s = header.length / header.rate_hz, header.source_length / header.source_hz
    if abs(coded_s - source_s) > 1.5 / min(header.rate_hz, header.source_hz):
        raise InvalidPayload(
            f"damaged: the header says {coded_s:.4g} s of coded speech and {source_s:.4g} s of the original; "
            "copy the file again"
        )
    if coded_s > FREE_SECONDS + SECONDS_PER_BYTE * payload_bytes or coded_s > MAX_SECONDS:
        raise InvalidPayload(
            f"damaged: the header says {coded_s:.4g} s where {payload_bytes} bytes follow; "
            "copy the file again"
        )
    if not header.own_format and header.packet_bytes and sum(header.packet_bytes) != payload_bytes:
        raise InvalidPayload("damaged: its packets do not make up the payload; copy the file again")


_LENGTH, _RATE = whole(0, MAX_SECONDS * MAX_RATE_HZ), whole(1, MAX_RATE_HZ)
_CHECK = record(
    {
        "codec": text(200), "signature": text(10_000), "point": text(200), "length": _LENGTH,
        "rate_hz": _RATE, "source_length": _LENGTH, "source_hz": _RATE, "container_bytes": whole(0, 1 << 32),
        "packet_bytes": list_of(whole(0, 1 << 32)), "own_format": truth, "payload_bytes": whole(0, 1 << 40),
    },
    {"crc32": whole(0, (1 << 32) - 1)},
)  # fmt: skip
