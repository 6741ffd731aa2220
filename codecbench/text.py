"""Sanitising of text that comes from outside: messages, names of files, cells of a CSV file.

Plugins' errors, names on disks and fields of files may hold terminal escapes, line breaks, bytes that are no
UTF-8, lone surrogates, or megabytes.  Whatever is printed or stored for people passes one of these functions.
"""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MOST_LETTERS = 2000
"""How much of a message is shown."""

_SPACE = re.compile(r"\s+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def one_line(text: str, most: int = MOST_LETTERS) -> str:
    """Return text on one line, without terminal escapes or lone surrogates, cut where it is long.

    Parameters
    ----------
    text : str
        Anything, e.g. the message of a plugin's error.
    most : int
        Letters to keep; what is cut is counted at the end.
    """
    kept = text[: 8 * most]  # what follows would be cut anyway; megabytes are not worth looking through
    flat = printable(_SPACE.sub(" ", kept).strip())
    cut = len(flat) - most + len(text) - len(kept)
    return f"{flat[:most]}\N{HORIZONTAL ELLIPSIS} ({cut} more letters)" if cut > 0 else flat


def printable(text: str) -> str:
    r"""Return text with what a terminal or UTF-8 cannot take as ``\x1b`` or ``\udc80``, spaces kept."""
    if text.isprintable():
        return text
    return "".join(letter if _is_plain(letter) else _escaped(letter) for letter in text)


def shown_name(name: str | os.PathLike[str]) -> str:
    r"""Return a name or path as valid composed Unicode; bytes that are no UTF-8 as ``\xe9``.

    Two forms of the same letters (macOS stores them decomposed) give one text.
    """
    text = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    return printable(unicodedata.normalize("NFC", text))


def names_in(text: str) -> list[str]:
    """Return the names of a list separated by commas, as options take them, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def csv_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of which no text cell is taken for a formula: an apostrophe stands before it then."""
    words = frame.select_dtypes(exclude="number").columns
    return frame.assign(**{name: frame[name].map(_no_formula) for name in words})


def _no_formula(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _is_plain(letter: str) -> bool:
    return letter.isprintable() or (letter == " " or unicodedata.category(letter) == "Zs")


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
