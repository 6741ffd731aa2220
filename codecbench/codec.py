"""The codec contract: real bytes in the middle, so that the bitrate is what they measure.

A codec turns a waveform at its own sample rate into bytes and bytes back into a waveform of the same length.
It says what it is (`CodecInfo`) and at which rates it runs (`OperatingPoint`); it never reports its own
bitrate.  Resampling, alignment, timing and scoring belong to the runner.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codecbench.errors import InvalidInput, InvalidPayload

Wave = NDArray[np.float32]
"""A mono waveform, float32 [T], nominally within [-1, 1]."""

Codes = NDArray[np.int64]
"""Tokens of one utterance, int64 [F, T]: F parallel streams (codebooks or bands), T steps."""

Setting = str | int | float | bool


@dataclass(frozen=True)
class OperatingPoint:
    """One rate at which a codec runs.

    Parameters
    ----------
    name : str
        What follows ``@`` on the command line, unique within the codec (``"8"``, ``"6-60ms"``).
    nominal_kbps : float
        The rate the codec's own documentation gives, in kbit/s; the measured one may differ.
    settings : Mapping[str, Setting]
        What the codec needs to run at this point.
    default : bool
        Whether the point belongs to the default ladder; others run when asked for by name or rate.
    frame_rate_hz : float, optional
        The rate of coded frames at this point, where it is not that of ``CodecInfo``.
    """

    name: str
    nominal_kbps: float
    settings: Mapping[str, Setting] = field(default_factory=dict, hash=False)
    default: bool = True
    frame_rate_hz: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __reduce__(
        self,
    ) -> tuple[type[OperatingPoint], tuple[str, float, dict[str, Setting], bool, float | None]]:
        made_of = (self.name, self.nominal_kbps, dict(self.settings), self.default, self.frame_rate_hz)
        return type(self), made_of


def ladder(*kbps: float, **settings: Setting) -> tuple[OperatingPoint, ...]:
    """Return one default operating point per rate in kbit/s, named after it, all with the same settings."""
    return tuple(OperatingPoint(f"{rate:g}", rate, settings) for rate in kbps)


@dataclass(frozen=True)
class CodecInfo:
    """What a table and a reader need to know of a codec; see `Codec`.

    ``sample_rate_hz`` is the rate of the waves `Codec.encode` takes and `Codec.decode` gives.
    ``algorithmic_delay_ms`` is the codec's own figure (frame plus look-ahead), which trimming may hide from
    measurement; None where it is unknown or the codec works on whole files.  ``frame_rate_hz`` is the rate of
    coded frames or token steps.  ``parameters`` counts weights of a neural model.
    ``keeps_waveform`` is False for a vocoder, which makes the phases anew: metrics that compare waveforms say
    nothing of it.
    """

    name: str
    description: str
    version: str
    sample_rate_hz: int
    licence: str
    weights_licence: str = ""
    kind: str = "classical"
    frame_rate_hz: float | None = None
    algorithmic_delay_ms: float | None = None
    causal: bool = True
    parameters: int | None = None
    bandwidth_hz: int | None = None
    keeps_waveform: bool = True
    citation: str = ""
    url: str = ""


@dataclass(frozen=True)
class Coded:
    """One coded utterance.

    Parameters
    ----------
    payload : bytes
        Exactly the bytes that `Codec.decode` consumes as coded speech; the measured bitrate counts these.
    length : int
        Number of samples of the original at the codec's rate; `Codec.decode` returns as many.
    container_bytes : int
        Bytes of headers and framing that a file or stream would add, counted apart from the payload.
    packet_bytes : tuple of int
        Sizes of the packets that make up the payload, in order, where the codec is packetised.
    codes : Codes or None
        The tokens of a token codec, [F, T], from which the suite measures the empirical entropy.
    """

    payload: bytes
    length: int
    container_bytes: int = 0
    packet_bytes: tuple[int, ...] = ()
    codes: Codes | None = None


class Codec(ABC):
    """A speech codec behind the suite's interface.

    Making an instance is cheap and touches no weights.  `check` says whether the codec can run here, `open`
    loads what is heavy, once a process.  `encode` and `decode` are pure functions of their arguments.

    A subclass sets ``info`` and ``points`` (class attributes or, where they depend on a checkpoint, instance
    attributes set in ``__init__``), and ``distributions``, the installed packages whose versions belong into
    the manifest of a run.
    """

    info: CodecInfo
    points: tuple[OperatingPoint, ...]
    distributions: tuple[str, ...] = ()
    batches: bool = False
    """Whether `encode_batch` and `decode_batch` are quicker than one by one; what comes out is the same."""

    def check(self) -> None:
        """Return quietly if the codec can run on this machine, within two seconds and without the network.

        Raises
        ------
        Unavailable
            With the reason and what to do about it.
        """

    def open(self, device: str = "cpu") -> None:
        """Load weights and libraries.  Called once a process, before the first `encode` or `decode`."""

    def signature(self) -> str:
        """Return the string that identifies what produced a result: name, version, hash of the weights.

        Results with different signatures do not compare.
        """
        return f"{self.info.name}|fs:{self.info.sample_rate_hz}|lib:{self.info.version}"

    def delay_ms(self, point: OperatingPoint) -> float | None:
        """Return the algorithmic delay at an operating point, where it differs from ``info``'s."""
        return self.info.algorithmic_delay_ms

    def remark(self) -> str:
        """Return what a list should add of this machine, which is no part of ``info``; mostly nothing."""
        return ""

    def pack(self, coded: Coded, point: OperatingPoint) -> bytes | None:
        """Return a file in the codec's own format, header and payload; None for a codec without one."""
        return None

    def unpack(self, data: bytes) -> tuple[Coded, OperatingPoint]:
        """Return coded speech and operating point of a file made by `pack`.

        Raises
        ------
        InvalidPayload
            If the file is damaged, truncated, or of another codec or model.
        """
        raise InvalidPayload(f"codec {self.info.name!r} has no file format of its own; code the file again")

    def point(self, name: str) -> OperatingPoint:
        """Return the operating point of that name.

        Raises
        ------
        InvalidInput
            If there is none; the message lists those there are.
        """
        for point in self.points:
            if point.name == name:
                return point
        known = ", ".join(point.name for point in self.points)
        raise InvalidInput(f"codec {self.info.name!r} has no operating point {name!r}; it has: {known}")

    def encode_batch(self, waves: Sequence[Wave], point: OperatingPoint) -> Sequence[Coded]:
        """Code utterances of like length at once, each float32 [T]; asked for where `batches` is true.

        The bytes are those of `encode`: a wave that is filled up to the longest is cut back.
        """
        return [self.encode(wave, point) for wave in waves]

    def decode_batch(self, coded: Sequence[Coded], point: OperatingPoint) -> Sequence[Wave]:
        """Decode utterances of like length at once; samples differ from `decode`'s by 1e-5 at most."""
        return [self.decode(each, point) for each in coded]

    @abstractmethod
    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Code one utterance, float32 [T] at ``info.sample_rate_hz``."""

    @abstractmethod
    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode to float32 [coded.length] at ``info.sample_rate_hz``, from ``coded.payload`` alone.

        Raises
        ------
        InvalidPayload
            If the bytes are damaged or were made at another point or by another model.
        """


class DecodedFiles(Codec):
    """The output of some codec, already decoded into files: scored as it is, without coding.

    Its rates are what the user says of them; nothing is measured.
    """

    notes: tuple[str, ...] = ()
    """What was left out, a line each; known once `check` has returned."""

    @abstractmethod
    def file(
        self, utterance: str, *, by_stem: bool = True, ident: str = "", reference: Path | None = None
    ) -> Path:
        """Return the decoded file of an utterance.

        Parameters
        ----------
        utterance : str
            Path of its reference below the references' folder, without suffix, as given by
            `codecbench.names.pair_name`.
        by_stem : bool
            Whether the last part of that path names no other reference, and so may stand for it.
        ident : str
            The utterance's id, by which a run keeps decoded speech.
        reference : Path, optional
            The reference, which is never the answer unless both folders are one.

        Raises
        ------
        InvalidInput
            If there is none, or several.
        """

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Refuse: there is no encoder behind decoded files."""
        raise InvalidInput(f"{self.info.name} holds decoded files and cannot encode; name a codec")

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Refuse: there is no decoder behind decoded files."""
        raise InvalidInput(f"{self.info.name} holds decoded files and cannot decode; name a codec")
