"""Code compiled by numba: where it is kept between processes, and one thread to run it.

Call `prepare_numba` before numba, or a package that uses it, is imported.  numba keeps compiled code beside
the source or in the user's home; where neither can be written (a container, a system-wide installation) it
refuses to load such code.  Here it is kept in the user's cache or, failing that, among temporary files.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from codecbench.errors import Unavailable
from codecbench.files import user_cache

CACHE_VARIABLE = "NUMBA_CACHE_DIR"
THREADS_VARIABLE = "NUMBA_NUM_THREADS"


def prepare_numba() -> None:
    """Give numba a folder that it can write, and one thread.

    One thread, because results are wrong or the process aborts when two threads run loops of numba's.

    Raises
    ------
    Unavailable
        If no folder can be written.
    """
    folder = str(cache_folder())
    os.environ[CACHE_VARIABLE] = folder
    numba = sys.modules.get("numba")
    if numba is None:
        os.environ[THREADS_VARIABLE] = "1"
    else:
        numba.config.CACHE_DIR = folder
        numba.set_num_threads(1)


@cache
def cache_folder() -> Path:
    """Return the first folder for compiled code that can be written; see `prepare_numba`.

    These are ``$NUMBA_CACHE_DIR``, the user's cache, a folder of the user's own among temporary files.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    candidates = [Path(chosen)] if chosen else []
    candidates.append(user_cache() / "numba")
    for candidate in candidates:
        if _writable(candidate):
            return candidate.resolve()
    try:
        return _temporary()
    except OSError as error:
        raise Unavailable(
            f"there is no folder for compiled code ({error})", f"set {CACHE_VARIABLE} to one you can write"
        ) from None


def _temporary() -> Path:
    """Return a temporary folder that processes of this user share, or one of this process alone.

    Compiled code is run as it is found, so the name that others can guess serves only where nobody else can
    write.
    """
    if hasattr(os, "getuid"):
        shared = Path(tempfile.gettempdir()) / f"codecbench-numba-{os.getuid()}"
        with suppress(OSError):
            shared.mkdir(mode=0o700, exist_ok=True)
            found = shared.lstat()
            private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
            if private and found.st_uid == os.getuid() and _writable(shared):
                return shared
    return Path(tempfile.mkdtemp(prefix="codecbench-numba-"))


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
