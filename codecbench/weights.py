"""Model weights that are not in the repository: where they are looked for, downloaded to, and verified.

A codec or a metric declares a `WeightsSource` as the attribute ``weights`` of what is registered.  Files are
looked for in ``$CODECBENCH_WEIGHTS/<name>/``, then in the user's cache; `fetch` puts them into the cache,
pinned by hash, each whole or not at all.  Nothing is downloaded unless asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench import registry
from codecbench.errors import CodecBenchError, InvalidInput, Unavailable, WrongUsage
from codecbench.files import sha256, sha256_or_unreadable, sha256_remembered, user_cache

if TYPE_CHECKING:
    from codecbench.transfer import Progress

VARIABLE = "CODECBENCH_WEIGHTS"


@dataclass(frozen=True)
class WeightsFile:
    """One file: its address, pinned sha256 (hexadecimal) and size in bytes."""

    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class WeightsSource:
    """The files of one codec, or of a model that metrics share: licence, and the page they come from.

    ``name`` is the codec's own, and of a model one that no codec has.  A source whose files come through a
    client of their own, or may lie elsewhere, gives a ``finder``, a ``fetcher`` and a ``verifier``, which
    return the folder as `find`, `fetch` and `verify` do.
    """

    name: str
    files: Mapping[str, WeightsFile]
    licence: str
    homepage: str
    finder: Callable[[], Path] | None = None
    fetcher: Callable[[Progress | None], Path] | None = None
    verifier: Callable[[], Path] | None = None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())


def list_sources() -> list[WeightsSource]:
    """Return what the registered codecs declare, sorted by codec, then what metrics do."""
    found: dict[str, WeightsSource] = {}
    for group in (registry.CODECS, registry.METRICS):
        for name in registry.names(group):
            if (item := declared(group, name)) is not None:
                found.setdefault(item.name, item)
    return list(found.values())


def source(name: str) -> WeightsSource:
    """Return what a codec declares, or the model of a name that metrics declare.

    Raises
    ------
    InvalidInput
        If the name is unknown or the codec needs no files; the message lists those that do.
    """
    sources = {item.name: item for item in list_sources()}
    if name in sources:
        return sources[name]
    known = ", ".join(sources)
    if name in registry.names(registry.CODECS):
        registry.load(registry.CODECS, name)  # says why, where it is one that cannot be imported
        raise InvalidInput(f"codec {name!r} has no model files to fetch; these have: {known}")
    raise WrongUsage(registry.unknown("codec or model", name, sources))


def declared(group: str, name: str) -> WeightsSource | None:
    """Return the files that a codec or a metric needs beside what is installed, None if none."""
    try:
        found = getattr(registry.load(group, name), "weights", None)
    except Unavailable:
        # A plugin that cannot be imported must not hide the files of the others.
        return None
    return found if isinstance(found, WeightsSource) else None


def folders(name: str) -> list[Path]:
    """Return where a source's files are looked for, first to last."""
    chosen = os.environ.get(VARIABLE)
    return [*([Path(chosen).expanduser() / name] if chosen else []), cache_folder(name)]


def cache_folder(name: str) -> Path:
    """Return where `fetch` puts a source's files."""
    return user_cache() / "weights" / name


def find(name: str, files: Iterable[str]) -> Path:
    """Return the first folder that has all the files; their contents are not looked at.

    Parameters
    ----------
    name : str
        The source's name, which is also the folder's.
    files : iterable of str
        File names, relative to the folder.

    Raises
    ------
    Unavailable
        If no folder has them all.
    """
    needed = list(files)
    looked = folders(name)
    for folder in looked:
        if all((folder / file).is_file() for file in needed):
            return folder
    places = " or ".join(str(folder) for folder in looked)
    raise Unavailable(
        f"model files not found in {places}",
        f"run: codecbench weights fetch {name}, or set {VARIABLE} to the folder that holds {name}/",
    )


def locate(asked: WeightsSource) -> Path:
    """Return the folder that has a source's files, or raise `Unavailable`; see `find`."""
    if asked.finder is not None:
        return asked.finder()
    return find(asked.name, asked.files)


def verify(name: str) -> Path:
    """Find a source's files, compare them with their pinned hashes and return their folder.

    Raises
    ------
    Unavailable
        If files are missing.
    InvalidInput
        If there is no such source, or a file differs.
    """
    asked = source(name)
    if asked.verifier is not None:
        return asked.verifier()
    return verify_files(asked, locate(asked))


def verify_files(asked: WeightsSource, folder: Path) -> Path:
    """Compare the files in a folder with their pinned hashes; return the folder.

    Raises
    ------
    InvalidInput
        If a file differs or cannot be read.
    """
    for name, file in asked.files.items():
        path = folder / name
        try:
            digest = sha256_remembered(path)
        except OSError as error:
            raise InvalidInput(f"{path}: cannot be read ({error.strerror}); fetch it again") from None
        if digest != file.sha256:
            raise InvalidInput(
                f"{path}: sha256 {digest[:12]}… is not the pinned {file.sha256[:12]}…; "
                f"delete it and run: codecbench weights fetch {asked.name}"
            )
    return folder


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Download what is missing of a source's files into the user's cache and return that folder.

    A file that is there and has the pinned hash is kept.  An interrupted download is tried again, and
    continues where it stopped: in this call, or in the next one.

    Parameters
    ----------
    name : str
        A codec's name, or a model's.
    progress : callable, optional
        Told of each piece that arrives.

    Raises
    ------
    InvalidInput
        If there are no files of that name to fetch.
    CodecBenchError
        If a download fails, in one line with the reason.
    """
    import requests

    from codecbench.transfer import Refused

    asked = source(name)
    if asked.fetcher is not None:
        return asked.fetcher(progress)
    folder = cache_folder(asked.name)
    for item, file in asked.files.items():
        try:
            _bring(file, folder / item, progress)
        except Refused as error:
            raise CodecBenchError(
                f"{file.url}: download failed: {error}; report it, or put {item} into {folder}"
            ) from None
        except requests.RequestException as error:
            raise CodecBenchError(
                f"{file.url}: download failed ({_reason(error)}); try again, or put {item} into {folder}"
            ) from None
        except OSError as error:
            raise CodecBenchError(
                f"cannot write to {folder} ({error.strerror}); free space or set {VARIABLE}"
            ) from None
    return folder


def _bring(file: WeightsFile, path: Path, progress: Progress | None) -> None:
    """Download a file unless it is there; what a transfer that broke off had brought stays, for the next."""
    from codecbench.transfer import Refused, download

    if sha256_or_unreadable(path) == file.sha256:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        download(file.url, part, file.size, progress, path.name)
    except Refused:
        part.unlink(missing_ok=True)
        raise
    if sha256(part) != file.sha256:
        part.unlink()
        raise CodecBenchError(
            f"{file.url}: the download does not have the pinned sha256; "
            "the file upstream has changed, report it"
        )
    part.replace(path)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return type(error).__name__
