"""Proof that the adapters compute what the authors' packages compute, without anybody's weights.

``python scripts/parity.py`` builds an environment of its own, in which torch, torchaudio, ``encodec``
and ``descript-audio-codec`` import together, and runs itself there.  Each released structure is made once by
its original package with random weights, converted, saved with ``save_pretrained`` and loaded by both
backends of this package: codes must be equal and waves agree to 1e-4 of their peak at every rate.  The exit
status is 0 if all do; the table on standard output is Markdown.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codecbench.codec import Wave
from codecbench_hub.codec import HubCodec
from codecbench_hub.conversion import dac_name, encodec_name, fold_weight_norm, to_hub
from codecbench_hub.loading import no_progress_bar
from codecbench_hub.table import MODELS, HubModel

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 1e-4
SECONDS = 1.01
REQUIREMENTS = (
    "torch==2.9.1",
    "torchaudio==2.9.1",
    "transformers==5.23.0",
    "encodec==0.1.1",
    "descript-audio-codec==1.0.0",
    "safetensors>=0.5",
    "pooch>=1.8",
    "soxr>=0.4",
    "soundfile>=0.12",
)
NAMES = ("encodec", "dac", "dac-24k")
INSIDE = "--inside"
DEFAULT_VENV = Path("build/parity")
HEADER = "| codec | kbit/s | equal codes | distinct codes | peak of the wave | largest difference | verdict |"


@dataclass(frozen=True)
class Row:
    """One codec at one rate: what both backends gave."""

    codec: str
    kbps: str
    codes: int
    equal: int
    distinct: int
    peak: float
    difference: float

    @property
    def passed(self) -> bool:
        """Whether all codes are equal and the waves agree, and neither is trivial."""
        sound = self.distinct > 1 and self.peak > 0
        return sound and self.equal == self.codes and self.difference <= TOLERANCE * self.peak

    def __str__(self) -> str:
        verdict = "equal" if self.passed else "DIFFERENT"
        codes = f"{self.equal} of {self.codes} | {self.distinct}"
        return (
            f"| {self.codec} | {self.kbps} | {codes} | {self.peak:.3f} | {self.difference:.1e} | {verdict} |"
        )


def main() -> int:
    """Run the proof; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--venv", type=Path, default=DEFAULT_VENV, help="environment to make or reuse")
    parser.add_argument(INSIDE, action="store_true", help="run here, where the packages are")
    options = parser.parse_args()
    if not options.inside:
        return _run_in(options.venv)
    passed = True
    sys.stdout.write(f"{HEADER}\n|---|---|---|---|---|---|---|\n")
    for name in NAMES:
        for row in compare(MODELS[name]):
            passed &= row.passed
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
    return 0 if passed else 1


def compare(model: HubModel) -> Iterator[Row]:
    """Yield a row for each default rate of a model."""
    with tempfile.TemporaryDirectory() as folder:
        save_converted(model, Path(folder))
        hub, original = HubCodec(model, f"transformers:{folder}"), HubCodec(model, f"original:{folder}")
        wave = _wave(model.sample_rate_hz)
        for point in (point for point in model.points if point.default):
            coded, theirs = hub.encode(wave, point), original.encode(wave, point)
            assert coded.codes is not None and theirs.codes is not None
            ours, reference = hub.decode(coded, point), original.decode(theirs, point)
            yield Row(
                model.name,
                point.name,
                codes=coded.codes.size,
                equal=int((coded.codes == theirs.codes).sum()),
                distinct=np.unique(coded.codes).size,
                peak=float(np.abs(reference).max()),
                difference=float(np.abs(ours - reference).max()),
            )


def save_converted(model: HubModel, folder: Path) -> None:
    """Save the hub's form of a random model made by the original package."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, state = (_random_encodec if model.original == "encodec" else _random_dac)(model)
    network.load_state_dict(state)
    with no_progress_bar():
        network.save_pretrained(folder)


def _random_encodec(_model: HubModel) -> tuple[Any, dict[str, Tensor]]:
    """Return an empty hub model and the random state for it, with codebooks about its latents."""
    import torch
    from encodec import EncodecModel as Original
    from transformers import EncodecConfig, EncodecModel

    original = Original.encodec_model_24khz(pretrained=False)
    with torch.no_grad():
        latents = original.encoder(torch.from_numpy(_wave(24_000))[None, None])
        spread, centre = latents.std(dim=2)[0], latents.mean(dim=2)[0]
        for name, buffer in original.named_buffers():
            if name.endswith("_codebook.embed"):
                buffer.normal_().mul_(spread).add_(centre if ".layers.0." in name else 0)
            elif name.endswith("_codebook.inited"):
                buffer.fill_(1)
    return EncodecModel(EncodecConfig()), to_hub(original.state_dict(), encodec_name)


def _random_dac(model: HubModel) -> tuple[Any, dict[str, Tensor]]:
    """Return an empty hub model and the random state for it."""
    from dac import DAC
    from transformers import DacConfig, DacModel

    rates = [2, 4, 5, 8]
    original: nn.Module = DAC(
        encoder_rates=rates,
        decoder_rates=rates[::-1],
        n_codebooks=model.streams,
        sample_rate=model.sample_rate_hz,
    )
    config = DacConfig(
        downsampling_ratios=rates, n_codebooks=model.streams, sampling_rate=model.sample_rate_hz
    )
    state = fold_weight_norm(original.state_dict())
    return DacModel(config), to_hub(state, lambda name: dac_name(name, len(rates)))


def _wave(rate_hz: int) -> Wave:
    """Return a second of noise with the envelope of syllables, float32 [T]."""
    time = np.arange(round(SECONDS * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).standard_normal(time.size)
    return np.asarray(0.2 * np.sin(2 * np.pi * 3 * time) ** 2 * noise, dtype=np.float32)


def _run_in(folder: Path) -> int:
    """Make the environment if it is not there, and run this script in it."""
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
        status = subprocess.run(install, check=False).returncode
        if status:
            sys.stderr.write(f"parity: installing into {folder} failed with status {status}\n")
            return status
        ready.touch()
    root = Path(__file__).resolve().parents[1]
    packages = root / "codecs" / "hub", root
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages)), "HF_HUB_OFFLINE": "1"}
    command = [str(python), "-W", "ignore", str(Path(__file__)), INSIDE]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
