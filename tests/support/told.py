"""What pages say in figures, held against where the figures come from.

A page is cut into blocks: paragraphs, items of lists, rows of tables. Each with a figure in it must be

- held: a `Told` has its words, ``{}`` where a figure stands, and a function that computes the figures, or
- under a mark: ``Record of one run`` or ``Records of single runs``, with the command, for what a test cannot
  compute again. The mark holds until the next heading.

Names that have figures in them, code and addresses are no figures of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from house import ROOT

RECORD = re.compile(r"Records? of (one run|single runs)")
NAMES = re.compile(
    r"arXiv:[\d.]+|\bRFC \d+|BS\.\d+(-\d)?|\bG\.7\d\d(\.\d)?|P\.862(\.\d)?|TS 26\.\d+( and 26\.\d+)?"
    r"|(et al\.|,) (19|20)\d\d|CC-?BY(-NC)?[ -]4\.0|Apache[- ]2\.0|LGPL-2\.1\+?|SHA-256|sha256|CRC-\d+"
    r"|float\d\d|int8|Python 3\.\d+|PHP \d|\b[LFf][012]\b|[cC]odec2|\blc3\b|\bg722\b|Lyra v2|w2v|CA01|MP3|M4A"
    r"|W64|train-clean-\d+|95 %"
)
"""Standards, papers, licences, products and types; and the level of all intervals: see test_readme."""


@dataclass(frozen=True)
class Told:
    """Words of a page with ``{}`` for each figure, and the function that computes the figures."""

    text: str
    figures: Callable[[], Any] = tuple

    def expected(self) -> str:
        """Return the words with the figures in them."""
        figures = self.figures()
        return self.text.format(*(figures if isinstance(figures, tuple) else (figures,)))


def read(name: str) -> str:
    """Return the text of a page of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def flat(text: str) -> str:
    """Return a text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


def blocks(page: str) -> Iterator[str]:
    """Yield headings, paragraphs, items and rows, a line each; no code, no tables that are written."""
    text = re.sub(r"^ *```.*?^ *```", "", page, flags=re.S | re.M)
    text = re.sub(r"<!-- Written by [^>]*: -->.*?<!-- end -->|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"^(#.*)$", r"\n\1\n", text, flags=re.M)
    for part in re.split(r"\n\s*\n|\n(?=\||- |\d+\. )|(?<=\|)\n", text):
        if part.strip():
            yield flat(part).strip()


def missing(page: str, told: Told) -> str | None:
    """Return what should stand on a page and does not; None where it does."""
    words = flat(told.expected())
    return None if words in flat(page) else f"not on the page: {words}"


def unheld(page: str, told: Iterable[Told]) -> list[str]:
    """Return the blocks of a page with a figure that is neither held nor under the mark of a record."""
    words = sorted((flat(item.expected()) for item in told), key=len, reverse=True)
    found, recorded = [], False
    for block in blocks(page):
        if block.startswith("#"):
            recorded = False
            continue
        recorded |= bool(RECORD.search(block))
        rest = block
        for text in words:
            rest = rest.replace(text, "")
        rest = NAMES.sub("", re.sub(r"`[^`]*`|\]\([^)]*\)|^\d+\. ", "", rest))
        if not recorded and re.search(r"\d", rest):
            found.append(rest)
    return found


def records(page: str) -> Iterator[str]:
    """Yield the block of each mark of a record."""
    return (block for block in blocks(page) if RECORD.search(block))


def rows(page: str, head: str) -> list[list[str]]:
    """Return the cells of the table whose head begins with some words, its head left out."""
    lines = page[page.index(f"| {head}") :].split("\n")
    body = lines[2 : next((at for at, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body]


def without(page: str, begin: str, end: str) -> str:
    """Return a page without the part between two comments, which others write."""
    before, _, rest = page.partition(begin)
    return before + rest.partition(end)[2]
