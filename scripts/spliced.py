"""Tables of measured scores inside hand-written pages, between two comments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from codecbench.errors import CodecBenchError

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "test"
END = "<!-- end -->\n"
CARDS = {
    "classical": ("opus", "amr-nb", "codec2", "g722", "silk", "lc3"),
    "lyra": ("lyra",),
    "spc": ("spc", "spc-ec", "rvq", "spc-hifigan"),
}
"""Codecs of each model card whose table is that of the reference run."""
SCORES = {"stoi": 3, "pesq-wb": 2, "visqol": 2, "mcd": 2}
"""Scores of that table with their decimals."""


def begin(source: str) -> str:
    """Return the comment above a table that is made from a file or folder."""
    return f"<!-- Written by `make docs` from {source}: -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; short rows are filled up."""
    lines = [head, ["---"] * len(head), *([*row, *[""] * (len(head) - len(row))] for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def splice(page: Path, source: str, text: str) -> str:
    """Return a page with the part between the comments of a source replaced; see `between`."""
    return between(page, begin(source), END, text)


def between(page: Path, first: str, last: str, text: str) -> str:
    """Return a page with the part between two comments replaced.

    Raises
    ------
    CodecBenchError
        If the page lacks one of the comments.
    """
    before, _, rest = page.read_text(encoding="utf-8").partition(first)
    _, found, after = rest.partition(last)
    if not found:
        raise CodecBenchError(f"{page} lacks the lines {first.strip()} and {last.strip()}")
    return before + first + text + last + after


def card(name: str) -> str:
    """Return a model card with the table of what the reference run measured of its codecs."""
    rows = []
    for codec in CARDS[name]:
        points = json.loads((RESULTS / f"{codec}.json").read_text(encoding="utf-8"))["points"]
        rows += [_row(codec, point) for point in sorted(points, key=lambda point: point["payload_kbps"])]
    head = ("point", "payload, kbit/s", "STOI", "PESQ-WB", "ViSQOL", "MCD, dB")
    page = ROOT / "codecs" / name / "README.md"
    return splice(page, "results/test", table(head, rows))


def _row(codec: str, point: dict[str, Any]) -> list[str]:
    scores = (_interval(point["scores"].get(metric), digits) for metric, digits in SCORES.items())
    return [f"`{codec}@{point['point']}`", f"{point['payload_kbps']:.2f}", *scores]


def _interval(score: dict[str, Any] | None, digits: int) -> str:
    if not score or score["mean"] is None:
        return "-"
    mean, *limits = (score[key] for key in ("mean", "low", "high"))
    inside = "" if None in limits else " [{:.{d}f}, {:.{d}f}]".format(*limits, d=digits)
    return f"{mean:.{digits}f}{inside}"
