"""Bit packing: codes to bytes and back at exactly their bits, so that the measured rate is the codec's own.

Bits run frame by frame, within a frame stream by stream, each code most significant bit first.  Only the last
byte of an utterance is filled up, with zeros.
"""

from __future__ import annotations

import numpy as np

from codecbench.codec import Codes
from codecbench.errors import InvalidPayload

MAX_BITS = 32


def payload_bytes(streams: int, steps: int, bits: int) -> int:
    """Return the number of bytes that ``streams x steps`` codes of ``bits`` bits take."""
    return (streams * steps * bits + 7) // 8


def pack(codes: Codes, bits: int) -> bytes:
    """Return codes as bytes.

    Parameters
    ----------
    codes : int64 [F, T]
        F streams of T codes, each within [0, 2**bits).
    bits : int
        Bits of one code, 1 to 32.

    Raises
    ------
    ValueError
        If a code does not fit; that is a defect of the caller, not of an input.
    """
    _check_bits(bits)
    if codes.ndim != 2:
        raise ValueError(f"codes have shape {codes.shape}, not [streams, steps]")
    if codes.size and (codes.min() < 0 or codes.max() >= 1 << bits):
        raise ValueError(
            f"codes span {codes.min()} to {codes.max()}; {bits} bits hold 0 to {(1 << bits) - 1}"
        )
    values = codes.T.reshape(-1, 1).astype(np.uint64)
    return np.packbits(((values >> _shifts(bits)) & np.uint64(1)).astype(np.uint8)).tobytes()


def unpack(payload: bytes, streams: int, steps: int, bits: int) -> Codes:
    """Return the codes [streams, steps] that `pack` put into the bytes.

    Raises
    ------
    InvalidPayload
        If the number of bytes is not that of so many codes, or the filling bits are not zero.
    """
    _check_bits(bits)
    expected = payload_bytes(streams, steps, bits)
    if len(payload) != expected:
        raise InvalidPayload(
            f"payload has {len(payload)} bytes, but {streams} x {steps} codes of {bits} bits take "
            f"{expected}; it is damaged or was made at another point"
        )
    unpacked = np.unpackbits(np.frombuffer(payload, dtype=np.uint8))
    used = streams * steps * bits
    if unpacked[used:].any():
        raise InvalidPayload("filling bits after the last code are not zero; the payload is damaged")
    rows = unpacked[:used].reshape(-1, bits).astype(np.uint64)
    values = (rows << _shifts(bits)).sum(axis=1, dtype=np.uint64).astype(np.int64)
    return np.ascontiguousarray(values.reshape(steps, streams).T)


def _shifts(bits: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.arange(bits - 1, -1, -1, dtype=np.uint64)


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= MAX_BITS:
        raise ValueError(f"{bits} bits a code; packing takes 1 to {MAX_BITS}")
