"""What classical codecs share: 16-bit samples, whole frames, packets that carry no filler."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Coded, Wave
from codecbench.errors import InvalidPayload, Unavailable

Pcm16 = NDArray[np.int16]
"""Samples as the libraries take them, int16 [T]."""

Sample = TypeVar("Sample", np.int16, np.float32)

FULL_SCALE = 32768.0
INSTALL = "run: pip install av lc3py pycodec2 silk-python"


def to_pcm16(wave: Wave) -> Pcm16:
    """Return the samples rounded to 16 bits; those beyond full scale are clipped."""
    samples: Pcm16 = np.clip(np.rint(wave * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return samples


def from_pcm16(samples: Pcm16) -> Wave:
    """Return 16-bit samples as float32 in [-1, 1)."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def frame_count(length: int, frame: int, delay: int = 0) -> int:
    """Return how many frames bring out ``length`` samples of a codec that is ``delay`` samples late."""
    return -(-(length + delay) // frame) if length else 0


def to_frames(samples: NDArray[Sample], frame: int, count: int) -> NDArray[Sample]:
    """Return the samples as [count, frame], filled up with zeros or cut."""
    kept = samples[: frame * count]
    return np.pad(kept, (0, frame * count - kept.size)).reshape(count, frame)


def trim(decoded: Sequence[Wave], length: int, delay: int) -> Wave:
    """Join decoded frames without the first ``delay`` samples, which precede the speech, to float32 [length].

    Raises
    ------
    InvalidPayload
        If the frames are too few.
    """
    joined = np.concatenate([np.zeros(0, np.float32), *decoded])[delay : delay + length]
    if joined.size < length:
        raise InvalidPayload(
            f"payload decodes to {joined.size} of {length} samples; it is truncated or damaged"
        )
    return np.ascontiguousarray(joined, dtype=np.float32)


def pack_bits(packets: Iterable[bytes], bits: int) -> bytes:
    """Join the first ``bits`` bits of each packet, without filler but for zeros in the last byte."""
    rows = [np.unpackbits(np.frombuffer(packet, np.uint8))[:bits] for packet in packets]
    return np.packbits(np.concatenate([np.zeros(0, np.uint8), *rows])).tobytes()


def unpack_bits(payload: bytes, bits: int, count: int) -> list[bytes]:
    """Undo `pack_bits`: return ``count`` packets of ``bits`` bits, each filled with zeros to whole bytes.

    Raises
    ------
    InvalidPayload
        If the payload has another size.
    """
    expect_size(payload, -(-bits * count // 8))
    rows = np.unpackbits(np.frombuffer(payload, np.uint8))[: bits * count].reshape(count, bits)
    return [packet.tobytes() for packet in np.packbits(rows, axis=1)]


def expect_size(payload: bytes, size: int) -> None:
    """Raise `InvalidPayload` unless the payload has that many bytes."""
    if len(payload) != size:
        raise InvalidPayload(
            f"payload has {len(payload)} bytes where this length and operating point take {size}; "
            "it is damaged or was made at another point"
        )


def split(coded: Coded) -> list[bytes]:
    """Return the packets of a payload whose sizes vary, by ``coded.packet_bytes``.

    Raises
    ------
    InvalidPayload
        If the sizes do not add up to the payload.
    """
    if sum(coded.packet_bytes) != len(coded.payload) or min(coded.packet_bytes, default=1) < 1:
        raise InvalidPayload(
            f"payload has {len(coded.payload)} bytes but its packets add up to {sum(coded.packet_bytes)}; "
            "it is damaged"
        )
    ends = np.cumsum(coded.packet_bytes, dtype=int)
    return [coded.payload[end - size : end] for end, size in zip(ends, coded.packet_bytes, strict=True)]


def require(module: str, package: str) -> None:
    """Raise `Unavailable` with the command that helps, unless a Python module can be imported."""
    if importlib.util.find_spec(module) is None:
        raise Unavailable(f"{package} is not installed", INSTALL)


def version(distribution: str) -> str:
    """Return e.g. ``"av-18.1.0"``, or only the name where the package is not installed."""
    try:
        return f"{distribution}-{importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return distribution
