"""Speex wideband (Valin 2002) through the system's libspeex: CELP, the open codec before Opus."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench.errors import InvalidPayload
from codecbench_classical import packets, system

FRAME = 320
DELAY = 223
"""Samples by which the output is late (SPEEX_GET_LOOKAHEAD of both ends); dropped by the decoder."""

BITS = {3.95: 79, 5.75: 115, 7.75: 155, 9.8: 196, 12.8: 256, 16.8: 336, 20.6: 412, 23.8: 476, 27.8: 556}
"""Bits of a 20 ms frame by kbit/s; the order is the quality setting (manual, table 9.1 and 10.1)."""

WIDEBAND_MODE = 1
SET_QUALITY, SET_COMPLEXITY = 4, 16
COMPLEXITY = 8
OGG_HEADER_BYTES = 80


class _Bits(ctypes.Structure):
    """SpeexBits of speex_bits.h."""

    _fields_ = (
        ("chars", ctypes.c_void_p),
        ("bits", ctypes.c_int),
        ("char_position", ctypes.c_int),
        ("bit_position", ctypes.c_int),
        ("owner", ctypes.c_int),
        ("overflow", ctypes.c_int),
        ("size", ctypes.c_int),
        ("reserved1", ctypes.c_int),
        ("reserved2", ctypes.c_void_p),
    )


class Speex(Codec):
    """Speex wideband at constant rate, complexity 8, perceptual enhancement on, no silence suppression."""

    info = CodecInfo(
        name="speex",
        description="Speex wideband CELP, constant rate",
        version="libspeex-1",
        sample_rate_hz=16_000,
        licence="BSD-3-Clause",
        frame_rate_hz=50.0,
        algorithmic_delay_ms=34.0,
        bandwidth_hz=8_000,
        citation="Valin 2006, Speex: A Free Codec for Free Speech, arXiv:1602.08668",
        url="https://www.speex.org",
    )
    points = tuple(
        OperatingPoint(f"{kbps:g}", kbps, {"quality": quality, "bits": bits})
        for quality, (kbps, bits) in enumerate(BITS.items())
    )

    def check(self) -> None:
        """Raise `Unavailable` unless libspeex is found."""
        _library()

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 16 kHz."""
        bits = int(point.settings["bits"])
        count = packets.frame_count(wave.size, FRAME, DELAY)
        frames = packets.to_frames(packets.to_pcm16(wave), FRAME, count)
        written: list[bytes] = []
        buffer = ctypes.create_string_buffer(-(-bits // 8))
        with _state("encoder") as (library, state, stream):
            for setting, value in (
                (SET_QUALITY, int(point.settings["quality"])),
                (SET_COMPLEXITY, COMPLEXITY),
            ):
                library.speex_encoder_ctl(state, setting, ctypes.byref(ctypes.c_int(value)))
            for samples in frames:
                library.speex_bits_reset(stream)
                library.speex_encode_int(state, ctypes.c_void_p(samples.ctypes.data), stream)
                library.speex_bits_write(stream, buffer, len(buffer))
                written.append(buffer.raw)
        payload = packets.pack_bits(written, bits)
        # What an Ogg file adds but its pages: the header, and the filler of each packet.
        return Coded(payload, wave.size, OGG_HEADER_BYTES + len(buffer) * count - len(payload))

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at 16 kHz."""
        count = packets.frame_count(coded.length, FRAME, DELAY)
        received = packets.unpack_bits(coded.payload, int(point.settings["bits"]), count)
        decoded = np.zeros((count, FRAME), np.int16)
        with _state("decoder") as (library, state, stream):
            for samples, packet in zip(decoded, received, strict=True):
                library.speex_bits_read_from(stream, packet, len(packet))
                if library.speex_decode_int(state, stream, ctypes.c_void_p(samples.ctypes.data)) != 0:
                    raise InvalidPayload("libspeex cannot decode a packet; it is damaged")
        return packets.trim([packets.from_pcm16(decoded.reshape(-1))], coded.length, DELAY)


def _library() -> ctypes.CDLL:
    library = system.load("speex", 1, "libspeex1")
    for function in ("speex_lib_get_mode", "speex_encoder_init", "speex_decoder_init"):
        getattr(library, function).restype = ctypes.c_void_p
    return library


@contextmanager
def _state(role: str) -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p, ctypes.c_void_p]]:
    """Make an encoder's or decoder's state and a bit stream, and free both afterwards."""
    library = _library()
    mode = ctypes.c_void_p(library.speex_lib_get_mode(WIDEBAND_MODE))
    state = ctypes.c_void_p(getattr(library, f"speex_{role}_init")(mode))
    bits = _Bits()
    stream = ctypes.cast(ctypes.pointer(bits), ctypes.c_void_p)
    library.speex_bits_init(stream)
    try:
        yield library, state, stream
    finally:
        library.speex_bits_destroy(stream)
        getattr(library, f"speex_{role}_destroy")(state)
