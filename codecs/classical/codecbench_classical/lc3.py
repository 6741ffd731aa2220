"""LC3 (Bluetooth LE Audio): a low-delay transform codec whose floor is 16 kbit/s."""

from __future__ import annotations

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave, ladder
from codecbench_classical import packets

RATE_HZ = 16_000
FRAME_US = 10_000
FRAME = 160
DELAY = 40
"""Samples of look-ahead, 2.5 ms; dropped by the decoder."""

FILE_HEADER_BYTES = 18
LENGTH_BYTES = 2


class Lc3(Codec):
    """LC3 at 16 kHz with 10 ms frames of constant size, through Google's liblc3."""

    distributions = ("lc3py",)
    info = CodecInfo(
        name="lc3",
        description="LC3 (liblc3), 10 ms frames",
        version=packets.version("lc3py"),
        sample_rate_hz=RATE_HZ,
        licence="Apache-2.0",
        frame_rate_hz=100.0,
        algorithmic_delay_ms=12.5,
        bandwidth_hz=8_000,
        citation="Bluetooth SIG 2020, Low Complexity Communication Codec 1.0",
        url="https://github.com/google/liblc3",
    )
    points = ladder(16, 24, 32, 64)

    def check(self) -> None:
        """Raise `Unavailable` unless lc3py is installed."""
        packets.require("lc3", "lc3py")

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 16 kHz."""
        import lc3

        count = packets.frame_count(wave.size, FRAME, DELAY)
        frames = packets.to_frames(packets.to_pcm16(wave), FRAME, count)
        encoder = lc3.Encoder(FRAME_US, RATE_HZ)
        size = _frame_bytes(point)
        payload = b"".join(encoder.encode(frame.tobytes(), size, 16) for frame in frames)
        return Coded(payload, wave.size, FILE_HEADER_BYTES + LENGTH_BYTES * count)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at 16 kHz; liblc3 conceals frames that it finds damaged."""
        import lc3

        size, count = _frame_bytes(point), packets.frame_count(coded.length, FRAME, DELAY)
        packets.expect_size(coded.payload, size * count)
        decoder = lc3.Decoder(FRAME_US, RATE_HZ)
        decoded = [
            packets.from_pcm16(
                np.frombuffer(decoder.decode(coded.payload[start : start + size], 16), np.int16)
            )
            for start in range(0, size * count, size)
        ]
        return packets.trim(decoded, coded.length, DELAY)


def _frame_bytes(point: OperatingPoint) -> int:
    return round(point.nominal_kbps * FRAME_US / 8_000)
