"""The two codecs that code nothing.

`Pcm` is the identity at the top of every scale; `Folder` stands for a codec that ran elsewhere.
"""

from __future__ import annotations

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave, ladder
from codecbench.errors import InvalidPayload

RATE_HZ = 16_000
FULL_SCALE = 32768.0


class Pcm(Codec):
    """16-bit samples as they are: what every metric must call perfect."""

    info = CodecInfo(
        name="pcm",
        description="16-bit linear PCM, the identity",
        version="1",
        sample_rate_hz=RATE_HZ,
        licence="Apache-2.0",
        kind="anchor",
        algorithmic_delay_ms=0.0,
        bandwidth_hz=RATE_HZ // 2,
    )
    points = ladder(256)

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Round float32 [T] to 16 bits; what is beyond full scale is clipped."""
        samples = np.clip(np.rint(wave * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
        return Coded(samples.tobytes(), wave.size)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Return the samples as float32 [coded.length]."""
        if len(coded.payload) != 2 * coded.length:
            raise InvalidPayload(
                f"payload has {len(coded.payload)} bytes, {coded.length} samples take 2 each"
            )
        return np.frombuffer(coded.payload, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
