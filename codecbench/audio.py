"""Waveforms in and out of files, between rates and lengths, and into alignment.

Everything here works on mono float32 ``[T]``.  Levels are left alone: no function normalises loudness.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codecbench import foreign, mpeg
from codecbench.alignment import lag, shift
from codecbench.codec import Wave
from codecbench.errors import InvalidInput
from codecbench.files import write_bytes_atomically

if TYPE_CHECKING:
    import soundfile  # loaded where it is used, so that a list of codecs does without

__all__ = ["SUFFIXES", "fit", "lag", "load", "load_at", "resample", "save", "seconds", "shift"]

SUFFIXES = frozenset({
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".mpga",
    ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist", ".voc", ".paf", ".svx", ".iff",
    ".ircam", ".sf", ".pvf", ".avr",
})  # fmt: skip
"""File types that `load` reads, lower case; `codecbench.foreign` adds some where PyAV is installed."""

OTHER_SUFFIXES = frozenset({".raw", ".pcm", ".vox", ".ra", ".rm", ".dsf", ".dff", ".dss", ".qcp", ".g722"})
"""File types of audio that nothing here reads: without a header, or of codecs of their own."""

LOUDEST = 100.0
"""40 dB above full scale; beyond it a file holds integers as floating-point numbers, or nonsense."""
LEAST_HZ, MOST_HZ = 1_000, 768_000
"""A header of 1 Hz would make an hour of a second, and 16 000 samples of each when it is resampled."""

CANCELLED = 1e-3
"""Share of its channels' energy, 30 dB less, below which an average holds what the channels differ in."""

_BLOCK_FRAMES = 1 << 20
_LONGEST_HEAD_BYTES = 4096
"""A file without samples that is longer has something else in it."""
_MPEG = "MP3"  # of any layer
_LENGTH_UNKNOWN = 1 << 48  # a FLAC stream whose header gives no length shows up as a length near 2**63
_WAV_UNKNOWN_BYTES = 0x7F000000  # what writes WAV into a pipe puts a size of 2 or 4 GiB into its header
_SHORT_WAV = re.compile(
    r"Block Align\s*: (?P<align>\d+)(.|\n)*^data : (?P<bytes>\d+) \(should be", re.MULTILINE
)


def load(path: str | Path) -> tuple[Wave, int]:
    """Read an audio file of any known type and average its channels.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    wave : Wave
        float32 [T], T >= 1, finite.
    rate_hz : int
        The file's sample rate.

    Raises
    ------
    InvalidInput
        In one line, if the file is missing, unreadable, empty, not audio, truncated, or has NaN or infinite
        samples, floating-point ones on another scale than [-1, 1], or channels that cancel one another.
    """
    path = Path(path)
    _check_readable(path)
    frames, promised, rate_hz = _read(path)
    if frames.shape[0] < promised:
        raise InvalidInput(
            f"{path}: truncated, only {frames.shape[0]} of {promised} samples can be read; copy it again"
        )
    if frames.shape[0] == 0:
        raise InvalidInput(f"{path}: contains no samples; {_what_to_do_with_none(path)}")
    if not LEAST_HZ <= rate_hz <= MOST_HZ:
        raise InvalidInput(
            f"{path}: its header says {rate_hz} samples a second, not {LEAST_HZ} to {MOST_HZ}; "
            "export it again"
        )
    if not np.isfinite(frames).all():
        raise InvalidInput(f"{path}: contains NaN or infinite samples; export it again")
    if (peak := float(np.abs(frames).max())) > LOUDEST:
        raise InvalidInput(
            f"{path}: its samples reach {peak:.3g} where 1 is full scale; "
            "divide them, those of 16-bit integers by 32768"
        )
    return np.ascontiguousarray(_mono(frames, path), dtype=np.float32), rate_hz


def load_at(path: str | Path, rate_hz: int) -> Wave:
    """Read an audio file as `load` does, resampled to a rate: float32 [T]."""
    wave, own_hz = load(path)
    return resample(wave, own_hz, rate_hz)


def seconds(path: str | Path) -> float | None:
    """Return the duration by the file's header, in seconds; None where it has none or cannot be read."""
    path = Path(path)
    if not path.is_file():
        return None  # a pipe would be waited for
    import soundfile

    try:
        with soundfile.SoundFile(_system_path(path)) as file:
            if file.format == _MPEG and (counted := mpeg.scan(path.read_bytes())):
                return file.frames / file.samplerate if counted.is_certain else counted.seconds
            known = 0 < file.frames < _LENGTH_UNKNOWN
            return file.frames / file.samplerate if known else None
    except (soundfile.SoundFileError, OSError):
        return foreign.header_seconds(path) if path.suffix.lower() in foreign.FORMATS else None


