"""Anchors: the two codecs that code nothing.

`Pcm` is the identity at the top of every scale; `Folder` stands for a codec that ran elsewhere.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

import numpy as np

from codecbench import pairs, walk
from codecbench.codec import Codec, CodecInfo, Coded, DecodedFiles, OperatingPoint, Wave, ladder
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench.files import sha256_or_unreadable
from codecbench.names import pair_name, stem
from codecbench.text import shown_name

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
    """Audio that some codec has decoded into a folder, one file an utterance, paired by path, else by stem.

    Parameters
    ----------
    argument : str
        The folder; its files may have any rate and any of the suite's audio types, at any depth.  Or a list
        of pairs, see `codecbench.pairs`, or the one file of the one reference.

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
        if not self.folder.is_dir() and not self.folder.is_file():
            raise Unavailable(f"{shown_name(self.folder)} is not a folder", "check the path")
        if not self._files:
            reasons = "".join(f"; {note}" for note in self.notes[:3])
            raise Unavailable(
                f"{shown_name(self.folder)} holds no audio files{reasons}", "put WAV, FLAC or OGG files there"
            )

    def signature(self) -> str:
        """Return the name and a hash of the files' names and contents."""
        digest = hashlib.sha256()
        for name, path in self._files.items():
            digest.update(os.fsencode(name) + b"\n")
            digest.update(sha256_or_unreadable(path).encode())
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

    def file(
        self, utterance: str, *, by_stem: bool = True, ident: str = "", reference: Path | None = None
    ) -> Path:
        """Return the file of the same path without suffix, else of the same stem, else of that id.

        A stem counts only where it is unique in both folders.

        Raises
        ------
        InvalidInput
            If there is none, or several.
        """
        if self.folder.is_file() and not pairs.is_list(self.folder):
            return self.folder
        short = stem(utterance)
        found = self._named.get(utterance, [])
        if not found and by_stem:
            found = [path for path in self._stems.get(short, []) if not _is_same(path, reference)]
        if not found and ident:
            found = self._named.get(ident, [])
        if len(found) == 1:
            return found[0]
        where = shown_name(self.folder)
        if not found:
            others = len(self._stems.get(short, []))
            if others and not by_stem:
                raise InvalidInput(
                    f"{where} has no file {utterance}, and {short} names several references; "
                    "lay the decoded files out in the references' folders"
                )
            raise InvalidInput(f"{where} has no file for {utterance}; name it {short}.wav or .flac")
        names = ", ".join(shown_name(os.path.relpath(path, self.folder)) for path in found[:3])
        raise InvalidInput(f"{where} has {len(found)} files for {utterance} ({names}); keep one")

    def unused(self, used: Collection[Path]) -> list[str]:
        """Return the names of files that are none of these."""
        return [shown_name(name) for name, path in self._files.items() if path not in used]

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return what the walk through the folder left out."""
        return tuple(self._found.notes)

    @cached_property
    def _found(self) -> walk.Found:
        return walk.find(self.folder) if self.folder.is_dir() and self.argument else walk.Found()

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The files by the name that pairs them, with its suffix."""
        if pairs.is_list(self.folder):
            return {f"{pair.name}{pair.decoded.suffix}": pair.decoded for pair in pairs.read(self.folder)}
        if self.folder.is_file():
            return {self.folder.name: self.folder}
        return {name: self.folder / name for name in self._found.files}

    @cached_property
    def _named(self) -> dict[str, list[Path]]:
        named: dict[str, list[Path]] = defaultdict(list)
        for name, path in self._files.items():
            named[pair_name(name)].append(path)
        return dict(named)

    @cached_property
    def _stems(self) -> dict[str, list[Path]]:
        stems: dict[str, list[Path]] = defaultdict(list)
        for name, paths in self._named.items():
            stems[stem(name)] += paths
        return dict(stems)


def _is_same(path: Path, reference: Path | None) -> bool:
    try:
        return reference is not None and path.samefile(reference)
    except OSError:
        return False
