"""The codecs `spc` and `rvq`: the trained model behind the suite's contract.

``spc`` and ``rvq`` use the shipped checkpoints, ``spc:FILE`` another one.  Each bitrate comes from the same
checkpoint, which also says how samples are made (`synthesis`).  Points with ``-ec`` in their name carry the
same tokens in fewer bytes (see `bitstream`) and run when asked for.  A table of the context model belongs to
one checkpoint and lies beside it as ``NAME-context.safetensors``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from codecbench import __version__
from codecbench.codec import Codec, CodecInfo, Coded, Codes, OperatingPoint, Wave
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench.files import sha256_remembered
from codecbench_spc.bits import context, context_tables
from codecbench_spc.bits.bitstream import (
    COLUMN_SAMPLES,
    HEADER_BYTES,
    Header,
    Mode,
    decode_payload,
    encode_payload,
    pack,
    unpack,
)
from codecbench_spc.bits.layout import Layout, layouts_of
from codecbench_spc.bits.rangecoder import VERSION
from codecbench_spc.model import header
from codecbench_spc.model.synthesis import SynthesisConfig

if TYPE_CHECKING:
    from codecbench_spc.model.vocoder import Vocoder
    from codecbench_spc.model.vqvae import VQVAE
    from codecbench_spc.stream import StreamDecoder, StreamEncoder, Synthesiser

SAMPLE_RATE_HZ = 16_000
COLUMN_RATE_HZ = SAMPLE_RATE_HZ / COLUMN_SAMPLES
PATCH_DELAY_MS = 44.0
"""From a patch's first sample to the last one that its windows need; the synthesis' lookahead adds to it."""

FRAME_MS = 8.0
CHUNK_COLUMNS = 256
"""Columns worked on at once (8 s), so that memory does not grow with the length of a recording."""

_SUFFIXES = {Mode.FIXED: "", Mode.STREAM: "-ec", Mode.PACKETS: "-ec-packets"}


@dataclass(frozen=True)
class _Models:
    vqvae: VQVAE
    vocoder: Vocoder | None
    model_id: str


class SpectrogramCodec(Codec):
    """A codec whose tokens are a picture of the mel spectrogram, from which samples are made.

    Parameters
    ----------
    argument : str
        A checkpoint file, or a word: ``hifigan`` is the shipped ``spc-hifigan.safetensors``.  Empty: the
        shipped ``spc.safetensors``.
    """

    distributions = ("torch", "numba", "constriction")
    batches = True
    kind: ClassVar[str]
    description: ClassVar[str]
    citation: ClassVar[str]

    def __init__(self, argument: str = "") -> None:
        self.path = _checkpoint(self.kind, argument)
        self.context_path = self.path.with_name(f"{self.path.stem}-context.safetensors")
        self._models: _Models | None = None
        self._context: context.ContextModel | None = None
        self._fault: InvalidInput | None = None
        self._layouts: dict[int, Layout] = {}
        self._synthesis = SynthesisConfig()
        self._vocoder_path: Path | None = None
        try:
            self._describe()
        except InvalidInput as fault:
            # `check` tells; a list of codecs must not fail for one damaged file.
            self._fault = fault
            self.info, self.points = self._information(None, None), ()

    def check(self) -> None:
        """See `Codec.check`."""
        if self._fault is not None:
            raise Unavailable(str(self._fault), f"give another checkpoint: {self.kind}:FILE")
        if self._vocoder_path is not None and not self._vocoder_path.is_file():
            raise Unavailable(f"{self._vocoder_path} is missing", f"put the vocoder beside {self.path.name}")

    def signature(self) -> str:
        """See `Codec.signature`; bitstream, synthesis, hashes of checkpoint, vocoder and context tables."""
        files = {"weights": self.path, "vocoder": self._vocoder_path, "context": self.context_path}
        there = {name: file for name, file in files.items() if file and file.is_file()}
        hashes = [f"{name}:{sha256_remembered(file)[:16]}" for name, file in there.items()]
        synthesis = ",".join(f"{name}={value}" for name, value in asdict(self._synthesis).items())
        parts = [super().signature(), f"bitstream:{VERSION}", f"synthesis:{synthesis}", *hashes]
        return "|".join(parts)

    def open(self, device: str = "cpu") -> None:
        """See `Codec.open`: the VQ-VAE in float64, a vocoder in float32."""
        self.check()
        from codecbench_spc.model.checkpoint import build_vocoder, build_vqvae, load
        from codecbench_spc.model.layers import laid_out_for_streams

        checkpoint = load(self.path)
        # Apple's devices have no float64.
        exact_device = "cpu" if device.startswith("mps") else device
        vocoder = None
        if self._synthesis.way == "vocoder":
            vocoder = laid_out_for_streams(build_vocoder(checkpoint).to(device))
        else:
            from codecbench_spc.model.consistency import prepare

            prepare()
        self._models = _Models(
            vqvae=laid_out_for_streams(build_vqvae(checkpoint).double().to(exact_device)),
            vocoder=vocoder,
            model_id=header.token_id(checkpoint.groups["vqvae"]),
        )
        # Compile the layers now, or read them from the cache: the first chunk of a stream must not be late.
        self.stream_encoder(self.points[0])

    def delay_ms(self, point: OperatingPoint) -> float | None:
        """See `Codec.delay_ms`; None for one range coder over a whole file, which no stream can carry."""
        return None if point.settings["mode"] == Mode.STREAM else self.info.algorithmic_delay_ms

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """See `Codec.encode`."""
        self._check(wave)
        encoder = self.stream_encoder(point)
        step = CHUNK_COLUMNS * COLUMN_SAMPLES
        parts = [encoder.push(wave[start : start + step]) for start in range(0, len(wave), step)]
        codes = np.concatenate([*parts, encoder.flush()], axis=1)
        return self._coded(wave, codes, point)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """See `Codec.decode`."""
        codes: Codes = decode_payload(coded.payload, coded.length, *self._format(point))
        decoder = self.stream_decoder(point)
        parts = [
            decoder.push(codes[:, start : start + CHUNK_COLUMNS])
            for start in range(0, codes.shape[1], CHUNK_COLUMNS)
        ]
        return np.concatenate([*parts, decoder.flush()])[: coded.length]

    def encode_batch(self, waves: Sequence[Wave], point: OperatingPoint) -> list[Coded]:
        """See `Codec.encode_batch`; tokens are those of `encode`."""
        from codecbench_spc.stream import encode_together

        for wave in waves:
            self._check(wave)
        bits = int(point.settings["bits"])
        codes = encode_together(self._opened().vqvae, waves, bits, CHUNK_COLUMNS)
        return [self._coded(wave, each, point) for wave, each in zip(waves, codes, strict=True)]

    def decode_batch(self, coded: Sequence[Coded], point: OperatingPoint) -> list[Wave]:
        """See `Codec.decode_batch`."""
        from codecbench_spc.stream import decode_together

        codes = [decode_payload(each.payload, each.length, *self._format(point)) for each in coded]
        synthesisers = [self._synthesiser() for _ in coded]
        bits = int(point.settings["bits"])
        waves = decode_together(self._opened().vqvae, codes, bits, synthesisers, CHUNK_COLUMNS)
        return [wave[: each.length] for wave, each in zip(waves, coded, strict=True)]

    def stream_encoder(self, point: OperatingPoint) -> StreamEncoder:
        """Return a new stream from samples to tokens at a point's bits; see `stream`."""
        from codecbench_spc.stream import StreamEncoder

        return StreamEncoder(self._opened().vqvae, int(point.settings["bits"]))

    def stream_decoder(self, point: OperatingPoint) -> StreamDecoder:
        """Return a new stream from tokens of a point's bits to samples; see `stream`."""
        from codecbench_spc.stream import StreamDecoder

        return StreamDecoder(self._opened().vqvae, int(point.settings["bits"]), self._synthesiser())

    def pack(self, coded: Coded, point: OperatingPoint) -> bytes:
        """Return a file of its own: the header that `bitstream` describes, and the payload."""
        bits, mode = int(point.settings["bits"]), Mode(int(point.settings["mode"]))
        header = Header(self.kind, bits, mode, self._short_id(), coded.length)
        return pack(header, coded.payload)

    def unpack(self, data: bytes) -> tuple[Coded, OperatingPoint]:
        """Return coded speech and operating point of a file made by `pack`.

        Raises
        ------
        InvalidPayload
            If the file is damaged, truncated, or of another codec or model.
        """
        header, payload = unpack(data)
        if header.kind != self.kind:
            raise InvalidPayload(f"coded by {header.kind}, not by {self.kind}; decode it with {header.kind}")
        if header.model_id != self._short_id():
            raise InvalidPayload(
                f"coded by model {header.model_id.hex()}, but {self.path.name} is {self._short_id().hex()}; "
                f"decode it with the checkpoint that coded it: {self.kind}:FILE"
            )
        for point in self.points:
            if (point.settings["bits"], point.settings["mode"]) == (header.bits, int(header.mode)):
                return Coded(self._renewed(header, payload, point), header.length, HEADER_BYTES), point
        raise InvalidPayload(
            f"coded at {header.bits} bits a patch, mode {header.mode.name}, which is not offered here"
        )

    def _renewed(self, header: Header, payload: bytes, point: OperatingPoint) -> bytes:
        """Return a payload as the newest version of the bitstream has it: the same tokens."""
        if header.version == VERSION or header.mode is Mode.FIXED:
            return payload
        layout, mode, model = self._format(point)
        codes = decode_payload(payload, header.length, layout, mode, model, header.version)
        return encode_payload(codes, layout, mode, model)[0]

    def _synthesiser(self) -> Synthesiser:
        """Return a new stream from mels to samples."""
        from codecbench_spc.model.consistency import ConsistencyStream
        from codecbench_spc.stream import VocoderStream

        vocoder = self._opened().vocoder
        return ConsistencyStream(self._synthesis) if vocoder is None else VocoderStream(vocoder)

    def _check(self, wave: Wave) -> None:
        if not np.isfinite(wave).all():
            raise InvalidInput(
                f"{self.kind}: the wave holds samples that are not finite; repair the recording"
            )

    def _coded(self, wave: Wave, codes: Codes, point: OperatingPoint) -> Coded:
        payload, packet_bytes = encode_payload(codes, *self._format(point))
        return Coded(payload, len(wave), HEADER_BYTES, packet_bytes, codes)

    def _opened(self) -> _Models:
        if self._models is None:
            self.open()
        assert self._models is not None
        return self._models

    def _short_id(self) -> bytes:
        return bytes.fromhex(self._opened().model_id)[:8]

    def _format(self, point: OperatingPoint) -> tuple[Layout, Mode, context.ContextModel | None]:
        mode = Mode(int(point.settings["mode"]))
        layout = self._layouts[int(point.settings["bits"])]
        if mode is not Mode.FIXED and self._context is None:
            self._context = context.load(self.context_path, self._opened().model_id)
        return layout, mode, self._context

    def _describe(self) -> None:
        description = header.describe(self.path)
        self._synthesis = header.synthesis(description, self.path)
        parameters = description.parameters.get("vqvae", 0)
        lookahead = self._synthesis.lookahead
        if self._synthesis.way == "vocoder":
            self._vocoder_path = description.vocoder
            vocoder = description
            if description.vocoder is not None and description.vocoder.is_file():
                vocoder = header.describe(description.vocoder)
            parameters += vocoder.parameters.get("vocoder", 0)
            lookahead = vocoder.config.get("vocoder", {}).get("lookahead")
        delay_ms = None if lookahead is None else PATCH_DELAY_MS + FRAME_MS * lookahead
        self._layouts = layouts_of(description.config.get("vqvae", {}), self.path)
        if (description.config["vqvae"].get("quantizer") == "residual") != (self.kind == "rvq"):
            raise InvalidInput(f"{self.path} is not a checkpoint of {self.kind}, it has the other quantizer")
        self.info = self._information(parameters, delay_ms)
        self.points = self._operating_points()

    def _information(self, parameters: int | None, delay_ms: float | None) -> CodecInfo:
        return CodecInfo(
            name=self.kind,
            description=self.description,
            version=__version__,
            sample_rate_hz=SAMPLE_RATE_HZ,
            licence="Apache-2.0",
            weights_licence="Apache-2.0, trained on CC-BY 4.0, Apache-2.0 and CC0 speech",
            kind="neural",
            frame_rate_hz=COLUMN_RATE_HZ,
            algorithmic_delay_ms=delay_ms,
            causal=True,
            parameters=parameters,
            bandwidth_hz=SAMPLE_RATE_HZ // 2,
            keeps_waveform=False,
            citation=self.citation,
            url="https://arxiv.org/abs/2509.02244",
        )

    def _operating_points(self) -> tuple[OperatingPoint, ...]:
        points = [
            _point(bits, layout, Mode.FIXED, layout.code_bits) for bits, layout in self._layouts.items()
        ]
        rates = (
            context_tables.rates(self.context_path)
            if self.kind == "spc" and self.context_path.is_file()
            else {}
        )
        for mode in (Mode.STREAM, Mode.PACKETS):
            for bits, layout in self._layouts.items():
                if f"{bits}{_SUFFIXES[mode]}" in rates:
                    points.append(_point(bits, layout, mode, rates[f"{bits}{_SUFFIXES[mode]}"]))
        return tuple(points)


