"""Bitstream: payloads made of packets, and the header of a file or stream in front of them.

`docs/spc-bitstream.md` describes the format in full.  A payload has one of three modes:

- `FIXED`: a packet for each column of the token grid (512 samples), of the same size, decodable on its own;
- `STREAM`: all columns by one range coder with the context model;
- `PACKETS`: `PACKET_COLUMNS` columns a packet, each coded by the context model from that packet alone.

Whatever the bytes, they give tokens of the right shape or `InvalidPayload`, in memory that their number
bounds.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from codecbench.codec import Codes
from codecbench.errors import InvalidPayload
from codecbench_spc.bits.context import ContextModel
from codecbench_spc.bits.layout import Layout
from codecbench_spc.bits.rangecoder import RULES, VERSION, decode_grid, encode_grid

MAGIC = b"CSPC"
KINDS = ("spc", "rvq")
COLUMN_SAMPLES = 512
"""Samples that one column of the token grid stands for."""

PACKET_COLUMNS = 4
"""Columns of an entropy-coded packet, 128 ms."""

_FIELDS = struct.Struct("<4sBBBB8sII")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size


class Mode(IntEnum):
    """How tokens become bytes."""

    FIXED = 0
    STREAM = 1
    PACKETS = 2


CHECK_BYTES = {Mode.STREAM: 2, Mode.PACKETS: 1}
"""Bytes of the checksum behind what the range coder gives; packets have their lengths besides."""


@dataclass(frozen=True)
class Header:
    """What stands in front of a payload in a file.

    Parameters
    ----------
    kind : str
        ``"spc"`` or ``"rvq"``.
    bits : int
        Bits a patch: 12, 10, 8 or 6.
    mode : Mode
        How the payload is coded.
    model_id : bytes
        First eight bytes of the checkpoint's SHA-256.
    length : int
        Samples at 16 kHz.
    version : int
        Of the bitstream.
    """

    kind: str
    bits: int
    mode: Mode
    model_id: bytes
    length: int
    version: int = VERSION


def columns_of(length: int) -> int:
    """Return the number of columns of so many samples."""
    return -(-length // COLUMN_SAMPLES)


def pack(header: Header, payload: bytes) -> bytes:
    """Return header, its checksum and payload, both of the newest version, as one file."""
    fields = _FIELDS.pack(
        MAGIC,
        VERSION,
        KINDS.index(header.kind),
        header.bits,
        header.mode,
        header.model_id,
        header.length,
        len(payload),
    )
    return fields + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(fields))) + payload


def unpack(data: bytes) -> tuple[Header, bytes]:
    """Return header and payload of a file.

    Raises
    ------
    InvalidPayload
        If the bytes are not a whole, undamaged file of a version known here.
    """
    if data[:4] != MAGIC:
        raise InvalidPayload("not coded speech of spc or rvq (it does not begin with CSPC)")
    if len(data) < HEADER_BYTES:
        raise InvalidPayload(f"truncated: {len(data)} bytes, the header alone has {HEADER_BYTES}")
    _, version, kind, bits, mode, model_id, length, payload_bytes = _FIELDS.unpack_from(data)
    if version not in RULES:
        raise InvalidPayload(
            f"bitstream version {version}, but this program reads 1 to {VERSION}; install a newer one"
        )
    payload = data[HEADER_BYTES:]
    if len(payload) != payload_bytes:
        raise InvalidPayload(
            f"truncated or with bytes added: {len(payload)} bytes of payload, not {payload_bytes}"
        )
    (checksum,) = _CHECKSUM.unpack_from(data, _FIELDS.size)
    if checksum != zlib.crc32(payload, zlib.crc32(data[: _FIELDS.size])):
        raise InvalidPayload("damaged: the checksum does not fit; copy the file again")
    if kind >= len(KINDS) or mode not in list(Mode):
        raise InvalidPayload(f"damaged: no codec kind {kind} with mode {mode}")
    return Header(KINDS[kind], bits, Mode(mode), model_id, length, version), payload


def encode_payload(
    codes: Codes, layout: Layout, mode: Mode, context: ContextModel | None = None
) -> tuple[bytes, tuple[int, ...]]:
    """Return the payload of a token grid, int64 [F, T], and the sizes of its packets.

    `context` is needed in all modes but `FIXED`.
    """
    columns = codes.shape[1]
    if mode is Mode.FIXED:
        return pack_columns(codes, layout), (layout.column_bytes,) * columns
    assert context is not None
    if mode is Mode.STREAM:
        payload = encode_grid(codes, layout, context, CHECK_BYTES[mode])
        return payload, (len(payload),) if payload else ()
    parts = (codes[:, start : start + PACKET_COLUMNS] for start in range(0, columns, PACKET_COLUMNS))
    packets = [frame_packet(encode_grid(part, layout, context, CHECK_BYTES[mode])) for part in parts]
    return b"".join(packets), tuple(map(len, packets))


def decode_payload(  # noqa: PLR0917
    payload: bytes,
    length: int,
    layout: Layout,
    mode: Mode,
    context: ContextModel | None = None,
    version: int = VERSION,
) -> Codes:
    """Return the token grid of a payload that stands for `length` samples, int64 [F, T].

    Raises
    ------
    InvalidPayload
        If the bytes are not the coding of such a grid.
    """
    columns = columns_of(length)
    if mode is Mode.FIXED:
        return unpack_columns(payload, columns, layout)
    assert context is not None
    if mode is Mode.STREAM:
        return decode_grid(payload, columns, layout, context, CHECK_BYTES[mode], version)
    packets = split_packets(payload)
    if len(packets) != -(-columns // PACKET_COLUMNS):
        raise InvalidPayload(
            f"{len(packets)} packets where {length} samples have {-(-columns // PACKET_COLUMNS)}; "
            "the payload is truncated or damaged"
        )
    sizes = (min(PACKET_COLUMNS, columns - start) for start in range(0, columns, PACKET_COLUMNS))
    parts = [
        decode_grid(data, size, layout, context, CHECK_BYTES[mode], version)
        for data, size in zip(packets, sizes, strict=True)
    ]
    return np.concatenate([np.empty((layout.rows, 0), dtype=np.int64), *parts], axis=1)


def pack_columns(codes: Codes, layout: Layout) -> bytes:
    """Return columns of fixed length, most significant bit first, row 0 first, each padded to whole bytes."""
    shifts = np.arange(layout.code_bits - 1, -1, -1)
    bits = (codes.T[:, :, None] >> shifts) & 1
    flat = bits.astype(np.uint8).reshape(codes.shape[1], layout.rows * layout.code_bits)
    return np.packbits(flat, axis=1).tobytes()


def unpack_columns(payload: bytes, columns: int, layout: Layout) -> Codes:
    """Return the tokens of columns of fixed length, int64 [F, columns].

    Raises
    ------
    InvalidPayload
        If the number of bytes is another one, or padding is not zero.
    """
    expected = columns * layout.column_bytes
    if len(payload) != expected:
        raise InvalidPayload(
            f"{len(payload)} bytes where this point has {expected}: damaged, or coded at another point"
        )
    used = layout.rows * layout.code_bits
    bits = np.unpackbits(np.frombuffer(payload, dtype=np.uint8).reshape(columns, layout.column_bytes), axis=1)
    if bits[:, used:].any():
        raise InvalidPayload("padding bits are not zero: damaged, or coded at another point")
    weights = 1 << np.arange(layout.code_bits - 1, -1, -1)
    codes: Codes = bits[:, :used].reshape(columns, layout.rows, layout.code_bits).astype(np.int64) @ weights
    return np.ascontiguousarray(codes.T)


def frame_packet(packet: bytes) -> bytes:
    """Return a packet with its length in front (seven bits a byte, least significant first)."""
    prefix = bytearray()
    rest = len(packet)
    while rest >= 0x80:
        prefix.append(rest & 0x7F | 0x80)
        rest >>= 7
    prefix.append(rest)
    return bytes(prefix) + packet


def split_packets(payload: bytes) -> list[bytes]:
    """Return the packets of a payload without their lengths.

    Raises
    ------
    InvalidPayload
        If the last one is not whole.
    """
    packets = []
    position = 0
    while position < len(payload):
        size = shift = 0
        more = True
        while more:
            if position == len(payload) or shift > 28:
                raise InvalidPayload("a packet's length is not whole; the payload is truncated or damaged")
            size |= (payload[position] & 0x7F) << shift
            more = payload[position] >= 0x80
            position += 1
            shift += 7
        if position + size > len(payload):
            raise InvalidPayload("the last packet is not whole; the payload is truncated or damaged")
        packets.append(payload[position : position + size])
        position += size
    return packets
