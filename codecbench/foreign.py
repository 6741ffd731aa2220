"""Decoding of audio that libsndfile does not read (AAC, AMR, WMA, ...), through PyAV where it is installed.

The kind of file follows from its suffix alone, and the file is handed over opened: FFmpeg left to guess would
also take playlists, which name other files and addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench.errors import InvalidInput

FORMATS = {
    ".m4a": "mov", ".m4b": "mov", ".mp4": "mov", ".mov": "mov", ".3gp": "mov", ".3g2": "mov",
    ".aac": "aac", ".adts": "aac", ".ac3": "ac3", ".eac3": "eac3", ".amr": "amr", ".ape": "ape",
    ".asf": "asf", ".wma": "asf", ".mka": "matroska", ".mkv": "matroska", ".webm": "matroska", ".mpc": "mpc8",
    ".shn": "shn", ".spx": "ogg", ".tta": "tta", ".wv": "wv",
}  # fmt: skip
"""FFmpeg's name of the format for each suffix, lower case."""


def is_installed() -> bool:
    """Say whether PyAV is here."""
    return find_spec("av") is not None


def read(path: Path) -> tuple[NDArray[np.float32], int]:
    """Return the first audio stream of a file, float32 [T, channels], and its rate in Hz.

    Raises
    ------
    InvalidInput
        If PyAV is missing, or the file is damaged or has no audio.
    """
    if not is_installed():
        raise InvalidInput(
            f"{path}: files of type {path.suffix.lower()} need PyAV; run: pip install 'codecbench[classical]'"
        )
    import av

    blocks: list[NDArray[np.float32]] = []
    rate_hz = 0
    try:
        with _open(path) as container:
            if not container.streams.audio:
                raise InvalidInput(f"{path}: has no audio stream; give an audio file")
            rate_hz = int(container.streams.audio[0].codec_context.sample_rate)
            planar: Any = av.AudioResampler(format="fltp", rate=rate_hz)
            for frame in container.decode(audio=0):
                blocks += [part.to_ndarray() for part in planar.resample(frame)]
            blocks += [part.to_ndarray() for part in planar.resample(None)]
    except av.error.FFmpegError as error:
        raise InvalidInput(f"{path}: not readable audio ({error.strerror}); export it again") from None
    if not blocks or rate_hz <= 0:
        raise InvalidInput(f"{path}: contains no samples; remove it")
    return np.ascontiguousarray(np.concatenate(blocks, axis=1).T, dtype=np.float32), rate_hz


def header_seconds(path: Path) -> float | None:
    """Return the duration by the file's header, in seconds; None where it has none or cannot be read."""
    if not is_installed():
        return None
    import av

    try:
        with _open(path) as container:
            return None if container.duration is None else container.duration / av.time_base
    except (av.error.FFmpegError, OSError):
        return None


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    import av

    with path.open("rb") as file, av.open(file, format=FORMATS[path.suffix.lower()]) as container:
        yield container
