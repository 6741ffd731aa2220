"""A hub model as a codec: its codes as bytes, its weights by hash."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from codecbench.audio import fit
from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench.errors import CodecBenchError, InvalidInput, Unavailable
from codecbench_hub import drivers, original, weights
from codecbench_hub.packing import pack, unpack
from codecbench_hub.table import HubModel

TRANSFORMERS, ORIGINAL = "transformers", "original"


class HubCodec(Codec):
    """A model of the table.

    Parameters
    ----------
    model : HubModel
        The row of the table.
    argument : str
        What follows the codec's name: ``FOLDER`` with weights put there by hand, ``original`` for the package
        by the model's authors in place of the default library, or ``original:FOLDER``.
    """

    distributions = ("torch", "transformers", "snac")

    def __init__(self, model: HubModel, argument: str = "") -> None:
        self.model = model
        self.backend, folder = _parse(model, argument)
        self.folder = Path(folder).expanduser() if folder else None
        self.points = model.points
        self.info = _info(model, self._package())
        self._driver: drivers.Driver | None = None
        self._device = "cpu"

    def check(self) -> None:
        """Return if the library is installed and the weights are here; nothing is loaded, nobody is asked."""
        if self.backend == ORIGINAL:
            original.check(self.model)
        else:
            _check_library(self.model)
        weights.find(self.model, self.folder)

    def open(self, device: str = "cpu") -> None:
        """Load the weights onto a device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``."""
        self.check()
        _check_device(device)
        folder = weights.find(self.model, self.folder).folder
        kind = original.DRIVERS[self.model.original] if self.backend == ORIGINAL else self._kind()
        self._driver = kind(self.model, folder, device)
        self._device = device

    def signature(self) -> str:
        """Return name, rate, library and version, commit (or ``local``) and the hash of the weights.

        Raises
        ------
        Unavailable
            If the weights are not here.
        """
        found = weights.find(self.model, self.folder)
        parts = [
            self.model.name,
            f"fs:{self.model.sample_rate_hz}",
            f"lib:{self.info.version}",
            f"model:{self.model.repository}@{found.revision or 'local'}",
            f"sha256:{weights.sha256(found.folder)}",
        ]
        return "|".join(parts)

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code one utterance; returns when the device has finished."""
        if wave.ndim != 1 or wave.size == 0:
            raise InvalidInput(
                f"{self.model.name} codes a mono wave of at least one sample, not shape {wave.shape}"
            )
        import torch

        driver, streams = self._opened(), _streams(point)
        tensor = torch.tensor(wave, dtype=torch.float32, device=self._device)
        with torch.inference_mode(), _full_precision():
            codes = driver.encode(tensor, streams).cpu().numpy().astype(np.int64)
        expected = (streams, driver.steps(wave.size))
        if codes.shape != expected:
            raise CodecBenchError(
                f"{self.model.name} gave codes of shape {codes.shape} for {wave.size} samples, "
                f"{expected} were due; {self.info.version} does not fit, report it"
            )
        return Coded(pack(codes, self.model.bits), wave.size, codes=codes)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode one utterance; returns when the device has finished."""
        import torch

        driver = self._opened()
        codes = unpack(coded.payload, _streams(point), driver.steps(coded.length), self.model.bits)
        tensor = torch.from_numpy(codes).to(self._device)
        with torch.inference_mode(), _full_precision():
            wave = driver.decode(tensor).float().cpu().numpy()
        return fit(wave, coded.length)

    def _opened(self) -> drivers.Driver:
        if self._driver is None:
            self.open(self._device)
        assert self._driver is not None
        return self._driver

    def _kind(self) -> type[drivers.Driver]:
        kind: type[drivers.Driver] = getattr(drivers, self.model.driver)
        return kind

    def remark(self) -> str:
        """Return whether the package by the model's authors can be used as well."""
        return original.status(self.model) if self.model.original else ""

    def _package(self) -> str:
        return original.PACKAGES[self.model.original] if self.backend == ORIGINAL else self.model.package


def _parse(model: HubModel, argument: str) -> tuple[str, str]:
    """Split ``[BACKEND:]FOLDER``; the original package stands in where the library is missing."""
    head, _, rest = argument.partition(":")
    if head == ORIGINAL:
        if not model.original:
            raise InvalidInput(f"codec {model.name!r} has no second backend; give no argument or a folder")
        return ORIGINAL, rest
    if head == TRANSFORMERS:
        return TRANSFORMERS, rest
    usable = importlib.util.find_spec(model.package) is not None
    fallback = bool(model.original) and not usable and original.installed(model)
    return (ORIGINAL if fallback else TRANSFORMERS), argument


def _info(model: HubModel, package: str) -> CodecInfo:
    return CodecInfo(
        name=model.name,
        description=model.description,
        version=f"{package}-{_version(package)}",
        sample_rate_hz=model.sample_rate_hz,
        licence=model.licence,
        weights_licence=model.weights_licence,
        kind="neural",
        frame_rate_hz=model.frame_rate_hz,
        algorithmic_delay_ms=model.algorithmic_delay_ms,
        causal=model.causal,
        parameters=model.parameters,
        bandwidth_hz=model.sample_rate_hz // 2,
        citation=model.citation,
        url=model.url,
    )


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _check_library(model: HubModel) -> None:
    remedy = f"run: pip install {model.requirement}"
    library = importlib.util.find_spec(model.package)
    if library is None:
        raise Unavailable(f"the package {model.package} is not installed", remedy)
    if model.package == TRANSFORMERS:
        folders = library.submodule_search_locations or []
        kind = model.driver.removesuffix("Driver").lower()
        if not any((Path(folder) / "models" / kind).is_dir() for folder in folders):
            raise Unavailable(
                f"transformers {_version(TRANSFORMERS)} has no {kind} model", "update transformers"
            )


def _check_device(device: str) -> None:
    import torch

    kind = device.partition(":")[0]
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not usable.get(kind, False):
        raise Unavailable(f"device {device!r} is not usable here", "run with --device cpu")


def _streams(point: OperatingPoint) -> int:
    return int(point.settings["streams"])


@contextmanager
def _full_precision() -> Iterator[None]:
    """Compute convolutions in float32 proper on cards that would round to TF32."""
    import torch

    with torch.backends.cudnn.flags(allow_tf32=False):
        yield
