"""Lossless coding of the token grid with `constriction`'s range coder and the context model.

The bytes are those of the shortest number inside the coder's last interval, so a packet ends on the byte that
it needs and not on a 32-bit word.  Every string of bytes decodes to some tokens, so a checksum of the tokens
follows: it tells damage, truncation and another model.  It is never zero, so no run of zeros is speech.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from codecbench.codec import Codes
from codecbench.errors import InvalidPayload
from codecbench_spc.bits.context import COLUMN_MARGIN, ROW_MARGIN, ContextModel, groups
from codecbench_spc.bits.layout import Layout

_CHUNK_COLUMNS = 2
_WORD_BITS = 32


def _checksum(codes: Codes, size: int) -> bytes:
    """Return 1 to 256**size - 1, made of the number of columns and the tokens by CRC-16 (0x1021)."""
    columns = codes.shape[1].to_bytes(4, "big")
    value: int = binascii.crc_hqx(codes.T.astype(">u2").tobytes(), binascii.crc_hqx(columns, 0xFFFF))
    return bytes((value % (256**size - 1) + 1).to_bytes(size, "big"))


def _first_checksum(codes: Codes, size: int) -> bytes:
    """Return that of version 1: the last bytes of the CRC-16, from 0, of the tokens alone."""
    return binascii.crc_hqx(codes.T.astype(">u2").tobytes(), 0).to_bytes(2, "big")[-size:]


@dataclass(frozen=True)
class Rules:
    """What differs between versions of the bitstream.

    Parameters
    ----------
    columns_per_byte : int
        There is at least a byte for so many columns, so that the size bounds what a decoder allocates.
    checksum : callable
        Checksum of a token grid in so many bytes.
    """

    columns_per_byte: int
    checksum: Callable[[Codes, int], bytes]


# The context model's cheapest columns cost 1.2 bits, those of digital silence 1.3; a byte for eight is below.
RULES = {1: Rules(64, _first_checksum), 2: Rules(8, _checksum)}
VERSION = 2
"""The version that is written; all of `RULES` are read."""


def encode_grid(codes: Codes, layout: Layout, model: ContextModel, check_bytes: int) -> bytes:
    """Code a grid `[F, T]` of tokens, a checksum behind; nothing if T is 0."""
    if codes.shape[1] == 0:
        return b""
    coder, family = _coder()
    order = np.concatenate(groups(codes.shape[0]))
    for start in range(0, codes.shape[1], _CHUNK_COLUMNS):
        stop = min(start + _CHUNK_COLUMNS, codes.shape[1])
        symbols = codes[order, start:stop].T.reshape(-1).astype(np.int32)
        coder.encode(symbols, family, model.of_columns(codes, layout, start, stop))
    return _finish(coder, codes.shape[1]) + RULES[VERSION].checksum(codes, check_bytes)


def decode_grid(  # noqa: PLR0917
    payload: bytes,
    columns: int,
    layout: Layout,
    model: ContextModel,
    check_bytes: int,
    version: int = VERSION,
) -> Codes:
    """Decode a grid of that many columns, int64 [F, columns], coded by `version`.

    Raises
    ------
    InvalidPayload
        If the bytes are not the coding of such a grid by this model.
    """
    body, checksum = payload[:-check_bytes], payload[-check_bytes:]
    rules = RULES[version]
    if columns > rules.columns_per_byte * len(body) or (columns == 0 and payload):
        raise InvalidPayload(f"{len(payload)} bytes cannot hold {columns} columns; the payload is damaged")
    _, family = _coder()
    decoder = _decoder(body)
    window = model.empty_window(layout.rows, COLUMN_MARGIN + columns)
    grid = window[ROW_MARGIN:-ROW_MARGIN]
    for column in range(COLUMN_MARGIN, COLUMN_MARGIN + columns):
        for rows in groups(layout.rows):
            probabilities = model.at(window, rows, np.full(len(rows), column), layout)
            grid[rows, column] = _decode_symbols(decoder, family, probabilities)
    codes = grid[:, COLUMN_MARGIN:].copy()
    if columns and rules.checksum(codes, check_bytes) != checksum:
        raise InvalidPayload("the checksum does not fit: truncated, damaged, or coded by another model")
    return codes


def _coder() -> tuple[Any, Any]:
    import constriction

    family = constriction.stream.model.Categorical(perfect=False)
    return constriction.stream.queue.RangeEncoder(), family


def _decoder(payload: bytes) -> Any:
    import constriction

    padded = payload + bytes(-len(payload) % 4 + 8)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, dtype=">u4").astype(np.uint32))


def _decode_symbols(decoder: Any, family: Any, probabilities: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        symbols: np.ndarray[Any, Any] = decoder.decode(family, probabilities)
    except (AssertionError, ValueError) as error:
        raise InvalidPayload("the payload is not range-coded speech; it is damaged") from error
    return symbols


def _finish(coder: Any, columns: int) -> bytes:
    """Return the shortest bytes that decode to what was coded, as many as the rules ask for."""
    words, (low, width) = coder.pos()
    sealed = coder.get_compressed()
    value = int.from_bytes(sealed.astype(">u4").tobytes(), "big")
    total_bits = _WORD_BITS * (words + 2)
    value <<= total_bits - _WORD_BITS * len(sealed)
    # `low` is the interval's start modulo 2**64; the sealed number lies inside the interval.
    start = value - ((value - low) % (1 << 64))
    size = 0
    while True:
        unit = total_bits - 8 * size
        rounded = -(-start >> unit) << unit
        if rounded < start + width:
            break
        size += 1
    shortest: bytes = (rounded >> unit).to_bytes(size, "big")
    least = -(-columns // RULES[VERSION].columns_per_byte)
    return shortest.ljust(least, b"\0")
