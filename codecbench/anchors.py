"""Anchors: the two codecs that code nothing.

`Pcm` is the identity at the top of every scale; `Folder` stands for a codec that ran elsewhere.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, DecodedFiles, OperatingPoint, Wave, ladder
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench.files import sha256

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
                f"payload has {len(coded.payload)} bytes where {coded.length} samples take 2 each; "
                "it is damaged"
            )
        return np.frombuffer(coded.payload, "<i2").astype(np.float32) / np.float32(FULL_SCALE)


class Folder(DecodedFiles):
    """Audio that some codec has decoded into a folder, one file an utterance, names matching by stem.

    Parameters
    ----------
    argument : str
        The folder; its files may have any rate and any of the suite's audio types, at any depth.

    Its operating points are declared, not measured: ``folder:DIR@6`` says that DIR was made at 6 kbit/s.
    """

    info = CodecInfo(
        name="folder",
        description="decoded elsewhere: the files of a folder, at a declared rate",
        version="1",
        sample_rate_hz=RATE_HZ,
        licence="",
        kind="files",
    )
    points = (OperatingPoint("undeclared", math.nan),)

    def __init__(self, argument: str = "") -> None:
        self.argument = argument
        self.folder = Path(argument).expanduser()

    def check(self) -> None:
        """Raise `Unavailable` unless a folder with audio files was given."""
        if not self.argument:
            raise Unavailable(
                "no folder is given", "write folder:DIR, or: codecbench score --ref DIR --deg DIR"
            )
        if not self.folder.is_dir():
            raise Unavailable(f"{self.folder} is not a folder", "check the path")
        if not self._files:
            raise Unavailable(f"{self.folder} holds no audio files", "put WAV, FLAC, OGG or MP3 files there")

    def signature(self) -> str:
        """Return the name and a hash of the files' names and contents."""
        digest = hashlib.sha256()
        for path in self._files:
            digest.update(f"{path.relative_to(self.folder)}\n".encode())
            digest.update(_sha256(path))
        return f"{self.info.name}|files:{digest.hexdigest()[:16]}"

    def point(self, name: str) -> OperatingPoint:
        """Return the point of a declared rate in kbit/s, or the one that declares none."""
        try:
            kbps = float(name)
        except ValueError:
            return super().point(name)
        if not 0 < kbps < math.inf:
            raise InvalidInput(
                f"folder: {name!r} is not a rate; give kbit/s above 0, e.g. folder:{self.argument}@6"
            )
        return OperatingPoint(name, kbps)

    def file(self, utterance: str) -> Path:
        """Return the file of an utterance: the same path below the folder without suffix, else the same stem.

        Raises
        ------
        InvalidInput
            If there is none, or several of that stem.
        """
        exact = [path for path in self._files if self._ident(path) == utterance]
        stem = PurePosixPath(utterance).name
        found = exact or [path for path in self._files if path.stem == stem]
        if len(found) == 1:
            return found[0]
        if not found:
            raise InvalidInput(f"{self.folder} has no file for {utterance}; name it {stem}.wav or .flac")
        names = ", ".join(str(path.relative_to(self.folder)) for path in found[:3])
        raise InvalidInput(f"{self.folder} has {len(found)} files for {utterance} ({names}); keep one")

    @cached_property
    def _files(self) -> list[Path]:
        from codecbench.audio import SUFFIXES

        if not self.argument:
            return []
        return sorted(
            path for path in self.folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
        )

    def _ident(self, path: Path) -> str:
        return path.relative_to(self.folder).with_suffix("").as_posix()


def _sha256(path: Path) -> bytes:
    try:
        return bytes.fromhex(sha256(path))
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check permissions") from None
