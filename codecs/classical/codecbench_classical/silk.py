"""SILK (the SDK of 2010, one half of today's Opus) through silk-python, as Skype and Tencent use it.

Like Opus it has a variable rate, and the ladder asks for what makes the measured one nominal on speech.  Its
floor is near 5.4 kbit/s.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from codecbench.audio import resample
from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench.errors import InvalidPayload
from codecbench_classical import packets

RATE_HZ = 16_000
FRAME = 320

DECODER_HZ = 24_000
"""Rate asked of the decoder.  At 16 kHz silk-python's buffer is too small for a damaged packet that switches
to 24 kHz inside, and the decoder writes past it; resampling afterwards costs less than 0.01 in PESQ."""

MAGIC = b"#!SILK_V3"
LENGTH_BYTES = 2
MAX_PACKET = 640
"""Bytes that silk-python takes for one packet; it would misread lengths beyond 32767."""


def _point(kbps: float, asked: float, delay: int) -> OperatingPoint:
    """Return a point; ``delay`` samples, which the decoder drops, depend on the rate it works at inside."""
    return OperatingPoint(f"{kbps:g}", kbps, {"bit_rate": round(asked * 1000), "delay": delay})


class Silk(Codec):
    """SILK at up to 16 kHz, 20 ms packets, complexity 2 of 2, no error correction, no silence suppression."""

    distributions = ("silk-python",)
    info = CodecInfo(
        name="silk",
        description="SILK SDK 1.0.9, variable rate",
        version=packets.version("silk-python"),
        sample_rate_hz=RATE_HZ,
        licence="BSD-3-Clause",
        frame_rate_hz=50.0,
        algorithmic_delay_ms=25.5,
        bandwidth_hz=8_000,
        citation="Vos, Jensen, Soerensen 2010, SILK Speech Codec, draft-vos-silk",
        url="https://github.com/synodriver/pysilk",
    )
    points = (
        _point(6, 5.93, 92),
        _point(8, 8.42, 92),
        _point(12, 12.85, 87),
        _point(16, 17.7, 83),
        _point(24, 27.45, 83),
    )

    def check(self) -> None:
        """Raise `Unavailable` unless silk-python is installed."""
        packets.require("pysilk", "silk-python")

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 16 kHz."""
        import pysilk

        count = packets.frame_count(wave.size, FRAME, int(point.settings["delay"]))
        frames = packets.to_frames(packets.to_pcm16(wave), FRAME, count)
        stream = io.BytesIO()
        pysilk.encode(
            io.BytesIO(frames.astype("<i2").tobytes()),
            stream,
            RATE_HZ,
            int(point.settings["bit_rate"]),
            max_internal_sample_rate=RATE_HZ,
            complexity=2,
            tencent=False,
        )
        coded = list(_packets(stream.getvalue()))
        sizes = tuple(len(packet) for packet in coded)
        container_bytes = len(MAGIC) + LENGTH_BYTES * len(sizes)
        return Coded(b"".join(coded), wave.size, container_bytes, sizes)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at 16 kHz."""
        import pysilk

        delay = int(point.settings["delay"])
        received = packets.split(coded)
        count = packets.frame_count(coded.length, FRAME, delay)
        largest = max(coded.packet_bytes, default=0)
        if len(received) != count or largest > MAX_PACKET:
            raise InvalidPayload(
                f"payload has {len(received)} packets of up to {largest} bytes where this length takes "
                f"{count} of up to {MAX_PACKET}; it is damaged"
            )
        stream = MAGIC + b"".join(
            len(packet).to_bytes(LENGTH_BYTES, "little") + packet for packet in received
        )
        decoded = io.BytesIO()
        try:
            pysilk.decode(io.BytesIO(stream), decoded, DECODER_HZ)
        except pysilk.SilkError as error:
            raise InvalidPayload(f"SILK cannot decode a packet ({error}); it is damaged") from None
        samples = np.frombuffer(decoded.getvalue(), "<i2").astype(np.int16)
        wave = resample(packets.from_pcm16(samples), DECODER_HZ, RATE_HZ)
        return packets.trim([wave], coded.length, delay)


def _packets(stream: bytes) -> Iterator[bytes]:
    """Yield the packets of the SDK's file format, each behind its 16-bit length."""
    position = len(MAGIC)
    while position < len(stream):
        start = position + LENGTH_BYTES
        position = start + int.from_bytes(stream[start - LENGTH_BYTES : start], "little")
        yield stream[start:position]
