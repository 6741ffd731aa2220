"""G.722 (ITU-T 1988): two-band ADPCM at 64 kbit/s, an anchor of transparent wideband telephony."""

from __future__ import annotations

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave, ladder
from codecbench_classical import ffmpeg, packets

FRAME = 320
DELAY = 22
"""Samples by which the two filter banks together are late; dropped by the decoder."""


class G722(Codec):
    """G.722 at 64 kbit/s through PyAV; one byte codes two samples."""

    distributions = ("av",)
    info = CodecInfo(
        name="g722",
        description="G.722 sub-band ADPCM",
        version=ffmpeg.VERSION,
        sample_rate_hz=16_000,
        licence="LGPL-2.1-or-later",
        frame_rate_hz=8_000.0,
        algorithmic_delay_ms=1.5,
        bandwidth_hz=7_000,
        citation="ITU-T G.722 (1988)",
        url="https://www.itu.int/rec/T-REC-G.722",
    )
    points = ladder(64)

    def check(self) -> None:
        """Raise `Unavailable` unless PyAV is installed."""
        ffmpeg.check()

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 16 kHz."""
        count = packets.frame_count(wave.size, FRAME, DELAY)
        frames = packets.to_frames(packets.to_pcm16(wave), FRAME, count)
        stream = b"".join(ffmpeg.encode("g722", frames, 16_000, 64_000))
        return Coded(stream[: _size(wave.size)], wave.size)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at 16 kHz."""
        packets.expect_size(coded.payload, _size(coded.length))
        received = [coded.payload] if coded.payload else []
        decoded = ffmpeg.decode("g722", received, 16_000)
        return packets.trim([packets.from_pcm16(frame) for frame in decoded], coded.length, DELAY)


def _size(length: int) -> int:
    return packets.frame_count(length, 2, DELAY)
