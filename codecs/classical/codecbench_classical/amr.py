"""AMR narrowband and wideband (3GPP TS 26.071, 26.171): constant-rate telephone codecs.

The storage format (RFC 4867) puts a byte before each frame's speech bits and fills them up to whole bytes:
5.9 kbit/s become 6.4.  The payload holds the speech bits alone, end to end; the rest is container.
"""

from __future__ import annotations

import ctypes
from typing import ClassVar

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench_classical import ffmpeg, packets, system
from codecbench_classical.packets import Pcm16

NARROW_BITS = {4.75: 95, 5.15: 103, 5.9: 118, 6.7: 134, 7.4: 148, 7.95: 159, 10.2: 204, 12.2: 244}
"""Speech bits of a 20 ms frame by kbit/s; the order is the mode number (TS 26.101, table 1a)."""

WIDE_BITS = {
    6.6: 132,
    8.85: 177,
    12.65: 253,
    14.25: 285,
    15.85: 317,
    18.25: 365,
    19.85: 397,
    23.05: 461,
    23.85: 477,
}
"""The same for wideband (TS 26.201, table 2)."""

MAX_STORED_BYTES = 61


def _ladder(bits: dict[float, int]) -> tuple[OperatingPoint, ...]:
    return tuple(
        OperatingPoint(f"{kbps:g}", kbps, {"mode": mode, "bits": count})
        for mode, (kbps, count) in enumerate(bits.items())
    )


class Amr(Codec):
    """What both AMR codecs share: 20 ms frames of a fixed number of bits, without silence suppression."""

    distributions = ("av",)
    frame: ClassVar[int]
    decoder: ClassVar[str]
    magic: ClassVar[bytes]
    delay: ClassVar[int]
    """Samples by which the decoder's output is late; dropped, as the look-ahead is known to both ends."""

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at the codec's rate."""
        bits, mode = int(point.settings["bits"]), int(point.settings["mode"])
        count = packets.frame_count(wave.size, self.frame, self.delay)
        frames = packets.to_frames(packets.to_pcm16(wave), self.frame, count)
        stored = self.code(frames, mode, point)[:count]
        payload = packets.pack_bits((packet[1:] for packet in stored), bits)
        stored_bytes = len(self.magic) + sum(map(len, stored))
        return Coded(payload, wave.size, container_bytes=stored_bytes - len(payload))

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at the codec's rate."""
        bits, mode = int(point.settings["bits"]), int(point.settings["mode"])
        count = packets.frame_count(coded.length, self.frame, self.delay)
        toc = bytes([mode << 3 | 0x04])  # RFC 4867 section 5.3: frame type, quality bit "good"
        stored = [toc + packet for packet in packets.unpack_bits(coded.payload, bits, count)]
        decoded = ffmpeg.decode(self.decoder, stored, self.info.sample_rate_hz)
        return packets.trim([packets.from_pcm16(frame) for frame in decoded], coded.length, self.delay)

    def code(self, frames: Pcm16, mode: int, point: OperatingPoint) -> list[bytes]:
        """Return one packet in storage format for each frame, int16 [count, frame]."""
        raise NotImplementedError


class AmrNb(Amr):
    """AMR narrowband through PyAV's OpenCORE."""

    info = CodecInfo(
        name="amr-nb",
        description="AMR narrowband (OpenCORE), telephone band",
        version=ffmpeg.VERSION,
        sample_rate_hz=8_000,
        licence="Apache-2.0",
        frame_rate_hz=50.0,
        algorithmic_delay_ms=25.0,
        bandwidth_hz=4_000,
        citation="3GPP TS 26.071",
        url="https://www.3gpp.org/dynareport/26071.htm",
    )
    points = _ladder(NARROW_BITS)
    frame = 160
    decoder = "libopencore_amrnb"
    magic = b"#!AMR\n"
    delay = 40

    def check(self) -> None:
        """Raise `Unavailable` unless PyAV is installed."""
        ffmpeg.check()

    def code(self, frames: Pcm16, mode: int, point: OperatingPoint) -> list[bytes]:
        """Code with FFmpeg's OpenCORE encoder."""
        return ffmpeg.encode("libopencore_amrnb", frames, 8_000, round(point.nominal_kbps * 1000))


class AmrWb(Amr):
    """AMR wideband: the system's vo-amrwbenc codes, PyAV's OpenCORE decodes."""

    info = CodecInfo(
        name="amr-wb",
        description="AMR wideband (VisualOn encoder), 7 kHz",
        version=f"vo-amrwbenc-0 {ffmpeg.VERSION}",
        sample_rate_hz=16_000,
        licence="Apache-2.0",
        frame_rate_hz=50.0,
        algorithmic_delay_ms=25.9,
        bandwidth_hz=7_000,
        citation="3GPP TS 26.171, ITU-T G.722.2",
        url="https://www.3gpp.org/dynareport/26171.htm",
    )
    points = _ladder(WIDE_BITS)
    frame = 320
    decoder = "libopencore_amrwb"
    magic = b"#!AMR-WB\n"
    delay = 95

    def check(self) -> None:
        """Raise `Unavailable` unless PyAV is installed and libvo-amrwbenc is found."""
        ffmpeg.check()
        _wideband_encoder()

    def code(self, frames: Pcm16, mode: int, point: OperatingPoint) -> list[bytes]:
        """Code with libvo-amrwbenc."""
        library = _wideband_encoder()
        stored: list[bytes] = []
        buffer = ctypes.create_string_buffer(MAX_STORED_BYTES)
        state = ctypes.c_void_p(library.E_IF_init())
        try:
            for samples in frames:
                size = library.E_IF_encode(state, mode, ctypes.c_void_p(samples.ctypes.data), buffer, 0)
                stored.append(buffer.raw[:size])
        finally:
            library.E_IF_exit(state)
        return stored


def _wideband_encoder() -> ctypes.CDLL:
    library = system.load("vo-amrwbenc", 0, "libvo-amrwbenc0")
    library.E_IF_init.restype = ctypes.c_void_p
    return library
