"""Model weights that are not in the repository: where they are looked for, downloaded to, and verified.

A codec package declares a `WeightsSource` as its codec's attribute ``weights``.  Files are looked
for in ``$CODECBENCH_WEIGHTS/<codec>/``, then in the user's cache; `fetch` puts them into the cache, pinned by
hash, each whole or not at all.  Nothing is downloaded unless asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench import registry
from codecbench.errors import CodecBenchError, InvalidInput, Unavailable
from codecbench.files import sha256, sha256_or_unreadable, user_cache

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
    """The files of one codec by name, their licence, and the page they come from.

    A source whose files come through a client of their own, or may lie elsewhere, gives a ``finder``, a
    ``fetcher`` and a ``verifier``, which return the folder as `find`, `fetch` and `verify` do.
    """

    codec: str
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
    """Return what the registered codecs declare, sorted by codec."""
    sources = (_declared(name) for name in registry.names(registry.CODECS))
    return [source for source in sources if source is not None]


def source(codec: str) -> WeightsSource:
    """Return what a codec declares.

    Raises
    ------
    InvalidInput
        If the codec is unknown or needs no files; the message lists those that do.
    """
    registry.load(registry.CODECS, codec)
    declared = _declared(codec)
    if declared is None:
        known = ", ".join(item.codec for item in list_sources())
        raise InvalidInput(f"codec {codec!r} has no model files to fetch; these have: {known}")
    return declared


def folders(codec: str) -> list[Path]:
    """Return where a codec's files are looked for, first to last."""
    chosen = os.environ.get(VARIABLE)
    return [*([Path(chosen).expanduser() / codec] if chosen else []), cache_folder(codec)]


def cache_folder(codec: str) -> Path:
    """Return where `fetch` puts a codec's files."""
    return user_cache() / "weights" / codec


def find(codec: str, files: Iterable[str]) -> Path:
    """Return the first folder that has all the files; their contents are not looked at.

    Parameters
    ----------
    codec : str
        Registered name, which is also the folder's.
    files : iterable of str
        File names, relative to the folder.

    Raises
    ------
    Unavailable
        If no folder has them all.
    """
    needed = list(files)
    looked = folders(codec)
    for folder in looked:
        if all((folder / name).is_file() for name in needed):
            return folder
    places = " or ".join(str(folder) for folder in looked)
    raise Unavailable(
        f"model files not found in {places}",
        f"run: codecbench weights fetch {codec}, or set {VARIABLE} to the folder that holds {codec}/",
    )


def locate(declared: WeightsSource) -> Path:
    """Return the folder that has a source's files, or raise `Unavailable`; see `find`."""
    if declared.finder is not None:
        return declared.finder()
    return find(declared.codec, declared.files)


def verify(codec: str) -> Path:
    """Find a codec's files, compare them with their pinned hashes and return their folder.

    Raises
    ------
    Unavailable
        If files are missing.
    InvalidInput
        If the codec has none, or a file differs.
    """
    declared = source(codec)
    if declared.verifier is not None:
        return declared.verifier()
    return verify_files(declared, locate(declared))


def verify_files(declared: WeightsSource, folder: Path) -> Path:
    """Compare the files in a folder with their pinned hashes; return the folder.

    Raises
    ------
    InvalidInput
        If a file differs or cannot be read.
    """
    for name, file in declared.files.items():
        path = folder / name
        try:
            digest = sha256(path)
        except OSError as error:
            raise InvalidInput(f"{path}: cannot be read ({error.strerror}); fetch it again") from None
        if digest != file.sha256:
            raise InvalidInput(
                f"{path}: sha256 {digest[:12]}… is not the pinned {file.sha256[:12]}…; "
                f"delete it and run: codecbench weights fetch {declared.codec}"
            )
    return folder


def fetch(codec: str, progress: Progress | None = None) -> Path:
    """Download what is missing of a codec's files into the user's cache and return that folder.

    A file that is there and has the pinned hash is kept.  An interrupted download is tried again, and
    continues where it stopped: in this call, or in the next one.

    Parameters
    ----------
    codec : str
        Registered name.
    progress : callable, optional
        Told of each piece that arrives.

    Raises
    ------
    InvalidInput
        If the codec has no files to fetch.
    CodecBenchError
        If a download fails, in one line with the reason.
    """
    import requests

    from codecbench.transfer import Refused

    declared = source(codec)
    if declared.fetcher is not None:
        return declared.fetcher(progress)
    folder = cache_folder(declared.codec)
    for name, file in declared.files.items():
        try:
            _bring(file, folder / name, progress)
        except Refused as error:
            raise CodecBenchError(
                f"{file.url}: download failed: {error}; report it, or put {name} into {folder}"
            ) from None
        except requests.RequestException as error:
            raise CodecBenchError(
                f"{file.url}: download failed ({_reason(error)}); try again, or put {name} into {folder}"
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


def _declared(name: str) -> WeightsSource | None:
    try:
        declared = getattr(registry.load(registry.CODECS, name), "weights", None)
    except Unavailable:
        # A plugin that cannot be imported must not hide the files of the others.
        return None
    return declared if isinstance(declared, WeightsSource) else None


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return type(error).__name__
