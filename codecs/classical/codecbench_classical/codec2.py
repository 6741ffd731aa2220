"""Codec2 (Rowe): sinusoidal speech coding for radio, 0.7 to 3.2 kbit/s, telephone band.

The library is the one that `pycodec2` bundles, called directly: its decoder draws random phases from one
state for the whole process, so that a second decoding of the same bytes differs from the first.  Each coding
here loads its own copy of the library, which starts that state afresh.
"""

from __future__ import annotations

import _ctypes
import ctypes
import ctypes.util
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench.errors import Unavailable
from codecbench_classical import packets

FILE_HEADER_BYTES = 7
"""What a ``.c2`` file begins with (c2file.h)."""


def _point(kbps: float, mode: int, frame: int, bits: int, delay: int) -> OperatingPoint:
    settings = {"mode": mode, "frame": frame, "bits": bits, "delay": delay}
    return OperatingPoint(f"{kbps:g}", kbps, settings, frame_rate_hz=8_000 / frame)


class Codec2(Codec):
    """All modes of libcodec2; ``0.7`` is mode 700C.

    A frame's 52 or 28 bits at 1.3 and 0.7 kbit/s are packed without the filler to whole bytes that the
    library adds, which counts as container.  The output comes 19 ms late (700C: 30 ms); decoding undoes that.
    """

    distributions = ("pycodec2",)
    info = CodecInfo(
        name="codec2",
        description="Codec2 sinusoidal vocoder, telephone band",
        version=packets.version("pycodec2"),
        sample_rate_hz=8_000,
        licence="LGPL-2.1-only",
        frame_rate_hz=50.0,
        algorithmic_delay_ms=40.0,
        bandwidth_hz=4_000,
        keeps_waveform=False,
        citation="Rowe 1997, Techniques for Harmonic Sinusoidal Coding; codec2 1.2",
        url="https://github.com/drowe67/codec2",
    )
    points = (
        _point(0.7, 8, 320, 28, 240),
        _point(1.2, 5, 320, 48, 152),
        _point(1.3, 4, 320, 52, 152),
        _point(1.4, 3, 320, 56, 152),
        _point(1.6, 2, 320, 64, 152),
        _point(2.4, 1, 160, 48, 152),
        _point(3.2, 0, 160, 64, 152),
    )

    def check(self) -> None:
        """Raise `Unavailable` unless libcodec2 is found, in pycodec2 or on the system."""
        _library_path()

    def delay_ms(self, point: OperatingPoint) -> float:
        """Return one frame plus what the synthesis is late, in ms."""
        return (int(point.settings["frame"]) + int(point.settings["delay"])) / 8

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 8 kHz."""
        frame, bits = int(point.settings["frame"]), int(point.settings["bits"])
        count = packets.frame_count(wave.size, frame, int(point.settings["delay"]))
        frames = packets.to_frames(packets.to_pcm16(wave), frame, count)
        stored = np.zeros((count, -(-bits // 8)), np.uint8)
        with _codec2(int(point.settings["mode"])) as (library, state):
            for samples, packet in zip(frames, stored, strict=True):
                library.codec2_encode(state, _pointer(packet), _pointer(samples))
        payload = packets.pack_bits((packet.tobytes() for packet in stored), bits)
        return Coded(payload, wave.size, container_bytes=FILE_HEADER_BYTES + stored.size - len(payload))

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at 8 kHz."""
        frame, delay = int(point.settings["frame"]), int(point.settings["delay"])
        count = packets.frame_count(coded.length, frame, delay)
        stored = packets.unpack_bits(coded.payload, int(point.settings["bits"]), count)
        decoded = np.zeros((count, frame), np.int16)
        with _codec2(int(point.settings["mode"])) as (library, state):
            for samples, packet in zip(decoded, stored, strict=True):
                library.codec2_decode(state, _pointer(samples), packet)
        return packets.trim([packets.from_pcm16(decoded.reshape(-1))], coded.length, delay)


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@contextmanager
def _codec2(mode: int) -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    """Load a private copy of the library, make a codec state of that mode, and free both afterwards."""
    path = _library_path()
    with tempfile.TemporaryDirectory(prefix="codecbench-") as folder:
        library = ctypes.CDLL(shutil.copy(path, folder))
    library.codec2_create.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.codec2_create(mode))
    try:
        yield library, state
    finally:
        library.codec2_destroy(state)
        _ctypes.dlclose(library._handle)


def _library_path() -> Path:
    spec = importlib.util.find_spec("pycodec2")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        # Where auditwheel and delocate put the libraries of a wheel.
        for folder in (package.with_name("pycodec2.libs"), package / ".dylibs"):
            for path in sorted(folder.glob("libcodec2*")):
                return path
    raise Unavailable("pycodec2 with its libcodec2 is not installed", packets.INSTALL)
