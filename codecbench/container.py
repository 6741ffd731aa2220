"""Coded speech in a file: what `codecbench encode` writes and `codecbench decode` reads.

Layout: the magic ``CBN1``; the header's length, four bytes little-endian; the header, a JSON object in UTF-8;
the payload.  The header names codec and point, lengths and rates, packet sizes, and the payload's CRC-32.
A codec with a file format of its own (`Codec.pack`) has a whole such file as payload.
Every field is checked before use: a file may come from anywhere.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any

from codecbench.codec import Coded
from codecbench.errors import InvalidPayload

MAGIC = b"CBN1"
SUFFIX = ".cbn"
MAX_HEADER = 1 << 22
MAX_SECONDS = 86_400
MAX_RATE_HZ = 768_000


@dataclass(frozen=True)
class Header:
    """What a decoder needs besides the payload.

    Parameters
    ----------
    codec : str
        ``NAME`` or ``NAME:ARGUMENT``.
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
    fields = {**asdict(header), "payload_bytes": len(payload), "crc32": zlib.crc32(payload)}
    text = json.dumps(fields, separators=(",", ":")).encode()
    return MAGIC + len(text).to_bytes(4, "little") + text + payload


def unpack(data: bytes) -> tuple[Header, Coded]:
    """Return header and coded speech of a file.

    Raises
    ------
    InvalidPayload
        If the bytes are not such a file, or a damaged or truncated one.
    """
    if data[:4] != MAGIC:
        raise InvalidPayload("not a file of codecbench encode (it does not begin with CBN1)")
    size = int.from_bytes(data[4:8], "little")
    if len(data) < 8 or size > MAX_HEADER or len(data) < 8 + size:
        raise InvalidPayload("truncated or damaged: the header is incomplete; copy the file again")
    fields = _fields(data[8 : 8 + size])
    payload = data[8 + size :]
    if len(payload) != fields.pop("payload_bytes") or zlib.crc32(payload) != fields.pop("crc32"):
        raise InvalidPayload("truncated or damaged: the payload is not what was written; copy the file again")
    header = Header(**fields)
    if not header.own_format and header.packet_bytes and sum(header.packet_bytes) != len(payload):
        raise InvalidPayload("damaged: its packets do not make up the payload; copy the file again")
    return header, Coded(payload, header.length, header.container_bytes, header.packet_bytes)


def _fields(text: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text)
        checked: dict[str, Any] = {name: _text(fields[name]) for name in ("codec", "signature", "point")}
        for name, most in _LIMITS.items():
            checked[name] = _count(fields[name], most)
        if type(fields["own_format"]) is not bool:
            raise TypeError(fields["own_format"])
        checked["own_format"] = fields["own_format"]
        checked["packet_bytes"] = tuple(_count(size, 1 << 32) for size in fields["packet_bytes"])
        for length, rate in (("length", "rate_hz"), ("source_length", "source_hz")):
            if checked[rate] == 0 or checked[length] > MAX_SECONDS * checked[rate]:
                raise ValueError(length)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidPayload(
            "damaged: the header has missing or impossible fields; copy the file again"
        ) from None
    return checked


_LIMITS = {
    "length": MAX_SECONDS * MAX_RATE_HZ,
    "rate_hz": MAX_RATE_HZ,
    "source_length": MAX_SECONDS * MAX_RATE_HZ,
    "source_hz": MAX_RATE_HZ,
    "container_bytes": 1 << 32,
    "payload_bytes": 1 << 40,
    "crc32": (1 << 32) - 1,
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _count(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(value)
    return value
