"""Atomic replacement of folders: made beside their place, moved there whole; leftovers are cleaned."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.lock import NAME, Lock

_OLD = "old"


@contextmanager
def scratch(to: Path) -> Iterator[Path]:
    """Make a working folder beside ``to`` and remove it in the end, after those of makers that were killed.

    Its lock tells a maker that lives from one that does not.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{to.name[:60]}."
    _clean(to, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=to.parent) as made:
        lock = Lock(Path(made))
        try:
            yield Path(made)
        finally:
            lock.release()


def put(made: Path, to: Path, work: Path) -> None:
    """Put a finished folder where an old one may be; the old one comes back if that fails."""
    old = work / _OLD
    if to.exists():
        to.rename(old)
    try:
        made.rename(to)
    except OSError:
        if old.exists():
            old.rename(to)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _clean(to: Path, prefix: str) -> None:
    for left in to.parent.iterdir():
        if not left.name.startswith(prefix) or left.is_symlink() or not (left / NAME).is_file():
            continue
        try:
            lock = Lock(left)
        except (InvalidInput, OSError):
            continue  # its maker lives
        if (left / _OLD).is_dir() and not to.exists():
            (left / _OLD).rename(to)  # killed between taking the old one away and putting the new one
        lock.release()
        shutil.rmtree(left, ignore_errors=True)
