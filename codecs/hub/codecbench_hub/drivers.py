"""Adapters of the model classes, how each is loaded and called: one utterance in, its codes out, and back.

A driver hides what differs between the classes: padding, the name and unit of the rate, the order of axes,
extra inputs.  Utterances are coded one at a time, so that a result never depends on what else is in a batch.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from codecbench.errors import Unavailable
from codecbench_hub.loading import load_transformers
from codecbench_hub.table import HubModel

if TYPE_CHECKING:
    from torch import Tensor

Structure = tuple[int, int, int, int]
"""Sample rate in Hz, hop in samples, codebooks, bits of a code."""


class Driver(ABC):
    """A loaded model.

    Parameters
    ----------
    model : HubModel
        The row of the table.
    folder : Path
        Where the weights lie.
    device : str
        ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    def __init__(self, model: HubModel, folder: Path, device: str) -> None:
        self.model = model
        self.network: Any = self._load(folder).to(device).eval().requires_grad_(False)
        structure, expected = self._structure(), (model.sample_rate_hz, model.hop, model.streams, model.bits)
        if structure != expected:
            raise Unavailable(
                f"{folder}: the model is {_words(structure)}, but {model.name} is {_words(expected)}",
                f"give a folder with {model.repository} or a model of that structure",
            )

    def steps(self, length: int) -> int:
        """Return the number of frames that ``length`` samples are coded in."""
        return math.ceil(length / self.model.hop)

    def encode(self, wave: Tensor, streams: int) -> Tensor:
        """Return the codes [streams, steps] of a wave [T]."""
        codes: Tensor = self._encode(wave, streams)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Return the wave of codes [streams, steps]; its length may differ by less than a few frames."""
        wave: Tensor = self._decode(codes)
        return wave

    @abstractmethod
    def _load(self, folder: Path) -> Any:
        """Return the network with the folder's weights, float32, on the CPU."""

    @abstractmethod
    def _structure(self) -> Structure:
        """Return what the loaded configuration says of the model."""

    @abstractmethod
    def _encode(self, wave: Tensor, streams: int) -> Any: ...

    @abstractmethod
    def _decode(self, codes: Tensor) -> Any: ...


class TransformersDriver(Driver):
    """A class of `transformers`, loaded from safetensors in a local folder."""

    architecture: ClassVar[str]

    def _load(self, folder: Path) -> Any:
        import transformers

        return load_transformers(getattr(transformers, self.architecture), folder)

    def pad(self, wave: Tensor) -> Tensor:
        """Fill a wave [T] up with zeros to whole frames and return it as [1, 1, T]."""
        import torch

        missing = self.steps(len(wave)) * self.model.hop - len(wave)
        return torch.nn.functional.pad(wave, (0, missing))[None, None]


class EncodecDriver(TransformersDriver):
    """EnCodec.  Rates are asked for as bandwidths; fewer codebooks are the first of those."""

    architecture = "EncodecModel"

    def _structure(self) -> Structure:
        config = self.network.config
        return config.sampling_rate, config.hop_length, config.num_quantizers, config.codebook_nbits

    def _encode(self, wave: Tensor, streams: int) -> Any:
        config = self.network.config
        wanted = streams * config.frame_rate * config.codebook_nbits / 1000
        bandwidth = min(offered for offered in config.target_bandwidths if offered >= wanted)
        codes = self.network.encode(wave[None, None], bandwidth=bandwidth).audio_codes
        return codes[0, 0, :streams]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode(codes[None, None], [None]).audio_values[0, 0]


class DacDriver(TransformersDriver):
    """DAC.  Without padding to whole frames it would drop the end of the utterance."""

    architecture = "DacModel"

    def _structure(self) -> Structure:
        config = self.network.config
        hop = math.prod(config.downsampling_ratios)
        return config.sampling_rate, hop, config.n_codebooks, _bits(config.codebook_size)

    def _encode(self, wave: Tensor, streams: int) -> Any:
        return self.network.encode(self.pad(wave), n_quantizers=streams).audio_codes[0]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode(audio_codes=codes[None]).audio_values[0]


class MimiDriver(TransformersDriver):
    """Mimi."""

    architecture = "MimiModel"

    def _structure(self) -> Structure:
        config = self.network.config
        return config.sampling_rate, config.frame_size, config.num_quantizers, _bits(config.codebook_size)

    def _encode(self, wave: Tensor, streams: int) -> Any:
        return self.network.encode(self.pad(wave), num_quantizers=streams).audio_codes[0]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode(codes[None]).audio_values[0, 0]


