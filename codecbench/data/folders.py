"""Speech sets: folders of audio files, with speakers, a revision and a speaker-balanced sample.

`load_dataset` takes the name of a registered set (see `codecbench.data.catalogue`) or the path of a folder.
A folder holds WAV, FLAC, OGG or MP3 files at any depth; names that start with a dot are passed over.  With a
``manifest.csv`` (columns at least ``file`` and ``speaker``) the set is exactly what the manifest lists.

A file that cannot be read stays in the set with ``seconds`` None: its cells then fail with the error of
`codecbench.audio.load` and are counted, instead of the file being dropped or stopping the run.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from codecbench import audio, registry
from codecbench.errors import InvalidInput

MANIFEST = "manifest.csv"

_LIBRI_STEM = re.compile(r"(\d+)[-_]\d+[-_]\d+([-_]\d+)?")
_ID_BYTES = 120


@dataclass(frozen=True)
class Utterance:
    """One file of a set.

    Parameters
    ----------
    id : str
        Unique in the set and usable as a file name: the file's stem; where stems collide, its path.
    path : Path
        The audio file.
    speaker : str
        Who speaks: from the manifest, else from a LibriSpeech-like name, else the name of the file's folder.
    seconds : float or None
        Duration by the file's header; None where that is unreadable.
    """

    id: str
    path: Path
    speaker: str
    seconds: float | None


@dataclass(frozen=True)
class Dataset:
    """A speech set, its utterances sorted by id.

    ``revision`` is the SHA-256 over every utterance's id, speaker and file content of the whole set; a sample
    keeps it, since set, limit and seed together say which utterances were taken.
    """

    name: str
    utterances: tuple[Utterance, ...]
    revision: str
    licence: str = ""
    description: str = ""
    synthetic: bool = False

    def sample(self, limit: int | None, seed: int = 0) -> Dataset:
        """Return at most ``limit`` utterances, as evenly over the speakers as their numbers allow.

        One utterance of every speaker is taken before a second of any.  The choice hangs on the seed, the ids
        and the speakers alone, and a smaller sample of the same seed is part of a larger one.

        Raises
        ------
        InvalidInput
            If the limit is not positive.
        """
        if limit is None:
            return self
        if limit < 1:
            raise InvalidInput(f"cannot take {limit} utterances; give a limit of 1 or more")
        turns: list[tuple[int, str, Utterance]] = []
        for speaker, spoken in _by_speaker(self.utterances).items():
            shuffled = sorted(spoken, key=lambda item: _draw(seed, item.id))
            turns += [(turn, _draw(seed, speaker), item) for turn, item in enumerate(shuffled)]
        taken = sorted(turns, key=lambda entry: entry[:2])[:limit]
        return replace(self, utterances=tuple(sorted((item for *_, item in taken), key=lambda item: item.id)))

    def only(self, utterances: Collection[Utterance]) -> Dataset:
        """Return the set with no others than these; like a sample it keeps the revision."""
        return replace(self, utterances=tuple(item for item in self.utterances if item in utterances))


@dataclass(frozen=True)
class DatasetSource(ABC):
    """A registered set: what it is and how to get it; entry points of ``codecbench.datasets`` return one.

    ``size_bytes`` is what has to be downloaded from one of the ``urls``, 0 where the set needs no download.
    """

    name: str
    description: str
    licence: str
    size_bytes: int = 0
    urls: tuple[str, ...] = ()

    @abstractmethod
    def check(self) -> None:
        """Return quietly if the set is on this machine; never touches the network.

        Raises
        ------
        Unavailable
            If it is not; the remedy is the command that downloads it.
        """

    @abstractmethod
    def load(self) -> Dataset:
        """Return the set, downloaded first where it is not on this machine."""


def load_dataset(spec: str) -> Dataset:
    """Return the registered set of that name, or else the folder at that path.

    Raises
    ------
    InvalidInput
        If there is neither, or the folder cannot be used; see `folder_dataset`.
    Unavailable
        If the set cannot be downloaded.
    """
    if spec in registry.names(registry.DATASETS):
        source = registry.load(registry.DATASETS, spec)()
        dataset: Dataset = source.load()
        return dataset
    if not Path(spec).exists() and not re.search(r"[/\\.~]", spec):
        hint = registry.unknown("dataset", spec, registry.names(registry.DATASETS))
        raise InvalidInput(f"{hint}; no folder has that name either")
    return folder_dataset(Path(spec).expanduser())


def folder_dataset(
    folder: Path,
    *,
    name: str = "",
    licence: str = "",
    description: str = "",
    synthetic: bool = False,
    pattern: str = "",
) -> Dataset:
    """Return the set in a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    name, licence, description, synthetic
        Fields of the `Dataset`; the name defaults to the folder's.
    pattern : str
        Regular expression that a file's path below the folder must match to be taken; all by default.

    Raises
    ------
    InvalidInput
        If the folder is missing or unreadable or has no audio, or its manifest is malformed, names missing
        files or names files outside the folder.
    """
    _check_folder(folder)
    listed = (folder / MANIFEST).is_file()
    speakers = _read_manifest(folder) if listed else dict.fromkeys(_walk(folder), "")
    files = sorted(path for path in speakers if re.search(pattern, path.as_posix()))
    if not files:
        kinds = ", ".join(sorted(audio.SUFFIXES))
        raise InvalidInput(f"{folder}: no audio files ({kinds}) in this folder; give a folder that has some")
    with ThreadPoolExecutor() as pool:
        seconds = list(pool.map(lambda path: audio.seconds(folder / path), files))
        digests = list(pool.map(lambda path: _digest(folder / path), files))
    rows = [
        (Utterance(ident, folder / path, speakers[path] or _speaker(folder, path), duration), digest)
        for ident, path, duration, digest in zip(_ids(files), files, seconds, digests, strict=True)
    ]
    rows.sort(key=lambda row: row[0].id)
    content = "\n".join(f"{item.id}\t{item.speaker}\t{digest}" for item, digest in rows)
    return Dataset(
        name=name or folder.resolve().name,
        utterances=tuple(item for item, _ in rows),
        revision=hashlib.sha256(content.encode()).hexdigest(),
        licence=licence,
        description=description,
        synthetic=synthetic,
    )


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise InvalidInput(f"{folder}: no such folder; check the path")
    if not folder.is_dir():
        raise InvalidInput(f"{folder}: is a file; give the folder that holds the audio files")


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the audio files below a folder, relative to it; linked folders are followed once."""
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_unreadable):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if Path(name).suffix.lower() in audio.SUFFIXES and not name.startswith("."):
                yield Path(root, name).relative_to(folder)


