"""Speech folders: audio files at any depth as a set, with speakers and a revision.

`load_dataset` takes the name of a registered set (see `codecbench.data.catalogue`) or the path of a folder.
A folder holds audio files at any depth, found by `codecbench.walk`.  With a ``manifest.csv`` (columns at
least ``file`` and ``speaker``) the set is exactly what the manifest lists.  Transcripts are its column
``text``, else those that `codecbench.data.transcripts` finds beside the audio.

A file that cannot be read stays in the set with ``seconds`` None: its cells then fail with the error of
`codecbench.audio.load` and are counted, instead of the file being dropped or stopping the run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench import audio, pairs, registry, walk
from codecbench.data import about, listed, transcripts
from codecbench.data.listed import MANIFEST
from codecbench.data.sets import Dataset, Utterance, registered
from codecbench.data.speakers import speakers_of
from codecbench.errors import InvalidInput
from codecbench.files import sha256_or_unreadable
from codecbench.names import pair_name, stem, unique, utterance_ids
from codecbench.text import shown_name

if TYPE_CHECKING:
    from codecbench.transfer import Progress

SET_PREFIX = "set:"
"""Before the name of a registered set, where a folder has the same name."""


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
        If the set cannot be downloaded; `ContractBroken` where another package's set is none.
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
        return registered(name, progress)
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
        Fields of the `Dataset`; they default to what the folder's ``dataset.toml`` tells, the name else to
        the folder's, the licence else to the one that the manifest's column ``licence`` has for all files.
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
    known, notes = _files(folder, leave_out)
    known = {path: known[path] for path in sorted(known) if re.search(pattern, path)}
    if not known:
        left_out = "".join(f"; {note}" for note in notes[:3])
        raise InvalidInput(
            f"{folder}: no audio files (WAV, FLAC, OGG, MP3, ...) in this folder{left_out}; "
            "give a folder that has some"
        )
    own = about.told(folder)
    return replace(
        _of_files(name or own.get("name") or shown_name(folder.resolve().name), folder, known),
        licence=licence or own.get("licence") or _shared(known, "licence"),
        description=description or own.get("description", ""),
        synthetic=synthetic,
        notes=tuple(notes),
    )


def _shared(known: Mapping[str, Mapping[str, str]], column: str) -> str:
    """Return what the manifest says of every file in a column; nothing where files differ or lack it."""
    values = {told.get(column, "") for told in known.values()}
    return values.pop() if len(values) == 1 else ""


def listed_dataset(path: Path) -> Dataset:
    """Return the set of a list's references (see `codecbench.pairs`), or of one audio file by itself."""
    if not pairs.is_list(path):
        return _of_files(shown_name(path.stem), path.absolute().parent, {path.name: {}})
    rows = pairs.read(path)
    located = {row.name + row.reference.suffix: row.reference for row in rows}
    known = {row.name + row.reference.suffix: dict(row.about) for row in rows}
    return _of_files(shown_name(path.stem), path.absolute().parent, known, located)


def _of_files(
    name: str, folder: Path, known: dict[str, dict[str, str]], located: Mapping[str, Path] | None = None
) -> Dataset:
    """Return the set of files that are named below a folder, with what is known of each."""
    from concurrent.futures import ThreadPoolExecutor

    files = list(known)
    paths = [(located or {}).get(file, folder / file) for file in files]
    with ThreadPoolExecutor() as pool:
        seconds = list(pool.map(audio.seconds, paths))
        digests = list(pool.map(sha256_or_unreadable, paths))
    texts = transcripts.beside(paths)
    for file, text in zip(files, texts, strict=True):
        if text and not known[file].get(transcripts.COLUMN):
            known[file][transcripts.COLUMN] = text
    names = [pair_name(path) for path in files]
    alone = unique([stem(item) for item in names])
    told, how = speakers_of(names, shown_name(folder.resolve().name))
    speakers = [known[path].pop("speaker", "") for path in files]
    told = [given or other for given, other in zip(speakers, told, strict=True)]
    how = listed.MANIFEST if all(speakers) else how
    rows = [
        (Utterance(ident, path, speaker, duration, own, stem(own) in alone, known[file]), digest)
        for ident, file, path, speaker, duration, own, digest in zip(
            utterance_ids(files), files, paths, told, seconds, names, digests, strict=True
        )
    ]
    rows.sort(key=lambda row: row[0].id)
    content = "\n".join(f"{item.id}\t{item.speaker}\t{digest}" for item, digest in rows)
    return Dataset(
        name=name,
        utterances=tuple(item for item, _ in rows),
        revision=hashlib.sha256(content.encode()).hexdigest(),
        speakers_from=how,
    )


def _files(folder: Path, leave_out: Collection[Path]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the files of a set with what its manifest says of each, and notes on what is left out."""
    if (folder / MANIFEST).is_file():
        return listed.read(folder), []
    found = walk.find(folder, leave_out)
    return {path: {} for path in found.files}, found.notes


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise InvalidInput(f"{folder}: no such folder; check the path")
    if not folder.is_dir():
        raise InvalidInput(f"{folder}: is a file; give the folder that holds the audio files")
