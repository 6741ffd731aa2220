"""The outcome of a gate as one offline HTML page: checks, and what changed most, to listen to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codecbench.analysis.changes import Change
from codecbench.analysis.gate import Check, Gate
from codecbench.errors import StorageError
from codecbench.report.assets import data_uri
from codecbench.report.gate_formats import COUNTED, cells, counts, heads
from codecbench.report.page import render
from codecbench.text import printable

TEMPLATE = "gate.html"


def html(gate: Gate, changes: Sequence[Change]) -> str:
    """Return the page; kept speech is inside it, so that it may travel alone.

    Raises
    ------
    StorageError
        If kept speech cannot be read.
    """
    rows = [Check(**{str(k): v for k, v in row.items()}) for row in gate.table().to_dict("records")]
    several = len({(check.base, check.new) for check in rows}) > 1
    check, *between, verdict = heads(gate)
    context = {
        "verdict": gate.verdict,
        "counts": counts(gate),
        "pairs": list(dict.fromkeys((printable(check.base), printable(check.new)) for check in rows)),
        "heads": [check, verdict, *between],
        "rows": [_row(check, several) for check in rows],
        "changes": [_shown(change, several) for change in changes],
    }  # fmt: skip
    return render(context, TEMPLATE, ())


def _row(check: Check, several: bool) -> dict[str, Any]:
    name, *numbers, verdict = cells(check)
    return {
        "name": name,
        "at": printable(check.new) if several else "",
        "verdict": verdict,
        "numbers": [number if number == COUNTED else _signed(number) for number in numbers],
    }


def _signed(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")


def _shown(change: Change, several: bool) -> dict[str, Any]:
    names = ("reference", "base", "new")
    return {
        "title": printable(change.utterance),
        "about": f"speaker {printable(change.speaker)}" + (f", {printable(change.new)}" if several else ""),
        "failed": printable(change.failed),
        "scores": [
            (one.metric, *map(_signed, (f"{one.base:.4g}", f"{one.new:.4g}", _times(one.margins))))
            for one in change.scores
        ],
        "players": [
            (name, _sound(Path(path)) if path else "")
            for name, path in zip(names, change.audio, strict=True)
        ],
        "audible": any(change.audio),
    }  # fmt: skip


def _times(margins: float) -> str:
    return f"{round(margins, 1) + 0.0:+.1f}"  # no "-0.0"


def _sound(path: Path) -> str:
    try:
        return data_uri(path.read_bytes(), path.suffix)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be read ({error.strerror}); give it back, or run again with --audio all"
        ) from None
