"""Atomic writes and content hashes: files whole or not at all, with an error of one line."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from codecbench.errors import StorageError

_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.part")
"""Names under which atomic writes begin."""


def user_cache() -> Path:
    """Return the folder for what the suite fetches or compiles once for this user; it may not exist yet."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("codecbench"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal; raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_remembered(path: Path) -> str:
    """Return what `sha256` gives, computed once a process for as long as the file does not change."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _modified_ns: int) -> str:
    return sha256(path)


def sha256_or_unreadable(path: Path) -> str:
    """Return the SHA-256 of a file's content, or the word ``unreadable``: whoever reads it will say why."""
    try:
        return sha256(path)
    except OSError:
        return "unreadable"


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's table; a byte order mark, which editors on Windows write, is passed over.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is not UTF-8 or not TOML.
    """
    import tomllib

    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file, whole or not at all; raises `StorageError`."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all; raises `StorageError`."""
    # Names may be as long as the system allows, and several workers may write the same file at once.
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise unwritable(path, error) from None


def clean_partial(folder: Path) -> None:
    """Remove what killed processes left of atomic writes in a folder that nobody else writes now."""
    for left in folder.glob(".*.part"):
        if _PARTIAL.fullmatch(left.name):
            with suppress(OSError):
                left.unlink()


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything: near the end of a disk the system may take only a part."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def unwritable(path: Path, error: OSError, kept: int | None = None) -> StorageError:
    """Return the error for a failed write, in one line."""
    stored = "" if kept is None else f" ({kept} records are stored; the same command continues)"
    return StorageError(f"cannot write {path}: {error.strerror}; free space or choose another folder{stored}")
