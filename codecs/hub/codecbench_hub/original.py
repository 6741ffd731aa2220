"""The packages by the models' authors as a second backend for the same weights.

``encodec`` and ``descript-audio-codec`` publish pickled checkpoints; here they run the hub's safetensors
under their own names instead, so both backends compute with one file.  Both packages import torchaudio, which
must be built for the installed torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecbench.errors import Unavailable
from codecbench_hub.conversion import dac_name, encodec_name, from_hub
from codecbench_hub.drivers import Driver, Structure
from codecbench_hub.table import HubModel
from codecbench_hub.weights import CONFIG, files

if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGES = {"encodec": "encodec", "dac": "descript-audio-codec"}
"""Import name to package name."""


def installed(model: HubModel) -> bool:
    """Return whether the package and torchaudio are there; whether they load shows only in `check`."""
    return all(importlib.util.find_spec(name) is not None for name in (model.original, "torchaudio"))


def status(model: HubModel) -> str:
    """Return a phrase for the list of codecs."""
    package = PACKAGES[model.original]
    if importlib.util.find_spec(model.original) is None:
        return f"original package {package} not installed"
    if importlib.util.find_spec("torchaudio") is None:
        return f"original package {package} installed, but not the torchaudio it needs"
    return f"original package {package} installed, use {model.name}:original"


def check(model: HubModel) -> None:
    """Return if the original package imports.

    Raises
    ------
    Unavailable
        With the reason, most often a torchaudio that does not fit the installed torch.
    """
    package = PACKAGES[model.original]
    if importlib.util.find_spec(model.original) is None:
        raise Unavailable(f"the package {package} is not installed", f"run: pip install {package}")
    failure = _failure(model.original)
    if failure:
        raise Unavailable(
            f"the package {package} does not import ({failure})",
            "install a torchaudio of the version of torch, or use the default backend",
        )


class OriginalEncodec(Driver):
    """The package ``encodec``."""

    def _load(self, folder: Path) -> Any:
        """Build the 24 kHz model and give it the hub's weights."""
        with _quiet():
            network = importlib.import_module("encodec").EncodecModel.encodec_model_24khz(pretrained=False)
        return _fill(network, folder, encodec_name)

    def _structure(self) -> Structure:
        network = self.network
        hop = network.encoder.hop_length
        return network.sample_rate, hop, network.quantizer.n_q, int(math.log2(network.quantizer.bins))

    def _encode(self, wave: Tensor, streams: int) -> Any:
        wanted = streams * self.model.bits * self.model.frame_rate_hz / 1000
        self.network.set_target_bandwidth(
            min(rate for rate in self.network.target_bandwidths if rate >= wanted)
        )
        return self.network.encode(wave[None, None])[0][0][0, :streams]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode([(codes[None], None)])[0, 0]


class OriginalDac(Driver):
    """The package ``descript-audio-codec``."""

    def _load(self, folder: Path) -> Any:
        """Build the model of the hub's configuration without weight normalisation and give it the weights."""
        config = json.loads((folder / CONFIG).read_text())
        rates = config["downsampling_ratios"]
        with _quiet():
            network = importlib.import_module("dac").DAC(
                encoder_dim=config["encoder_hidden_size"],
                encoder_rates=rates,
                decoder_dim=config["decoder_hidden_size"],
                decoder_rates=rates[::-1],
                n_codebooks=config["n_codebooks"],
                codebook_size=config["codebook_size"],
                codebook_dim=config["codebook_dim"],
                sample_rate=config["sampling_rate"],
            )
        remove_weight_norm(network)
        return _fill(network, folder, lambda name: dac_name(name, len(rates)))

    def _structure(self) -> Structure:
        network = self.network
        hop, bits = int(network.hop_length), int(math.log2(network.codebook_size))
        return network.sample_rate, hop, network.n_codebooks, bits

    def _encode(self, wave: Tensor, streams: int) -> Any:
        padded = self.network.preprocess(wave[None, None], self.model.sample_rate_hz)
        return self.network.encode(padded, n_quantizers=streams)[1][0]

    def _decode(self, codes: Tensor) -> Any:
        return self.network.decode(self.network.quantizer.from_codes(codes[None])[0])[0, 0]


DRIVERS: dict[str, type[Driver]] = {"encodec": OriginalEncodec, "dac": OriginalDac}


def remove_weight_norm(network: nn.Module) -> None:
    """Turn every weight-normalised layer into a plain one."""
    from torch.nn.utils import remove_weight_norm as remove

    for module in network.modules():
        if hasattr(module, "weight_g"):
            remove(module)


def _fill(network: nn.Module, folder: Path, rename: Any) -> nn.Module:
    from safetensors.torch import load_file

    state = {name: value for path in files(folder) for name, value in load_file(path).items()}
    try:
        network.load_state_dict(from_hub(state, network.state_dict(), rename))
    except (KeyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise Unavailable(
            f"{folder}: weights do not fit the original package ({reason})", "fetch them again"
        ) from None
    return network


@cache
def _failure(name: str) -> str:
    """Import a package once a process and return why that fails, in a line, empty where it does not."""
    try:
        with _quiet():
            importlib.import_module(name)
    except (ImportError, OSError, RuntimeError, AttributeError, TypeError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return ""


def _quiet() -> warnings.catch_warnings[None]:
    """Silence the packages' use of what torch and others have deprecated since 2023."""
    return warnings.catch_warnings(action="ignore")
