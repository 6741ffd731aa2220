"""Plot style, one for every figure: sizes, type, and a colour, marker and line style for each codec.

Colours keep apart for the common kinds of colour blindness and in grey; marker and line style repeat what the
colour says, so that a figure reads in black and white.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from codecbench.text import csv_safe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN_INCHES = 3.5
PAGE_INCHES = 7.2
INK, MUTED, GRID = "#1f2328", "#59636e", "#d8dee4"
OWN_COLOUR, TRUTH_COLOUR = "#d1480b", "#6e7781"
COLOURS = ("#0b62a8", "#00805a", "#a23b82", "#8a6a00", "#2c93d1", "#5b4aa5", "#7a3b12", "#4a5a3a", "#b0597a")
DARK_OWN, DARK_TRUTH = "#ff8a4c", "#9aa4ae"
DARK_COLOURS = (
    "#5aa9f0",
    "#3ecf9b",
    "#e58ac6",
    "#dcb53a",
    "#8fd0ff",
    "#ab9cf5",
    "#d99a6c",
    "#a9c08c",
    "#f3a6c0",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("solid", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
FORMATS = ("svg", "pdf", "png")
_METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": "codecbench"},
    "pdf": {"CreationDate": None, "Creator": "codecbench"},
    "png": {"Software": "codecbench"},
}

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 9, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.labelsize": 8, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "legend.fontsize": 8, "legend.frameon": False, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED, "axes.linewidth": 0.6, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.5, "axes.spines.top": False,
    "axes.spines.right": False, "lines.linewidth": 1.3, "lines.markersize": 4.5, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "xtick.minor.size": 0, "savefig.dpi": 300, "figure.dpi": 100,
    "svg.hashsalt": "codecbench", "svg.fonttype": "path", "pdf.fonttype": 42, "image.cmap": "magma",
}  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """How one codec is drawn; ``dark`` is its colour on a dark ground."""

    colour: str
    dark: str
    marker: str
    dashes: Any
    width: float

    @property
    def size(self) -> float:
        """Points of the marker: own models' star needs more than others to look as large."""
        return 9.0 if self.width > 1.5 else 5.5


def marks(codecs: Sequence[str], truth: Collection[str] = (), ours: Collection[str] = ()) -> dict[str, Mark]:
    """Return each codec's mark, the same in every figure; ground truth and own models have fixed ones.

    A codec's name chooses its colour and marker, so that they are the same in every report unless two codecs
    of one share them.
    """
    drawn: dict[str, Mark] = {}
    number = 0
    free: list[int] = []
    for codec in codecs:
        if codec in drawn:
            continue
        if codec in truth:
            drawn[codec] = Mark(TRUTH_COLOUR, DARK_TRUTH, "_", "dotted", 1.0)
        elif codec in ours:
            own = sum(name in ours for name in drawn)
            drawn[codec] = Mark(OWN_COLOUR, DARK_OWN, "*" if own == 0 else "p", "solid", 2.0)
        else:
            free = free or list(range(len(COLOURS)))
            cycle, place = number // len(COLOURS), _nearest(codec, free)
            free.remove(place)
            marker = MARKERS[(place + cycle) % len(MARKERS)]
            dashes = DASHES[(place + cycle) % len(DASHES)]
            drawn[codec] = Mark(COLOURS[place], DARK_COLOURS[place], marker, dashes, 1.3)
            number += 1
    return drawn


def _nearest(codec: str, free: Sequence[int]) -> int:
    """Return the place that a name chooses, or the next free one."""
    wanted = hashlib.sha256(codec.encode()).digest()[0] % len(COLOURS)
    return min(free, key=lambda place: (place - wanted) % len(COLOURS))


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, without a display, leaving matplotlib's global settings as they were."""
    import matplotlib as mpl

    with mpl.rc_context(_RC):
        yield


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches; it belongs to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_as(figure: Figure, path: Path) -> None:
    """Write a figure as the format that the file's suffix names, the same bytes for the same data."""
    with styled():
        figure.savefig(path, metadata=_METADATA[path.suffix.removeprefix(".")])


def save(
    figure: Figure, data: pd.DataFrame, folder: Path, name: str, formats: Collection[str] = FORMATS
) -> None:
    """Write a figure in some of `FORMATS`, the same bytes for the same data, and its data as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine(None)  # laid out once; every format would do it again
        for kind in (kind for kind in FORMATS if kind in formats):
            figure.savefig(folder / f"{name}.{kind}", metadata=_METADATA[kind])
    csv_safe(data).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
