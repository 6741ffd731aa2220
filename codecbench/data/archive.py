"""Archives of pinned hash, downloaded and unpacked: broken off or hostile, they leave no half-made set.

A transfer that breaks off is retried, and continues where it stopped, in this run or the next.  The hash is
verified before anything is unpacked; only plain files below the target are written, up to a bound; the
finished folder appears in one rename, and a lock keeps a second process waiting instead of downloading too.
"""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, Any

from codecbench.errors import InvalidInput, Unavailable
from codecbench.lock import Lock

if TYPE_CHECKING:
    from codecbench.transfer import Progress

WAITING = "waiting for another process that downloads a set"
_CHUNK_BYTES = 1 << 18
_PARTIAL = "transfer.part"
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, IndexError,
    NotImplementedError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What the standard library raises for damaged archives: for encryption and empty names, too."""


@dataclass(frozen=True)
class Archive:
    """A file to download.

    Parameters
    ----------
    urls : tuple of str
        Where it lies; tried in this order.
    known_hash : str
        ``"sha256:HEX"``, as pooch takes it.
    size_bytes : int
        Its size; unpacked it may have four times as much.
    keep : str
        Regular expression for the members to unpack; all by default.
    """

    urls: tuple[str, ...]
    known_hash: str
    size_bytes: int
    keep: str = ""

    @property
    def unpacked_limit_bytes(self) -> int:
        """Return how much the unpacked files may take, in bytes."""
        return 4 * self.size_bytes


def install(archive: Archive, target: Path, progress: Progress | None = None) -> None:
    """Make the folder ``target`` out of an archive, unless it is there; tell ``progress`` of each piece.

    Raises
    ------
    Unavailable
        If the archive cannot be downloaded, does not have its hash, does not fit on the disk, or has
        members that no honest archive has.  Nothing stays but what a transfer that broke off had brought.
    """
    if target.is_dir():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent, lambda: progress(WAITING, 0, archive.size_bytes) if progress else None):
            if not target.is_dir():
                _make(archive, target, progress)
    except OSError as error:
        reason = f"{target.name}: {error.strerror or error} ({error.filename or target})"
        raise Unavailable(reason, "free space, or set CODECBENCH_DATA to another folder") from None


def _make(archive: Archive, target: Path, progress: Progress | None) -> None:
    work = target.with_name(f".{target.name}")
    try:
        work.mkdir(exist_ok=True)
        _need_space(work, 5 * archive.size_bytes // 2)
        staging = work / "unpacked"
        _unpack(_retrieve(archive, work, progress), staging, archive)
        staging.replace(target)
    finally:
        _tidy(work)


def _retrieve(archive: Archive, work: Path, progress: Progress | None) -> Path:
    """Return the downloaded and verified archive; every address is tried before giving up."""
    import pooch
    import requests

    from codecbench.transfer import Refused

    pooch.get_logger().setLevel("ERROR")
    reason = ""
    for url in archive.urls:
        partial = work / _PARTIAL
        try:
            fetched = pooch.retrieve(
                url,
                archive.known_hash,
                fname="archive",
                path=work,
                downloader=_into(partial, archive.size_bytes, progress),
            )
            return Path(fetched)
        except Refused as error:
            partial.unlink(missing_ok=True)
            reason = f"{url} cannot be downloaded: {error}"
        except requests.RequestException as error:
            reason = f"{url} cannot be downloaded ({_cause(error)})"
        except ValueError:
            reason = f"{url} does not have the expected hash {archive.known_hash}: damaged or replaced"
    raise Unavailable(reason, "try again later; a transfer that broke off continues where it stopped")


def _into(partial: Path, size_bytes: int, progress: Progress | None) -> Callable[[str, str, Any], None]:
    """Return a downloader for pooch that collects the file in ``partial``, over several runs if need be."""
    from codecbench.transfer import download

    def bring(url: str, output_file: str, _pooch: Any) -> None:
        download(url, partial, size_bytes, progress, Path(url).name)
        partial.replace(output_file)

    return bring


def _unpack(file: Path, staging: Path, archive: Archive) -> None:
    left = archive.unpacked_limit_bytes
    shutil.rmtree(staging, ignore_errors=True)
    try:
        for name, source in _members(file, archive.keep):
            path = staging / _plain(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as output:
                while chunk := source.read(_CHUNK_BYTES):
                    left -= len(chunk)
                    if left < 0:
                        raise Unavailable(
                            f"archive unpacks to more than {archive.unpacked_limit_bytes} bytes"
                        )
                    output.write(chunk)
    except _DAMAGE as error:
        raise Unavailable(f"archive is damaged ({error})", "report it: its hash was right") from None


def _members(file: Path, keep: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content of the plain files to keep; refuse an archive that has links or devices."""
    if _starts_with(file, b"PK"):
        with zipfile.ZipFile(file) as opened:
            for info in opened.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                _refuse_unless(kind in {0, stat.S_IFREG, stat.S_IFDIR}, info.filename)
                if not info.is_dir() and re.search(keep, info.filename):
                    with opened.open(info) as source:
                        yield info.filename, source
    else:
        with tarfile.open(file) as tar:
            for member in tar:
                _refuse_unless(member.isreg() or member.isdir(), member.name)
                content = tar.extractfile(member)
                if content is not None and re.search(keep, member.name):
                    yield member.name, content


def _starts_with(file: Path, magic: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(magic)) == magic


def _plain(name: str) -> Path:
    """Return a member's path, refused unless it stays below the folder it is unpacked to."""
    windows = PureWindowsPath(name)
    _refuse_unless(not (windows.drive or windows.root or ".." in windows.parts), name)
    return Path(PurePosixPath(name))


def _refuse_unless(good: bool, name: str) -> None:
    if not good:
        raise Unavailable(
            f"archive refused: its member {name!r} is a link or device or leads out of the folder"
        )


@contextmanager
def _alone(folder: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Hold the folder's lock, waiting for whoever holds it: sets are downloaded one at a time."""
    while True:
        try:
            lock = Lock(folder)
            break
        except InvalidInput:
            waits()
            time.sleep(0.2)
    try:
        yield
    finally:
        lock.release()


def _tidy(work: Path) -> None:
    """Remove the working folder, except for a transfer that can be continued."""
    if not (work / _PARTIAL).exists():
        shutil.rmtree(work, ignore_errors=True)


def _need_space(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise Unavailable(
            f"{folder.parent} has {free / 1e9:.1f} GB free and {size_bytes / 1e9:.1f} GB are needed",
            "free space, or set CODECBENCH_DATA to another folder",
        )


def _cause(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
