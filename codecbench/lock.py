"""File lock, one writer a folder: the operating system releases it however its holder ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from codecbench.errors import InvalidInput

NAME = ".lock"


class Lock:
    """An exclusive lock on a folder, held by its file ``.lock``, which names the holder's process.

    Raises
    ------
    InvalidInput
        If another process holds it.
    OSError
        If the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / NAME).open("a+b")
        if not _acquire(self._file.fileno()):
            holder = self._holder()
            self._file.close()
            raise InvalidInput(
                f"{folder}: another run{holder} is writing here; wait for it or choose another --out"
            )
        self._file.seek(0)
        self._file.truncate()
        self._file.write(str(os.getpid()).encode())
        self._file.flush()

    def release(self) -> None:
        """Let the next writer in; closing the file is what releases it."""
        self._file.close()

    def _holder(self) -> str:
        try:
            self._file.seek(0)
            return f" (process {int(self._file.read(20))})"
        except (OSError, ValueError):
            return ""


if sys.platform == "win32":
    import msvcrt

    # Windows locks byte ranges against reading too: one byte far behind the holder's number is used.
    def _acquire(descriptor: int) -> bool:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _acquire(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
