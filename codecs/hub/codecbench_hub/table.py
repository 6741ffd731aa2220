"""The table of hub models: where their weights lie, at which rates they run, what a reader must know of them.

Revisions are commit hashes of the model repositories as public projects have pinned and recorded them; sha256
is that of the weights file at that commit.  Where no public record of either could be found the field is
None: the fetched commit is then resolved once, recorded beside the files, and stands in the signature.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codecbench.codec import OperatingPoint


@dataclass(frozen=True)
class HubModel:
    """One model: repository, structure, rates and description.

    Parameters
    ----------
    name : str
        The codec's registered name; also the folder of its weights.
    driver : str
        Which class of `codecbench_hub.drivers` knows the model's API.
    repository, revision, sha256 : str
        Hub repository, pinned commit and hash of ``model.safetensors``; None where not known.
    ref : str
        The branch that is resolved to a commit when ``revision`` is None.
    sample_rate_hz : int
        Rate of waves in and out.
    hop : int
        Samples of one coded frame at ``sample_rate_hz``.
    streams, bits : int
        Most codebooks, and bits of one code.
    points : tuple of OperatingPoint
        Each with the setting ``streams``.
    size_bytes : int or None
        Size of the weights file.
    """

    name: str
    driver: str
    repository: str
    revision: str | None
    sha256: str | None
    sample_rate_hz: int
    hop: int
    streams: int
    bits: int
    points: tuple[OperatingPoint, ...]
    description: str
    weights_licence: str
    citation: str
    licence: str = "Apache-2.0"
    ref: str = "main"
    size_bytes: int | None = None
    parameters: int | None = None
    causal: bool = False
    algorithmic_delay_ms: float | None = None
    package: str = "transformers"
    requirement: str = "'transformers>=5'"
    original: str = ""

    @property
    def frame_rate_hz(self) -> float:
        """Coded frames a second."""
        return self.sample_rate_hz / self.hop

    @property
    def url(self) -> str:
        """The model's page."""
        return f"https://huggingface.co/{self.repository}"


def rvq_points(
    kbps_a_stream: float, streams: Iterable[int], default: Iterable[int]
) -> tuple[OperatingPoint, ...]:
    """Return one point per number of codebooks, named after its rate in kbit/s."""
    chosen = frozenset(default)
    return tuple(
        OperatingPoint(
            f"{count * kbps_a_stream:g}", count * kbps_a_stream, {"streams": count}, count in chosen
        )
        for count in streams
    )


_ENCODEC = HubModel(
    name="encodec",
    driver="EncodecDriver",
    repository="facebook/encodec_24khz",
    revision="c1dbe2ae3f1de713481a3b3e7c47f357092ee040",
    sha256="37a7cb100f71a29e6c1d815aca8666a1d7ea8885ebe44c306c751a5103559d57",
    sample_rate_hz=24_000,
    hop=320,
    streams=32,
    bits=10,
    points=rvq_points(0.75, (1, 2, 4, 8, 16, 32), default=(2, 4, 8, 16, 32)),
    description="EnCodec 24 kHz: convolutions and LSTM, residual VQ",
    weights_licence="not stated (the original release said CC-BY-NC 4.0)",
    citation="Défossez et al. 2022, High Fidelity Neural Audio Compression, arXiv:2210.13438",
    size_bytes=93_100_000,
    parameters=14_851_810,
    causal=True,
    algorithmic_delay_ms=1000 * 320 / 24_000,
    original="encodec",
)

_DAC_CITATION = "Kumar et al. 2023, High-Fidelity Audio Compression with Improved RVQGAN, arXiv:2306.06546"

_DAC = HubModel(
    name="dac",
    driver="DacDriver",
    repository="descript/dac_16khz",
    revision="7c2fc5e759f1f501aefc6e7a0265cc57f5d17ba7",
    sha256=None,
    sample_rate_hz=16_000,
    hop=320,
    streams=12,
    bits=10,
    parameters=74_141_697,
    points=rvq_points(0.5, range(1, 13), default=(3, 6, 12)),
    description="Descript Audio Codec 16 kHz: convolutions with snake activations, factorised residual VQ",
    weights_licence="MIT",
    citation=_DAC_CITATION,
    size_bytes=297_000_000,
    original="dac",
)

_DAC_24K = HubModel(
    name="dac-24k",
    driver="DacDriver",
    repository="descript/dac_24khz",
    revision="6ba020b5ba7d9d8076fb90db7e67f27e31980f6e",
    sha256="7452e3fc6972991da871ae1a1c9d3e8e219aa247cc0f757018867d6a7fe59aaf",
    sample_rate_hz=24_000,
    hop=320,
    streams=32,
    bits=10,
    parameters=74_653_857,
    points=rvq_points(0.75, range(1, 33), default=(2, 4, 8, 10, 16, 32)),
    description="Descript Audio Codec 24 kHz: as dac, at 24 kHz with 32 codebooks",
    weights_licence="MIT",
    citation=_DAC_CITATION,
    size_bytes=298_652_268,
    original="dac",
)

