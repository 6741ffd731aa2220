"""Download an archive of pinned hash and unpack it: broken off or hostile, it leaves no half-made set.

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
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from codecbench.errors import InvalidInput, Unavailable
from codecbench.lock import Lock

ATTEMPTS = 5
PATIENCE_S = 2.0
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


def install(archive: Archive, target: Path) -> None:
    """Make the folder ``target`` out of an archive, unless it is there.

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
        with _alone(target.parent):
            if not target.is_dir():
                _make(archive, target)
    except OSError as error:
        reason = f"{target.name}: {error.strerror or error} ({error.filename or target})"
        raise Unavailable(reason, "free space, or set CODECBENCH_DATA to another folder") from None


def _make(archive: Archive, target: Path) -> None:
    work = target.with_name(f".{target.name}")
    try:
        work.mkdir(exist_ok=True)
        _need_space(work, 5 * archive.size_bytes // 2)
        staging = work / "unpacked"
        _unpack(_retrieve(archive, work), staging, archive)
        staging.replace(target)
    finally:
        _tidy(work)


def _retrieve(archive: Archive, work: Path) -> Path:
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
                downloader=_resuming(partial, archive.size_bytes),
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


def _resuming(partial: Path, size_bytes: int) -> Callable[[str, str, Any], None]:
    """Return a downloader for pooch that collects the file in ``partial`` over several attempts."""
    from codecbench.transfer import BROKEN

    def download(url: str, output_file: str, _pooch: Any) -> None:
        with _progress(Path(url).name) as show:
            attempt, had = 0, -1
            while True:
                try:
                    _continue(url, partial, size_bytes, show)
                    break
                except BROKEN:
                    # Only attempts that bring nothing count: a large set may break off many times.
                    have = _size(partial)
                    attempt, had = (1 if have > had else attempt + 1), have
                    if attempt >= ATTEMPTS:
                        raise
                    time.sleep(PATIENCE_S * attempt)
        partial.replace(output_file)

    return download


def _continue(url: str, partial: Path, size_bytes: int, show: Callable[[int, int], None]) -> None:
    """Download what is missing of a file; from its beginning where the server cannot continue."""
    from codecbench import transfer

    have = _size(partial)
    if have >= size_bytes:
        return  # nothing is missing, or the part is longer than the file: the hash will tell
    with transfer.get(url, size_bytes, have) as answer:
        done = answer.begin
        with partial.open("ab" if done else "wb") as file:
            for piece in answer.pieces:
                file.write(piece)
                done += len(piece)
                show(done, size_bytes)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


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
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, waiting for whoever holds it: sets are downloaded one at a time."""
    waiting = False
    while True:
        try:
            lock = Lock(folder)
            break
        except InvalidInput:
            if not waiting:
                Console(stderr=True).print("another process is downloading a set; waiting for it")
                waiting = True
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


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    amounts = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    label_and_bar = (TextColumn("{task.description}"), BarColumn())
    with Progress(*label_and_bar, *amounts, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _cause(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
