"""The two codecs that code nothing.

`Pcm` is the identity at the top of every scale; `Folder` stands for a codec that ran elsewhere.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, DecodedFiles, OperatingPoint, Wave, ladder
from codecbench.dataset import Dataset, folder_dataset
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable

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
                f"payload has {len(coded.payload)} bytes, {coded.length} samples take 2 each"
            )
        return np.frombuffer(coded.payload, "<i2").astype(np.float32) / np.float32(FULL_SCALE)


class Folder(DecodedFiles):
    """A folder of files that some codec decoded elsewhere, matched with the references by their stems.

    Parameters
    ----------
    folder : str
        Its path; ``folder:DIR`` on the command line.

    Notes
    -----
    The point's name is the rate in kbit/s that the user gives (``folder:DIR@6``); without one the rate is
    unknown.  The signature holds the hash of the files.
    """

    info = CodecInfo(
        name="folder",
        description="files decoded elsewhere",
        version="1",
        sample_rate_hz=RATE_HZ,
        licence="",
        kind="files",
    )
    points = (OperatingPoint("files", math.nan),)

    def __init__(self, folder: str = "") -> None:
        self.folder = Path(folder).expanduser() if folder else None

    def check(self) -> None:
        """Raise `Unavailable` where no folder is named, `InvalidInput` where it cannot be used."""
        _ = self._dataset

    def signature(self) -> str:
        """Return the signature with the hash over names and contents of the files."""
        return f"{super().signature()}|files:{self._dataset.revision[:16]}"

    def point(self, name: str) -> OperatingPoint:
        """Return the point of files at a rate in kbit/s; any positive number is one."""
        try:
            rate = float(name)
        except ValueError:
            return super().point(name)
        if not 0 < rate < math.inf:
            raise InvalidInput(f"rate {name!r} of {self.folder} is not usable; give kbit/s above 0")
        return OperatingPoint(name, rate)

    def file(self, utterance: str) -> Path:
        """Return the decoded file with an utterance's stem."""
        if utterance not in self._files:
            raise InvalidInput(f"{self.folder}: no decoded file for {utterance!r}; name it {utterance}.wav")
        return self._files[utterance]

    @cached_property
    def _dataset(self) -> Dataset:
        if self.folder is None:
            raise Unavailable("needs the folder of decoded files", "name it: folder:DIR@KBPS")
        return folder_dataset(self.folder)

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {item.id: item.path for item in self._dataset.utterances}