_MIMI = HubModel(
    name="mimi",
    driver="MimiDriver",
    repository="kyutai/mimi",
    revision="89091b3e466eb6a9d11e537bf26b144f194978f7",
    sha256="bac7e85083dcded655d24eaadde7e6eea34c0da1b35fa2d284e641bd2b942a5e",
    sample_rate_hz=24_000,
    hop=1_920,
    streams=32,
    bits=11,
    parameters=79_308_609,
    points=rvq_points(0.1375, range(1, 33), default=(8, 16, 32)),
    description="Mimi: causal convolutions and transformers, one semantic and up to 31 acoustic codebooks",
    weights_licence="CC-BY-4.0",
    citation="Défossez et al. 2024, Moshi: a speech-text foundation model, arXiv:2410.00037",
    size_bytes=384_649_828,
    causal=True,
    algorithmic_delay_ms=80.0,
)

_XCODEC = HubModel(
    name="xcodec",
    driver="XcodecDriver",
    repository="hf-audio/xcodec-hubert-librispeech",
    revision=None,
    sha256=None,
    sample_rate_hz=16_000,
    hop=320,
    streams=8,
    bits=10,
    parameters=160_698_625,
    points=rvq_points(0.5, (1, 2, 3, 4, 8), default=(1, 2, 3, 4, 8)),
    description="X-Codec trained on LibriSpeech: DAC-like codec with HuBERT features before the residual VQ",
    weights_licence="not stated",
    citation="Ye et al. 2024, Codec Does Matter, arXiv:2408.17175",
    size_bytes=710_000_000,
)

_FSQ_POINT = (OperatingPoint("0.8", 0.8, {"streams": 1}),)

_XCODEC2 = HubModel(
    name="xcodec2",
    driver="Xcodec2Driver",
    repository="HKUSTAudio/xcodec2-hf",
    revision="64bd034d12d441299cdd535b15c33efd6ccdf252",
    sha256="611a63e4dff70c19bd4718d701bb7bc522acf6293a109ab62f5db2f7ff395114",
    sample_rate_hz=16_000,
    hop=320,
    streams=1,
    bits=16,
    parameters=629_281_706,
    points=_FSQ_POINT,
    description="X-Codec2: finite scalar quantization, one of 65536 codes, of acoustic and w2v-BERT features",
    weights_licence="CC-BY-NC-4.0",
    citation="Ye et al. 2025, Llasa, arXiv:2502.04128",
    size_bytes=2_517_231_448,
)

_NEUCODEC = HubModel(
    name="neucodec",
    driver="NeuCodecDriver",
    repository="neuphonic/neucodec",
    revision="30c1fdd19e68aee65d542cf043750d4c0165893e",
    sha256="c4ccda95a16eb6f3ab02aa574946b01870f16a4af0da6bdb5afaa962e4d9f0d9",
    sample_rate_hz=16_000,
    hop=320,
    streams=1,
    bits=16,
    parameters=629_937_706,
    points=_FSQ_POINT,
    description="NeuCodec: X-Codec2's structure with a 24 kHz decoder; its output is brought to 16 kHz",
    weights_licence="Apache-2.0",
    citation="Julian et al. 2025, Finite Scalar Quantization Enables Redundant and Transmission-Robust "
    "Neural Audio Compression at Low Bit-rates, arXiv:2509.09550",
    size_bytes=2_519_855_456,
)

_SNAC = HubModel(
    name="snac",
    driver="SnacDriver",
    repository="hubertsiuzdak/snac_24khz",
    revision=None,
    ref="refs/pr/1",
    sha256=None,
    sample_rate_hz=24_000,
    hop=2_048,
    streams=7,
    bits=12,
    parameters=19_842_914,
    points=(OperatingPoint("0.984", 0.984375, {"streams": 7}),),
    description="SNAC 24 kHz: residual VQ at three time scales (11.7, 23.4 and 46.9 codes a second)",
    weights_licence="MIT",
    citation="Siuzdak et al. 2024, SNAC: Multi-Scale Neural Audio Codec, arXiv:2410.14411",
    licence="MIT",
    size_bytes=79_500_000,
    package="snac",
    requirement="snac",
)

MODELS = {
    model.name: model for model in (_ENCODEC, _DAC, _DAC_24K, _MIMI, _XCODEC, _XCODEC2, _NEUCODEC, _SNAC)
}
