"""Speech sets: folders of audio files, with speakers, a revision and a speaker-balanced sample.

`load_dataset` takes the name of a registered set (see `codecbench.data.catalogue`) or the path of a folder.
A folder holds audio files at any depth, found by `codecbench.walk`.  With a ``manifest.csv`` (columns at
least ``file`` and ``speaker``) the set is exactly what the manifest lists.

A file that cannot be read stays in the set with ``seconds`` None: its cells then fail with the error of
`codecbench.audio.load` and are counted, instead of the file being dropped or stopping the run.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench import audio, registry, walk
from codecbench.data import listed
from codecbench.data.listed import MANIFEST
from codecbench.data.speakers import speakers_of
from codecbench.errors import InvalidInput
from codecbench.files import sha256_or_unreadable
from codecbench.names import pair_name, stem, unique, utterance_ids
from codecbench.text import shown_name

if TYPE_CHECKING:
    from codecbench.transfer import Progress

__all__ = ["MANIFEST", "Dataset", "DatasetSource", "Utterance", "folder_dataset", "load_dataset"]

SET_PREFIX = "set:"
"""Before the name of a registered set, where a folder has the same name."""


@dataclass(frozen=True)
class Utterance:
    """One file of a set.

    Parameters
    ----------
    id : str
        Unique in the set and usable as a file name, see `codecbench.names.utterance_ids`.
    path : Path
        The audio file.
    speaker : str
        Who speaks: from the manifest, else from a known way to name files, else the file's folder.
    seconds : float or None
        Duration by the file's header; None where that is unreadable.
    name : str
        Path below the set's folder without suffix, by which decoded files are found; the id by default.
    stem_is_unique : bool
        Whether the set has no other file of that stem, so that decoded files may be found by it alone.
    """

    id: str
    path: Path
    speaker: str
    seconds: float | None
    name: str = ""
    stem_is_unique: bool = True


@dataclass(frozen=True)
class Dataset:
    """A speech set, its utterances sorted by id.

    ``revision`` is the SHA-256 over every utterance's id, speaker and file content of the whole set; a sample
    keeps it, since set, ``limit`` (None for the whole set) and ``seed`` say which utterances were taken.
    """

    name: str
    utterances: tuple[Utterance, ...]
    revision: str
    licence: str = ""
    description: str = ""
    synthetic: bool = False
    speakers_from: str = ""
    """How the speakers were told apart, in words."""
    notes: tuple[str, ...] = ()
    """What was left out of the folder, a line each."""
    limit: int | None = None
    seed: int = 0

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
            return replace(self, seed=seed)
        if limit < 1:
            raise InvalidInput(f"cannot take {limit} utterances; give a limit of 1 or more")
        turns: list[tuple[int, str, Utterance]] = []
        for speaker, spoken in _by_speaker(self.utterances).items():
            shuffled = sorted(spoken, key=lambda item: _draw(seed, item.id))
            turns += [(turn, _draw(seed, speaker), item) for turn, item in enumerate(shuffled)]
        taken = sorted(turns, key=lambda entry: entry[:2])[:limit]
        chosen = tuple(sorted((item for *_, item in taken), key=lambda item: item.id))
        return replace(self, utterances=chosen, limit=limit, seed=seed)

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

    def fetch(self, progress: Progress | None = None) -> None:
        """Download the set where it is not on this machine, telling ``progress`` of each piece.

        By default nothing: a set that is part of a package has nothing to download.

        Raises
        ------
        Unavailable
            If it cannot be downloaded.
        """

    @abstractmethod
    def load(self) -> Dataset:
        """Return the set, which `fetch` has brought."""


def load_dataset(
    spec: str | Path, leave_out: Collection[Path] = (), progress: Progress | None = None
) -> Dataset:
    """Return the registered set of that name (``set:NAME``), or else the folder at that path.

    Parameters
    ----------
    spec : str or Path
        The name or path.
    leave_out : collection of Path
        Folders that are not looked into, where the set is a folder.
    progress : callable, optional
        Told of each piece of a download: file, bytes that have arrived, all its bytes.

    Raises
    ------
    InvalidInput
        If there is neither, or both, or the folder cannot be used; see `folder_dataset`.
    Unavailable
        If the set cannot be downloaded.
    """
    spec = str(spec)
    known = registry.names(registry.DATASETS)
    name = spec.removeprefix(SET_PREFIX)
    if name in known:
        if name == spec and Path(spec).is_dir():
            raise InvalidInput(
                f"{spec!r} is a folder here and a registered set; write ./{spec} for the folder, "
                f"or {SET_PREFIX}{spec} for the set"
            )
        source: DatasetSource = registry.dataset(name)
        source.fetch(progress)
        dataset: Dataset = source.load()
        return dataset
    if name != spec:
        raise InvalidInput(registry.unknown("dataset", name, known))
    if not Path(spec).exists() and not re.search(r"[/\\.~]", spec):
        raise InvalidInput(f"{registry.unknown('dataset', spec, known)}; no folder has that name either")
    return folder_dataset(Path(spec).expanduser(), leave_out=leave_out)


def folder_dataset(
    folder: Path,
    *,
    name: str = "",
    licence: str = "",
    description: str = "",
    synthetic: bool = False,
    pattern: str = "",
    leave_out: Collection[Path] = (),
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
    leave_out : collection of Path
        Folders that are not looked into.

    Raises
    ------
    InvalidInput
        If the folder is missing or unreadable or has no audio, or its manifest is malformed, names missing
        files or names files outside the folder.
    """
    _check_folder(folder)
    speakers, notes = _files(folder, leave_out)
    files = sorted(path for path in speakers if re.search(pattern, path))
    if not files:
        left_out = "".join(f"; {note}" for note in notes[:3])
        raise InvalidInput(
            f"{folder}: no audio files (WAV, FLAC, OGG, MP3, ...) in this folder{left_out}; "
            "give a folder that has some"
        )
    with ThreadPoolExecutor() as pool:
        seconds = list(pool.map(lambda path: audio.seconds(folder / path), files))
        digests = list(pool.map(lambda path: sha256_or_unreadable(folder / path), files))
    names = [pair_name(path) for path in files]
    alone = unique([stem(item) for item in names])
    told, how = speakers_of(names, shown_name(folder.resolve().name))
    told = [speakers[path] or other for path, other in zip(files, told, strict=True)]
    how = listed.MANIFEST if all(speakers[path] for path in files) else how
    rows = [
        (Utterance(ident, folder / path, speaker, duration, own, stem(own) in alone), digest)
        for ident, path, speaker, duration, own, digest in zip(
            utterance_ids(files), files, told, seconds, names, digests, strict=True
        )
    ]
    rows.sort(key=lambda row: row[0].id)
    content = "\n".join(f"{item.id}\t{item.speaker}\t{digest}" for item, digest in rows)
    return Dataset(
        name=name or shown_name(folder.resolve().name),
        utterances=tuple(item for item, _ in rows),
        revision=hashlib.sha256(content.encode()).hexdigest(),
        licence=licence,
        description=description,
        synthetic=synthetic,
        speakers_from=how,
        notes=tuple(notes),
    )


def _files(folder: Path, leave_out: Collection[Path]) -> tuple[dict[str, str], list[str]]:
    """Return the files of a set with the speakers its manifest gives, and notes on what is left out."""
    if (folder / MANIFEST).is_file():
        return listed.read(folder), []
    found = walk.find(folder, leave_out)
    return dict.fromkeys(found.files, ""), found.notes


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise InvalidInput(f"{folder}: no such folder; check the path")
    if not folder.is_dir():
        raise InvalidInput(f"{folder}: is a file; give the folder that holds the audio files")


def _by_speaker(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for item in utterances:
        groups[item.speaker].append(item)
    return groups


def _draw(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
