"""Lists of reference and decoded files: CSV with a head, or SCP lines ``ID REFERENCE DECODED``.

Paths are as seen from the list's folder, else from the working directory.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.names import pair_name
from codecbench.text import shown_name

SUFFIXES = (".csv", ".scp")
REFERENCE = ("ref", "reference")
DECODED = ("deg", "degraded", "decoded")
_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class ListedPair:
    """One line: the reference as it is named there, both files, and what further columns say."""

    name: str
    reference: Path
    decoded: Path
    about: dict[str, str] = field(default_factory=dict)


def is_list(path: Path) -> bool:
    """Say whether a path is a list of pairs by its suffix."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def read(path: Path) -> list[ListedPair]:
    """Return the pairs of a list.

    Raises
    ------
    InvalidInput
        If it cannot be read, has another shape, names a reference twice or a file that is missing.
    """
    rows = list(_csv(path) if path.suffix.lower() == ".csv" else _scp(path))
    if not rows:
        raise InvalidInput(f"{path}: names no pair of files; write lines of reference and decoded file")
    pairs: dict[str, ListedPair] = {}
    for line, reference, decoded, about in rows:
        name = pair_name(reference)
        if name in pairs:
            raise InvalidInput(
                f"{path}, line {line}: names the reference {reference!r} again; remove one line"
            )
        pairs[name] = ListedPair(name, _found(path, line, reference), _found(path, line, decoded), about)
    return list(pairs.values())


def _found(path: Path, line: int, text: str) -> Path:
    for candidate in (path.parent / text, Path(text)):
        if candidate.is_file():
            return candidate.absolute()
    raise InvalidInput(f"{path}, line {line}: no file {shown_name(text)}; correct the list")


def _csv(path: Path) -> Iterator[tuple[int, str, str, dict[str, str]]]:
    reader = csv.DictReader(_text(path).splitlines(), strict=True)
    heads = [head.strip() for head in reader.fieldnames or ()]
    reader.fieldnames = heads
    ref = next((head for head in heads if head.lower() in REFERENCE), None)
    deg = next((head for head in heads if head.lower() in DECODED), None)
    if ref is None or deg is None:
        raise InvalidInput(
            f"{path}: its first line must name the columns 'ref' and 'deg', separated by a comma; "
            f"it has {', '.join(map(repr, heads)) or 'none'}"
        )
    try:
        for row in reader:
            if not row[ref] or not row[deg]:
                raise InvalidInput(f"{path}, line {reader.line_num}: a file is missing; give ref and deg")
            about = {
                key: value.strip() for key, value in row.items() if key not in {ref, deg, None} and value
            }
            yield reader.line_num, row[ref].strip(), row[deg].strip(), about
    except csv.Error as error:
        raise InvalidInput(f"{path}, line {reader.line_num}: not CSV ({error}); correct it") from None


def _scp(path: Path) -> Iterator[tuple[int, str, str, dict[str, str]]]:
    for number, text in enumerate(_text(path).splitlines(), start=1):
        parts = text.split()
        if not parts:
            continue
        if len(parts) != 3:
            raise InvalidInput(
                f"{path}, line {number}: needs an id, a reference and a decoded file, separated by spaces; "
                f"it has {len(parts)} parts (write paths with spaces into a .csv)"
            )
        yield number, parts[1], parts[2], {}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path}: larger than {_MOST_BYTES >> 20} MiB; is it a list of pairs?")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not text in UTF-8 ({error}); correct it") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check the path") from None