def save(path: str | Path, wave: Wave, rate_hz: int) -> None:
    """Write a 16-bit WAV or FLAC file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Ends in ``.wav`` or ``.flac``; its folder is made where missing.
    wave : Wave
        float32 [T]; samples beyond full scale are clipped.
    rate_hz : int
        Sample rate.

    Raises
    ------
    InvalidInput
        If the suffix is another, or the wave is not mono and finite.
    StorageError
        If the file cannot be written (no permission, disk full).
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in {"wav", "flac"}:
        raise InvalidInput(
            f"{path}: audio is written as .wav or .flac, not {path.suffix or 'without suffix'!r}"
        )
    if wave.ndim != 1 or not np.isfinite(wave).all():
        raise InvalidInput(
            f"{path}: only a mono wave of finite samples can be written, not shape {wave.shape}"
        )
    import soundfile

    # Coded in memory first: a full disk then shows as an OSError with its reason instead of a short file.
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(wave, -1.0, 1.0), rate_hz, format=kind.upper(), subtype="PCM_16")
    write_bytes_atomically(path, buffer.getvalue())


def resample(wave: Wave, from_hz: int, to_hz: int) -> Wave:
    """Resample with soxr's HQ recipe (linear phase, no delay).

    Parameters
    ----------
    wave : Wave
        float32 [T] at ``from_hz``.
    from_hz, to_hz : int
        Rates in Hz.

    Returns
    -------
    Wave
        float32 [round(T * to_hz / from_hz)], halves rounded up.
    """
    if from_hz == to_hz:
        return wave
    length = (2 * wave.size * to_hz + from_hz) // (2 * from_hz)
    if length == 0:
        return np.zeros(0, dtype=np.float32)
    import soxr

    return fit(soxr.resample(wave, from_hz, to_hz, quality="HQ"), length)


def fit(wave: Wave, length: int) -> Wave:
    """Return the wave cut or padded with zeros at its end to ``length`` samples, float32."""
    if wave.size >= length:
        return np.ascontiguousarray(wave[:length], dtype=np.float32)
    return np.pad(wave, (0, length - wave.size)).astype(np.float32, copy=False)


def _mono(frames: NDArray[np.float32], path: Path) -> NDArray[np.floating]:
    """Return the average of channels [T, channels]; refuse those of which nearly nothing is left then."""
    if frames.shape[1] == 1:
        return frames[:, 0]
    wave: NDArray[np.floating] = frames.mean(axis=1, dtype=np.float64)
    energies = np.square(frames, dtype=np.float64).mean(axis=0)
    if np.square(wave).mean() < CANCELLED * energies.mean():
        raise InvalidInput(
            f"{path}: its {frames.shape[1]} channels cancel one another when they are averaged, as where one "
            "is inverted; give one of them alone"
        )
    return wave


def _what_to_do_with_none(path: Path) -> str:
    bytes_there = path.stat().st_size
    if bytes_there <= _LONGEST_HEAD_BYTES:
        return "remove it"
    return (
        f"its header says so, though the file has {bytes_there} bytes, as where a recording broke off; "
        "repair the header"
    )


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise InvalidInput(f"{path}: is a folder, an audio file is needed")
    if path.exists() and not path.is_file():
        raise InvalidInput(f"{path}: is a pipe or device, not a file; write its audio into a file first")
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise InvalidInput(
            f"{path}: cannot be read ({os.strerror(error.errno or 0)}); check permissions"
        ) from None
    if not first:
        raise InvalidInput(f"{path}: the file is empty; remove it or copy it again")


def _read(path: Path) -> tuple[NDArray[np.float32], int, int]:
    """Return samples [T, channels], how many a channel the header promises, and the rate in Hz."""
    import soundfile

    try:
        with soundfile.SoundFile(_system_path(path)) as file:
            promised, rate_hz = _promised_frames(file), file.samplerate
            if file.format == _MPEG:
                data = path.read_bytes()
                found = mpeg.scan(data)
                if found is not None and not found.is_certain:
                    with mpeg.stream(data[found.start : found.stop]) as stream:
                        return _read_all(stream, path), 0, rate_hz
            return _read_all(file, path), promised, rate_hz
    except soundfile.SoundFileError as error:
        if path.suffix.lower() in foreign.FORMATS:
            frames, rate_hz = foreign.read(path)
            return frames, 0, rate_hz
        raise InvalidInput(
            f"{path}: not readable audio ({_reason(error)}); give WAV, FLAC, OGG or MP3"
        ) from None


def _promised_frames(file: soundfile.SoundFile) -> int:
    """Return how many samples a channel the header promises, 0 where it does not know."""
    if shortened := _SHORT_WAV.search(file.extra_info):  # soundfile then counts what is there
        frame_bytes = int(shortened["align"])
        promised = int(shortened["bytes"]) // frame_bytes
        return promised if promised * frame_bytes < _WAV_UNKNOWN_BYTES else 0
    if file.frames >= _LENGTH_UNKNOWN:
        return 0
    return int(file.frames * 0.99) if file.format == _MPEG else int(file.frames)  # an MP3's is an estimate


def _read_all(file: soundfile.SoundFile, path: Path) -> NDArray[np.float32]:
    """Read to the end, [T, channels], in blocks: a header may promise any number of samples, or give none."""
    import soundfile

    blocks = []
    while True:
        try:
            block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise InvalidInput(f"{path}: damaged or truncated ({_reason(error)}); copy it again") from None
        blocks.append(block)
        if len(block) < _BLOCK_FRAMES:
            return np.concatenate(blocks)


def _system_path(path: Path) -> bytes | str:
    """Return a path as soundfile takes any: it cannot encode names that are no UTF-8 itself."""
    return str(path) if sys.platform == "win32" else os.fsencode(path)


def _reason(error: soundfile.SoundFileError) -> str:
    text: str = getattr(error, "error_string", str(error))
    return " ".join(text.split()).rstrip(".")
