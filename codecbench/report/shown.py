"""Tables of plain text that page and Markdown show alike."""

from __future__ import annotations

from dataclasses import dataclass

from codecbench.report.table_formats import escape_markdown


@dataclass(frozen=True)
class Shown:
    """One table: its heading, the columns' heads, and rows of text whose first ``names`` cells are names."""

    heading: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int


def markdown(table: Shown) -> str:
    """Return a table in Markdown, without its heading."""
    rule = [":--" if place < table.names else "--:" for place in range(len(table.heads))]
    rows = [[escape_markdown(cell) for cell in row] for row in (table.heads, *table.rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (rows[0], rule, *rows[1:]))
