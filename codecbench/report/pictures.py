"""Pictures of one utterance: its spectrograms through each codec, and its tokens."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from codecbench.analysis.runs import one_per_codec, point_label, with_tokens
from codecbench.codec import Codes
from codecbench.report import spectra
from codecbench.report.style import FORMATS, MUTED, PAGE_INCHES, canvas, save, styled
from codecbench.store.records import decode_codes
from codecbench.store.store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RASTER = frozenset({"spectrograms", "tokens"})
SHOWN_SECONDS = 4.0


def write_pictures(run: Run, folder: Path, formats: Collection[str] = FORMATS) -> list[str]:
    """Draw the spectrograms, if there is audio, as PNG and `formats`; return the names of what was drawn."""
    drawn = spectrograms(run)
    if drawn is None:
        return []
    save(*drawn, folder, "spectrograms", {*formats, "png"})
    return ["spectrograms"]


def spectrograms(run: Run, width: float = PAGE_INCHES) -> tuple[Figure, pd.DataFrame] | None:
    """Draw the first seconds of one utterance, the original and each codec, linear and mel frequency."""
    kept = run.records[run.records["audio"].notna()]
    originals = {item["id"]: item["audio"] for item in run.manifest["utterances"] if item["audio"]}
    utterance = fullest(run, kept, list(originals))
    if utterance is None:
        return None
    records = kept[kept["utterance"] == utterance]
    panels = [("reference", originals[utterance])]
    panels += [
        (point_label(row["codec"], row["point"]), row["audio"])
        for _, row in one_per_codec(run, records).iterrows()
    ]
    rows = []
    with styled():
        figure = canvas(width, 0.95 * len(panels) + 0.9)
        figure.suptitle(utterance, fontsize=8, color=MUTED)
        axes = figure.subplots(len(panels), 2, squeeze=False, sharex=True)
        tops: list[float] = []
        for line, (label, path) in zip(axes, panels, strict=True):
            wave = spectra.load(path)[: int(SHOWN_SECONDS * spectra.RATE_HZ)]
            tables = (spectra.linear_db(wave), spectra.mel_db(wave))
            tops = tops or [float(table.max()) for table in tables]
            extent_s = wave.size / spectra.RATE_HZ
            for axis, table, top, height in zip(line, tables, tops, (8.0, float(spectra.MELS)), strict=True):
                image = axis.imshow(
                    table - top, origin="lower", aspect="auto", vmin=-spectra.RANGE_DB, vmax=0,
                    extent=(0, extent_s, 0, height), interpolation="nearest",
                )  # fmt: skip
                axis.grid(visible=False)
            line[0].set_ylabel("kHz", color=MUTED)
            line[0].set_yticks((0, 4, 8))
            line[1].set_ylabel("mel band", color=MUTED)
            line[0].set_title(label)
            level = tables[1].mean(axis=1)
            rows += [{"panel": label, "mel_band": band, "mean_db": value} for band, value in enumerate(level)]
        for axis in axes[-1]:
            axis.set_xlabel("seconds")
        label = "dB below the loudest of the reference"
        figure.colorbar(image, ax=axes, location="bottom", aspect=50, shrink=0.6).set_label(label)
    return figure, pd.DataFrame(rows)


def tokens(run: Run, width: float = PAGE_INCHES) -> tuple[Figure, pd.DataFrame] | None:
    """Draw the tokens of one utterance for each codec that has any, each stream a row of pixels."""
    coded = with_tokens(run.records)
    utterance = fullest(run, coded, [item["id"] for item in run.manifest["utterances"]])
    if utterance is None:
        return None
    chosen = one_per_codec(run, coded[coded["utterance"] == utterance])
    rows = []
    with styled():
        figure = canvas(width, 1.25 * len(chosen) + 0.3)
        axes = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
        for axis, (_, row) in zip(axes, chosen.iterrows(), strict=True):
            codes = decode_codes(row["codes"])
            shown = codes[:, : max(1, math.ceil(codes.shape[1] * min(1.0, SHOWN_SECONDS / row["seconds"])))]
            seconds = min(SHOWN_SECONDS, row["seconds"])
            axis.imshow(
                scattered(shown), origin="lower", aspect="auto", cmap="twilight", interpolation="nearest",
                extent=(0, seconds, -0.5, shown.shape[0] - 0.5), vmin=0, vmax=1,
            )  # fmt: skip
            axis.grid(visible=False)
            axis.set_title(point_label(row["codec"], row["point"]))
            axis.set_ylabel("stream", color=MUTED)
            label = point_label(row["codec"], row["point"])
            lines = [" ".join(map(str, line)) for line in shown]
            rows += [{"panel": label, "stream": place, "tokens": line} for place, line in enumerate(lines)]
        axes[-1].set_xlabel("seconds")
    return figure, pd.DataFrame(rows)


def scattered(codes: Codes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return tokens as values in [0, 1) that keep equal ones equal and set neighbouring numbers apart."""
    golden = (math.sqrt(5) - 1) / 2
    return np.asarray(np.mod(codes * golden, 1.0), dtype=np.float64)


def fullest(run: Run, records: pd.DataFrame, utterances: Sequence[str]) -> str | None:
    """Return the first of the utterances with records of the most codecs, the own models' above all."""

    def wealth(utterance: str) -> tuple[bool, int]:
        codecs = set(records[records["utterance"] == utterance]["codec"])
        return not run.ours.isdisjoint(codecs), len(codecs)

    known = set(records["utterance"])
    return max((name for name in utterances if name in known), key=wealth, default=None)
