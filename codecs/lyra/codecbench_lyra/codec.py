"""Lyra v2 (SoundStream): 20 ms frames, up to 46 residual quantizers of 4 bits, through LiteRT.

The three networks are Google's own files; see the model card in ``codecs/lyra/README.md``.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench import weights
from codecbench.codec import Codec, CodecInfo, Coded, Codes, OperatingPoint, Wave
from codecbench.errors import InvalidPayload, Unavailable

RATE_HZ = 16_000
HOP = 320
MAX_QUANTIZERS = 46
CODEBOOK_SIZE = 16
UNUSED = -1
FEATURES = 64

UPSTREAM = (
    "https://raw.githubusercontent.com/google/lyra/9cc2231473202761b91e1159d6b8d423b337b685/lyra/model_coeffs"
)

SOURCE = weights.WeightsSource(
    name="lyra",
    licence="Apache-2.0",
    homepage="https://github.com/google/lyra",
    files={
        name: weights.WeightsFile(f"{UPSTREAM}/{name}", sha256, size)
        for name, sha256, size in (
            (
                "soundstream_encoder.tflite",
                "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1",
                1_779_200,
            ),
            (
                "quantizer.tflite",
                "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c",
                329_012,
            ),
            (
                "lyragan.tflite",
                "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06",
                1_475_160,
            ),
        )
    },
)


def _points() -> tuple[OperatingPoint, ...]:
    """Return one point per number of quantizers; upstream's three packet sizes are the default ladder."""
    upstream = (16, 30, 46)
    order = (*upstream, *(n for n in range(1, MAX_QUANTIZERS + 1) if n not in upstream))
    return tuple(OperatingPoint(f"{n / 5:g}", n / 5, {"quantizers": n}, default=n in upstream) for n in order)


def _version() -> str:
    try:
        return f"ai-edge-litert-{importlib.metadata.version('ai-edge-litert')}"
    except importlib.metadata.PackageNotFoundError:
        return "ai-edge-litert"


class Lyra(Codec):
    """Lyra v2 at 0.2 kbit/s a quantizer.

    Codes are [quantizers, frames]; the payload is their 4-bit indices, frame after frame, two a byte.
    """

    distributions = ("ai-edge-litert",)
    info = CodecInfo(
        name="lyra",
        description="Lyra v2: SoundStream for speech, causal",
        version=_version(),
        sample_rate_hz=RATE_HZ,
        licence="Apache-2.0",
        weights_licence="Apache-2.0",
        kind="neural",
        frame_rate_hz=RATE_HZ / HOP,
        algorithmic_delay_ms=20.0,
        # Weights and biases of the three networks: their constants of types float32 and int8.
        parameters=1_388_131,
        bandwidth_hz=8_000,
        citation="Zeghidour et al. 2021, SoundStream, arXiv:2107.03312; Lyra v2 1.3",
        url="https://github.com/google/lyra",
    )
    points = _points()
    weights = SOURCE

    def __init__(self) -> None:
        self._networks: dict[str, bytes] = {}

    def check(self) -> None:
        """Raise `Unavailable` unless LiteRT is installed and the three files are found."""
        if importlib.util.find_spec("ai_edge_litert") is None:
            raise Unavailable("ai-edge-litert is not installed", "run: pip install ai-edge-litert")
        weights.find(SOURCE.name, SOURCE.files)

    def open(self, device: str = "cpu") -> None:
        """Read and verify the three networks; they run on the CPU whatever the device."""
        self.check()
        folder = weights.verify_files(SOURCE, weights.find(SOURCE.name, SOURCE.files))
        self._networks = {Path(name).stem: (folder / name).read_bytes() for name in SOURCE.files}

    def signature(self) -> str:
        """Return name, rate, library and the first digits of the files' hashes."""
        hashes = "-".join(file.sha256[:8] for file in SOURCE.files.values())
        return f"{super().signature()}|weights:{hashes}"

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code float32 [T] at 16 kHz."""
        quantizers = int(point.settings["quantizers"])
        frames = _frames(np.clip(wave, -1.0, 1.0).astype(np.float32))
        codes = np.zeros((quantizers, len(frames)), np.int64)
        encoder = self._network("soundstream_encoder")
        quantizer = self._network("quantizer", "encode")
        wanted = np.int32(quantizers)
        for step, frame in enumerate(frames):
            features = encoder(input_audio=frame[None])["output_0"]
            indices = quantizer(input_frames=features, num_quantizers=wanted)["output_0"]
            codes[:, step] = indices[:quantizers, 0, 0]
        return Coded(pack(codes), wave.size, codes=codes)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at 16 kHz."""
        quantizers = int(point.settings["quantizers"])
        codes = unpack(coded.payload, quantizers, -(-coded.length // HOP))
        quantizer = self._network("quantizer", "decode")
        decoder = self._network("lyragan")
        padded = np.full((codes.shape[1], MAX_QUANTIZERS, 1, 1), UNUSED, np.int32)
        padded[:, :quantizers, 0, 0] = codes.T
        wave = np.zeros((codes.shape[1], HOP), np.float32)
        for step, indices in enumerate(padded):
            features = quantizer(encoding_indices=indices)["output_0"]
            wave[step] = decoder(input_audio=features)["output_0"][0]
        return wave.reshape(-1)[: coded.length]

    def _network(self, name: str, signature: str | None = None) -> Any:
        """Return a network, one thread, with the state of its causal convolutions as shipped.

        It is built anew for each utterance, in 14 ms: `reset_all_variables` does not bring back the state it
        began with, so that results would depend on the utterances before.
        """
        from ai_edge_litert.interpreter import Interpreter

        if not self._networks:
            self.open()
        with _without_chatter():
            interpreter = Interpreter(model_content=self._networks[name], num_threads=1)
            interpreter.allocate_tensors()
        return interpreter.get_signature_runner(signature)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep off the error stream what LiteRT's C++ writes there of each network, whatever its log level."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without an error stream
        yield
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def pack(codes: Codes) -> bytes:
    """Return 4-bit indices [quantizers, T] as bytes, frame after frame, the earlier in the high half."""
    flat = codes.T.reshape(-1).astype(np.uint8)
    pairs = np.pad(flat, (0, flat.size % 2)).reshape(-1, 2)
    return (pairs[:, 0] << 4 | pairs[:, 1]).astype(np.uint8).tobytes()


def unpack(payload: bytes, quantizers: int, steps: int) -> Codes:
    """Undo `pack`.

    Raises
    ------
    InvalidPayload
        If the payload has another size.
    """
    count = quantizers * steps
    if len(payload) != (count + 1) // 2:
        raise InvalidPayload(
            f"payload has {len(payload)} bytes where {steps} frames of {quantizers} indices take "
            f"{(count + 1) // 2}; it is damaged or was made at another operating point"
        )
    pairs = np.frombuffer(payload, np.uint8).astype(np.int64)
    flat = np.stack([pairs >> 4, pairs & 0x0F], axis=1).reshape(-1)[:count]
    return np.ascontiguousarray(flat.reshape(steps, quantizers).T)


def _frames(wave: Wave) -> NDArray[np.float32]:
    """Return the wave as [frames, HOP], filled up with zeros."""
    count = -(-wave.size // HOP)
    return np.pad(wave, (0, count * HOP - wave.size)).reshape(count, HOP)
