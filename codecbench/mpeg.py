"""MPEG audio (MP3, MP2) to its last sample, where the header only estimates the length or tells another.

Without a Xing, Info or VBRI header a reader multiplies the first frame's size, and joined files keep the
first one's header.  So frames are counted here; where their number and the header's disagree, or there is
none, the bytes are read as a stream, which has no length to stop at.

Reference: ISO/IEC 11172-3 and 13818-3, header of a frame (bits, rates, samples).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import soundfile


_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBPS_1 = {
    3: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBPS_2 = {
    3: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    1: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HEADER_BYTES = 4


@dataclass(frozen=True)
class Frames:
    """The frames of a file, without those that only hold a header of lengths.

    Parameters
    ----------
    start, stop : int
        Offsets in bytes of the first whole frame and of the end of the last.
    samples : int
        Samples a channel that they decode to.
    rate_hz : int
        Sample rate of the first.
    declared : int or None
        Samples that a Xing or Info header promises, encoder's delay included; None where there is none.
    """

    start: int
    stop: int
    samples: int
    rate_hz: int
    declared: int | None

    @property
    def seconds(self) -> float:
        """Return how long the frames last, in seconds."""
        return self.samples / self.rate_hz

    @property
    def is_certain(self) -> bool:
        """Say whether the header tells the length that is there (or more: then the file is truncated)."""
        return self.declared is not None and self.declared >= self.samples


def scan(data: bytes) -> Frames | None:
    """Return the frames of a file; None where it has none."""
    start = stop = samples = rate_hz = 0
    declared = None
    at = _behind_tag(data)
    while at + _HEADER_BYTES <= len(data):
        found = _frame(data, at)
        if found is None or at + found[0] > len(data):
            at = data.find(b"\xff", at + 1)  # garbage, a tag, or the torn last frame
            if at < 0:
                break
            continue
        size, length, hz = found
        if not rate_hz:
            declared, rate_hz, start = _declared(data[at : at + size], length), hz, at
            if declared is not None:
                at += size
                start = stop = at
                continue
        samples, at = samples + length, at + size
        stop = at
    return Frames(start, stop, samples, rate_hz, declared) if rate_hz else None


@contextmanager
def stream(data: bytes) -> Iterator[soundfile.SoundFile]:
    """Open MPEG frames as a stream of unknown length, which is read until it ends."""
    import soundfile

    out, into = os.pipe()

    def feed() -> None:
        with suppress(OSError), open(into, "wb") as pipe:  # noqa: PTH123 (a descriptor has no path)
            pipe.write(data)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with soundfile.SoundFile(out, closefd=False) as file:
            yield file
    finally:
        os.close(out)  # a feeder that still writes then ends
        feeder.join()


def _behind_tag(data: bytes) -> int:
    """Return where an ID3v2 tag at the beginning ends, 0 where there is none."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return bytes, samples and rate of the frame at an offset; None where no frame begins there."""
    if data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    kbps_index, rate_index, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer == 0 or kbps_index in (0, 15) or rate_index == 3:
        return None
    rate_hz = _RATES_HZ[version][rate_index]
    bits_per_second = 1000 * (_KBPS_1 if version == 3 else _KBPS_2)[layer][kbps_index]
    samples = 384 if layer == 3 else 576 if layer == 1 and version != 3 else 1152
    slot = 4 if layer == 3 else 1
    size = (samples // 8 // slot * bits_per_second // rate_hz + padding) * slot
    return size, samples, rate_hz


def _declared(frame: bytes, samples: int) -> int | None:
    """Return the samples that a header frame promises, 0 for none; None for a frame of sound."""
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark, _HEADER_BYTES, 64)
        if at >= 0:
            has_count = len(frame) >= at + 12 and frame[at + 7] & 1
            return samples * int.from_bytes(frame[at + 8 : at + 12], "big") if has_count else 0
    at = frame.find(b"VBRI", _HEADER_BYTES, 64)
    return samples * int.from_bytes(frame[at + 14 : at + 18], "big") if at >= 0 else None