class XcodecDriver(TransformersDriver):
    """X-Codec."""

    architecture = "XcodecModel"

    def _structure(self) -> Structure:
        config = self.network.config
        return config.sample_rate, config.hop_length, config.num_quantizers, config.codebook_nbits

    def _encode(self, wave: Tensor, streams: int) -> Any:
        config = self.network.config
        wanted = streams * config.frame_rate * config.codebook_nbits / 1000
        bandwidth = min(offered for offered in config.target_bandwidths if offered >= wanted)
        return self.network.encode(self.pad(wave), bandwidth=bandwidth).audio_codes[0, :streams]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode(codes[None]).audio_values[0, 0]


class Xcodec2Driver(TransformersDriver):
    """X-Codec2, which takes filter bank features beside the wave, over half a frame more on either side."""

    architecture = "Xcodec2Model"

    def _structure(self) -> Structure:
        config = self.network.config
        return config.sampling_rate, config.hop_length, 1, _bits(math.prod(config.quantization_levels))

    def steps(self, length: int) -> int:
        """Return the frames of the reference's padding: at least one zero sample always follows the wave."""
        return length // self.model.hop + 1

    def _encode(self, wave: Tensor, streams: int) -> Any:
        import torch

        from codecbench_hub.features import semantic_features

        padded = self.pad(wave)
        half = self.model.hop // 2
        features = semantic_features(torch.nn.functional.pad(padded[0, 0], (half, half)))
        return self.network.encode(padded, features[None]).audio_codes[0]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode(codes[None]).audio_values[0, 0]


class NeuCodecDriver(TransformersDriver):
    """NeuCodec: takes 16 kHz and gives 24 kHz, which the suite's resampler brings back to 16 kHz.

    Its semantic branch sees one frame less than its acoustic one, and the shorter of both is coded.  One
    frame of zeros more keeps the whole utterance.
    """

    architecture = "NeuCodecModel"

    def _structure(self) -> Structure:
        config = self.network.config
        hop = config.encoder_hop_length
        return config.input_sampling_rate, hop, 1, _bits(math.prod(config.quantization_levels))

    def _encode(self, wave: Tensor, streams: int) -> Any:
        import torch

        from codecbench_hub.features import semantic_features

        padded = torch.nn.functional.pad(self.pad(wave), (0, self.model.hop))
        return self.network.encode(padded, semantic_features(padded[0, 0])[None]).audio_codes[0]

    def _decode(self, codes: Tensor) -> Any:
        import torch

        from codecbench.audio import resample

        wave = self.network.decode(codes[None]).audio_values[0, 0]
        config = self.network.config
        return torch.from_numpy(
            resample(wave.cpu().numpy(), config.output_sampling_rate, config.input_sampling_rate)
        )


class SnacDriver(Driver):
    """SNAC by its own package.  A coded frame holds 1, 2 and 4 codes of its three time scales, in this order.

    The decoder adds noise; here it always comes from the same seed, and the caller's generator is left alone.
    """

    SEED = 0

    def _load(self, folder: Path) -> Any:
        import json

        from safetensors.torch import load_file

        with warnings.catch_warnings():  # the package scripts one function with torch.jit at import
            warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
            from snac import SNAC
        from codecbench_hub.weights import CONFIG, WEIGHTS

        network = SNAC(**json.loads((folder / CONFIG).read_text()))
        network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
        return network

    def _structure(self) -> Structure:
        hop = int(self.network.hop_length) * self.network.vq_strides[0]
        return self.network.sampling_rate, hop, sum(self._repeats()), _bits(self.network.codebook_size)

    def _encode(self, wave: Tensor, streams: int) -> Any:
        import torch

        codes = self.network.encode(wave[None, None])
        columns = [scale[0].reshape(-1, count).T for scale, count in zip(codes, self._repeats(), strict=True)]
        return torch.cat(columns)[:, : self.steps(len(wave))]

    def _decode(self, codes: Tensor) -> Any:
        import torch

        parts = torch.split(codes, self._repeats())
        scales = [part.T.reshape(1, -1) for part in parts]
        device = codes.device
        cards = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cards, device_type=device.type if cards else "cuda"):
            torch.manual_seed(self.SEED)
            return self.network.decode(scales)[0, 0]

    def _repeats(self) -> list[int]:
        strides = self.network.vq_strides
        return [strides[0] // stride for stride in strides]


def _bits(codebook_size: int) -> int:
    return (codebook_size - 1).bit_length()


def _words(structure: Structure) -> str:
    rate, hop, streams, bits = structure
    return f"{streams} codebooks of {bits} bits, one frame per {hop} samples at {rate} Hz"
