"""Names of plugins, and of utterances: from a file's path to an id, and to what pairs two folders' files.

Paths are strings with ``/``; bytes that are no UTF-8 are kept in them as Python's file functions do.  Names
made of them are valid Unicode in composed form, so that two systems' forms of one name are one name.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from codecbench.text import shown_name

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of plugins and points: they stand in command lines (``NAME:FILE@POINT+POINT``) and in paths."""

WHAT_A_NAME_IS = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"

MOST_BYTES = 120
_DIGITS = 12
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}
)


def pair_name(path: str) -> str:
    """Return a path without its suffix: what an utterance's files are called in every folder."""
    return shown_name(str(PurePosixPath(path).with_suffix("")))


def stem(name: str) -> str:
    """Return the last part of a path without suffix, as `pair_name` returns it."""
    return name.rpartition("/")[2]


def unique(names: Sequence[str]) -> frozenset[str]:
    """Return those that occur once."""
    return frozenset(name for name, count in Counter(names).items() if count == 1)


def utterance_ids(paths: Sequence[str]) -> list[str]:
    """Return an id for each path of a set: unique without regard to case, and a plain file name.

    An id is the stem, or where stems collide the path without suffix, its folders joined by ``-``.  Where a
    name is no plain one, or is too long, or two files differ in their suffix, case or separators alone, some
    digits of a hash follow.
    """
    whole = [pair_name(path) for path in paths]
    alone = unique([stem(name).casefold() for name in whole])
    ids = [safe_name(stem(name) if stem(name).casefold() in alone else name, name) for name in whole]
    free = unique([ident.casefold() for ident in ids])
    return [
        ident if ident.casefold() in free else _hashed(ident, os.fsencode(path))
        for ident, path in zip(ids, paths, strict=True)
    ]


def safe_name(text: str, origin: str = "") -> str:
    """Return text as a file name of at most `MOST_BYTES` that all systems take; other texts give other names.

    Letters, digits, ``_``, ``+``, ``-`` and inner dots stay, ``/`` and ``:`` become ``-``; for anything else
    digits of a hash of ``origin`` (by default the text) follow.
    """
    flat = re.sub(r"[/:]", "-", unicodedata.normalize("NFC", text))
    name = re.sub(r"[^\w.+-]+", "-", flat).strip(".-")
    reserved = name.partition(".")[0].casefold() in _RESERVED
    if name == flat and len(name.encode()) <= MOST_BYTES and not reserved:
        return name
    return _hashed(name, (origin or text).encode(errors="surrogateescape"))


def _hashed(name: str, origin: bytes) -> str:
    import hashlib  # OpenSSL takes as long to load as the help of the command line

    digest = hashlib.sha256(origin).hexdigest()[:_DIGITS]
    kept = name.encode()[: MOST_BYTES - _DIGITS - 1].decode(errors="ignore").rstrip(".-")
    return f"{kept or 'utterance'}-{digest}"
