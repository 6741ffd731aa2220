"""Answers as spreadsheets and shells leave them: other delimiters, decimal commas, joined files."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.text import one_line

_DELIMITERS = (",", ";", "\t")
_MOST_BYTES = 1 << 28
_BOM = "\ufeff"
_SESSION = "session_uuid"


@dataclass(frozen=True)
class Row:
    """One answer: its line, its cells by column, and the number of the joined file it comes from."""

    line: int
    cells: Mapping[str, str]
    part: int

    def number(self, column: str) -> float:
        """Return a number written with a point or a comma; NaN where it is none."""
        try:
            return float(self.cells.get(column, "").replace(",", "."))
        except ValueError:
            return math.nan

    def listener(self, column: str, others: Collection[str]) -> str:
        """Return who answered: a column, else all that are not ``others``; empty where nothing says it."""
        if self.cells.get(column):
            return self.cells[column]
        return "/".join(text for name, text in self.cells.items() if name not in others).strip("/")

    def shown(self, column: str) -> str:
        """Return a cell as a message quotes it."""
        return repr(one_line(self.cells[column], 80))


def read(path: Path, needed: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file with these columns; a header that comes again begins another file.

    Raises
    ------
    InvalidInput
        If the file cannot be read or a row has other columns than the header; the message has the line.
    """
    lines = _lines(path)
    delimiter = _delimiter(path, lines, needed)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] = []
    part = 0
    try:
        for cells in reader:
            if not any(cells):
                continue
            if not header or set(needed) <= set(cells):
                header, part = cells, part + 1
                _check_header(path, header, needed)
                continue
            told = _sent_once(cells, header)
            if len(told) != len(header):
                raise InvalidInput(
                    f"{path}: line {reader.line_num} is no answer to this test: it has {len(cells)} cells "
                    f"and the header {len(header)}"
                )
            yield Row(reader.line_num, dict(zip(header, told, strict=True)), part)
    except csv.Error as error:
        raise InvalidInput(f"{path}: cannot be read as CSV ({error}); give the file of answers") from None


def _sent_once(cells: list[str], header: Sequence[str]) -> list[str]:
    """Return a row without what webMUSHRA repeats in it where a listener presses its button again.

    Its answers to the questionnaire, which stand between the test and the session, are then there twice.
    """
    extra, asked = len(cells) - len(header), header.index(_SESSION) - 1 if _SESSION in header else 0
    if asked < 1 or extra < 1 or extra % asked:
        return cells
    return [*cells[:1], *cells[1 + extra :]]


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path}: larger than {_MOST_BYTES >> 20} MiB; give the file of answers")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [line.removeprefix(_BOM) for line in file]
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except ValueError:
        raise InvalidInput(f"{path}: cannot be read as CSV in UTF-8; give the file of answers") from None


def _delimiter(path: Path, lines: Sequence[str], needed: Sequence[str]) -> str:
    """Return what separates the columns of the header, the first line that is not blank."""
    header = next((line for line in lines if line.strip()), "")
    for delimiter in _DELIMITERS:
        if set(needed) <= {cell.strip().strip('"') for cell in header.split(delimiter)}:
            return delimiter
    raise InvalidInput(
        f"{path}: needs the columns {', '.join(needed)}, separated by commas, semicolons or tabs; its first "
        f"line is {one_line(header, 120)!r}"
    )


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    if not set(needed) <= set(header) or len(set(header)) < len(header):
        raise InvalidInput(
            f"{path}: needs the columns {', '.join(needed)}, each once; "
            f"it has {one_line(', '.join(header), 200)}"
        )
