"""Directory walk: the audio files below a folder, in one way for references, decoded files, and any set.

Linked folders are followed once; folders that hold a run, a report or a listening test of this program are
passed over, so that no output becomes input; pipes and devices are never opened.  What is left out is said.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codecbench import foreign
from codecbench.audio import OTHER_SUFFIXES, SUFFIXES
from codecbench.errors import InvalidInput
from codecbench.text import shown_name

_RUN = frozenset({"manifest.json", "records.jsonl"})
_OUTPUT = (_RUN, frozenset({"codecbench-report"}), frozenset({"key.json", "listeners"}))
_KEPT_SPEECH = "audio"


@dataclass
class Found:
    """The audio files below a folder, as sorted relative paths with ``/``, and notes on what was left out."""

    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(root: Path, leave_out: Collection[Path] = ()) -> Found:
    """Return the audio files below a folder; names that begin with a dot are passed over.

    Parameters
    ----------
    root : Path
        The folder.
    leave_out : collection of Path
        Folders that are not looked into, e.g. where a run writes to.

    Raises
    ------
    InvalidInput
        If a folder cannot be read.
    """
    return _Walk(root, leave_out).go()


def readable() -> frozenset[str]:
    """Return the suffixes of files that can be read on this machine."""
    return SUFFIXES | frozenset(foreign.FORMATS) if foreign.is_installed() else SUFFIXES


class _Walk:
    def __init__(self, root: Path, leave_out: Collection[Path]) -> None:
        self.root = str(root)
        self.closed = {os.path.realpath(path) for path in leave_out} - {os.path.realpath(root)}
        self.seen: set[str] = set()
        self.linked: deque[tuple[str, str]] = deque()
        self.root_holds_run = False
        self.found = Found()
        self.unread: Counter[str] = Counter()
        self.readable = readable()

    def go(self) -> Found:
        """Walk the folder itself, then what is linked: a file's true path is the one that counts."""
        self._folder(self.root, "")
        while self.linked:
            path, below = self.linked.popleft()
            target = os.path.realpath(path)
            above = os.path.realpath(self.root)
            if target not in self.seen and not (above + os.sep).startswith(target.rstrip(os.sep) + os.sep):
                self._folder(path, below)
        self.found.files.sort()
        self.found.notes += list(self._unread_notes())
        return self.found

    def _folder(self, path: str, below: str) -> None:
        pending = [(path, below)]
        while pending:
            path, below = pending.pop()
            real = os.path.realpath(path)
            if real in self.seen or real in self.closed:
                continue
            self.seen.add(real)
            entries = _entries(path)
            names = {entry.name for entry in entries}
            if below and any(marks <= names for marks in _OUTPUT):
                self.found.notes.append(f"{shown_name(path)} is output of codecbench and not looked into")
                continue
            self.root_holds_run |= not below and names >= _RUN
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                inner = f"{below}/{entry.name}" if below else entry.name
                if not _is_folder(entry):
                    self._file(entry, inner)
                elif self.root_holds_run and below == _KEPT_SPEECH and _is_kept_speech(entry.name):
                    self.found.notes.append(f"{shown_name(entry.path)} is kept speech of a run and left out")
                elif entry.is_symlink():
                    self.linked.append((entry.path, inner))
                else:
                    pending.append((entry.path, inner))

    def _file(self, entry: os.DirEntry[str], below: str) -> None:
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (of a name, not of a path)
        if suffix not in self.readable:
            if suffix in OTHER_SUFFIXES or suffix in foreign.FORMATS:
                self.unread[suffix] += 1
        elif _is_special(entry):
            self.found.notes.append(f"{shown_name(entry.path)} is a pipe or device, not a file, and left out")
        else:
            self.found.files.append(below)

    def _unread_notes(self) -> Iterator[str]:
        for suffix, count in sorted(self.unread.items()):
            why = (
                "need PyAV (run: pip install av)"
                if suffix in foreign.FORMATS
                else "cannot be read here; convert them to WAV or FLAC"
            )
            yield f"{count} files of type {suffix} in {shown_name(self.root)} are left out: they {why}"


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InvalidInput(
            f"{shown_name(path)}: folder cannot be read ({error.strerror}); check permissions"
        ) from None


def _is_kept_speech(name: str) -> bool:
    return name == "reference" or "@" in name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself: where it is called like audio, reading it will say so


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Say whether it is a pipe, socket or device."""
    try:
        mode = entry.stat().st_mode
    except OSError:
        return False  # a broken link: reading it will say so
    return not stat.S_ISREG(mode)
