"""A set's ``manifest.csv``: its files and who speaks, checked, with the true line and reason of errors."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from codecbench.errors import InvalidInput

MANIFEST = "manifest.csv"
_COLUMNS = ("file", "speaker")
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MOST_BYTES = 1 << 28


def read(folder: Path) -> dict[str, dict[str, str]]:
    """Return the row of every file that a folder's manifest lists: speaker ("" for none) and further columns.

    Raises
    ------
    InvalidInput
        If the manifest is malformed, names a file twice, one that is missing or one outside the folder.
    """
    path = folder / MANIFEST
    rows: dict[str, dict[str, str]] = {}
    for line, row in _rows(path):
        name = _inside(folder, line, row["file"])
        if name in rows:
            raise InvalidInput(f"{path}, row {line}: {row['file']!r} is listed twice; remove one")
        rows[name] = {column: cell.strip() for column, cell in row.items() if column != "file"}
    missing = [name for name in rows if not (folder / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidInput(f"{path}: names a missing file {missing[0]!r}{more}; correct the manifest")
    return rows


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the line of the file that it ends on."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path}: larger than {_MOST_BYTES >> 20} MiB; is it a manifest?")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns: list[str] = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if not columns:
                    columns = cells
                    _check_columns(path, columns)
                    continue
                row = dict(zip(columns, cells, strict=False))
                if not row.get("file") or row.get("speaker") is None:
                    raise InvalidInput(
                        f"{path}, row {reader.line_num}: needs the columns 'file' and 'speaker', "
                        f"with a file name; found {', '.join(map(repr, cells))}"
                    )
                yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not a CSV file in UTF-8 ({error}); correct or remove it") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check permissions") from None


def _check_columns(path: Path, found: list[str]) -> None:
    if set(_COLUMNS) <= set(found):
        if len(set(found)) < len(found):
            raise InvalidInput(f"{path}: names a column twice ({', '.join(map(repr, found))}); remove one")
        return
    for delimiter, word in _DELIMITERS.items():
        if len(found) == 1 and delimiter in found[0]:
            raise InvalidInput(f"{path}: its columns are separated by {word}; separate them by commas")
    raise InvalidInput(
        f"{path}: needs the columns 'file' and 'speaker', written so; it has {', '.join(map(repr, found))}"
    )


def _inside(folder: Path, line: int, name: str) -> str:
    """Return a manifest's path, refused where it leads out of the folder."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    where = f"{folder / MANIFEST}, row {line}: {name!r}"
    for base in (folder.absolute(), folder.resolve()):
        if posix.is_absolute() and posix.is_relative_to(base.as_posix()):
            below = posix.relative_to(base.as_posix())
            raise InvalidInput(f"{where} is an absolute path; write {str(below)!r}, as seen from the folder")
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise InvalidInput(f"{where} lies outside the folder; use paths below it")
    if "\0" in name:
        raise InvalidInput(f"{where} has a null character; correct the name")
    return str(posix)