class Spc(SpectrogramCodec):
    """The Spectrogram Patch Codec: one token for each 4x4 patch of the log-mel picture."""

    kind = "spc"
    description = (
        "Spectrogram Patch Codec: a token a mel patch, a codebook a rate, samples by mel consistency"
    )
    citation = "Chary and Arjona Ramirez 2025, arXiv:2509.02244"


class Rvq(SpectrogramCodec):
    """The control: residual codebooks for mel columns in place of patches, all else alike."""

    kind = "rvq"
    description = (
        "The control of spc: residual vector quantization of mel columns, same widths, data and synthesis"
    )
    citation = "after Kumar et al. 2023, arXiv:2306.06546"


def _checkpoint(kind: str, argument: str) -> Path:
    """Return the file that an argument names: a shipped one for a plain word that is no file here."""
    path = Path(argument)
    if argument and (path.is_file() or path.suffix or len(path.parts) > 1):
        return path
    return header.folder() / f"{kind}{'-' if argument else ''}{argument}.safetensors"


def _point(bits: int, layout: Layout, mode: Mode, bits_per_token: float) -> OperatingPoint:
    fixed_kbps = layout.rows * layout.code_bits * COLUMN_RATE_HZ / 1000
    nominal_kbps = round(layout.rows * bits_per_token * COLUMN_RATE_HZ / 1000, 2)
    return OperatingPoint(
        f"{fixed_kbps:g}{_SUFFIXES[mode]}",
        nominal_kbps,
        {"bits": bits, "mode": int(mode)},
        default=mode is Mode.FIXED,
    )