def _unreadable(error: OSError) -> None:
    raise InvalidInput(
        f"{error.filename}: folder cannot be read ({error.strerror}); check permissions"
    ) from None


def _read_manifest(folder: Path) -> dict[Path, str]:
    """Return the speaker of every file the manifest lists, "" where it gives none."""
    manifest = folder / MANIFEST
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{manifest}: not a CSV file in UTF-8 ({error}); correct or remove it") from None
    except OSError as error:
        raise InvalidInput(f"{manifest}: cannot be read ({error.strerror}); check permissions") from None
    speakers: dict[Path, str] = {}
    for number, row in enumerate(rows, start=2):
        if not row.get("file") or row.get("speaker") is None:
            raise InvalidInput(
                f"{manifest}, row {number}: needs the columns 'file' and 'speaker', with a file name"
            )
        path = _inside(manifest, number, row["file"])
        if path in speakers:
            raise InvalidInput(f"{manifest}, row {number}: {row['file']!r} is listed twice; remove one")
        speakers[path] = row["speaker"].strip()
    missing = [path for path in speakers if not (folder / path).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidInput(
            f"{manifest}: names a missing file {missing[0].as_posix()!r}{more}; correct the manifest"
        )
    return speakers


def _inside(manifest: Path, number: int, name: str) -> Path:
    """Return a manifest's path, refused where it leads out of the folder."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise InvalidInput(f"{manifest}, row {number}: {name!r} lies outside the folder; use paths below it")
    return Path(posix)


def _ids(files: Sequence[Path]) -> list[str]:
    """Return one id a file: its stem; where that is not unique its path; as a last resort a hash with it."""
    ids = [_safe(path.stem) for path in files]
    longer: list[Callable[[Path], str]] = [
        lambda path: _safe(path.with_suffix("").as_posix()),
        lambda path: f"{_safe(path.stem)}-{hashlib.sha256(path.as_posix().encode()).hexdigest()[:12]}",
    ]
    for make in longer:
        # Compared without case: some file systems hold only one of A.flac and a.flac.
        count = Counter(ident.casefold() for ident in ids)
        ids = [
            make(path) if count[ident.casefold()] > 1 else ident
            for path, ident in zip(files, ids, strict=True)
        ]
    return ids


def _safe(text: str) -> str:
    """Return text as a file name that all systems take: letters, digits, ``_``, ``-`` and inner dots."""
    name = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", text)).strip(".-")
    return name.encode()[:_ID_BYTES].decode(errors="ignore") or "utterance"


def _speaker(folder: Path, path: Path) -> str:
    if match := _LIBRI_STEM.fullmatch(path.stem):
        return match[1]
    return path.parent.name or folder.resolve().name


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _by_speaker(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for item in utterances:
        groups[item.speaker].append(item)
    return groups


def _draw(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
