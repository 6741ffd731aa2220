"""G.711 mu-law: every sample in one byte, a sign, three bits of exponent, four of mantissa."""

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave, ladder
from codecbench.errors import InvalidPayload

BIAS, LOUDEST = 132, 32_635


class MuLaw(Codec):
    """G.711 mu-law at 8 kHz, 64 kbit/s."""

    info = CodecInfo(
        name="mulaw",
        description="G.711 mu-law, 8 bits a sample",
        version="1.0",
        sample_rate_hz=8_000,
        licence="Apache-2.0",
        frame_rate_hz=8_000.0,
        algorithmic_delay_ms=0.125,
        citation="ITU-T G.711 (1988)",
        url="https://www.itu.int/rec/T-REC-G.711",
    )
    points = ladder(64)

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 8 kHz, a byte a sample."""
        samples = np.rint(wave * 32768.0).astype(np.int64)
        magnitude = np.minimum(np.abs(samples), LOUDEST) + BIAS
        exponent = np.log2(magnitude).astype(np.int64) - 7
        mantissa = (magnitude >> (exponent + 3)) & 15
        code = np.where(samples < 0, 128, 0) | exponent << 4 | mantissa
        return Coded((~code & 255).astype(np.uint8).tobytes(), wave.size)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length]."""
        if len(coded.payload) != coded.length:
            raise InvalidPayload(f"{len(coded.payload)} bytes for {coded.length} samples; they are damaged")
        code = ~np.frombuffer(coded.payload, np.uint8).astype(np.int64) & 255
        magnitude = ((code & 15) * 8 + BIAS << (code >> 4 & 7)) - BIAS
        return (np.where(code & 128, -magnitude, magnitude) / 32768.0).astype(np.float32)
