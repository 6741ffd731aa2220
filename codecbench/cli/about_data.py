"""Notes on a speech set before it is run, on stderr: speakers, what was left out, narrow band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from codecbench import audio
from codecbench.cli.progress import note
from codecbench.codec import DecodedFiles, Wave
from codecbench.data.folders import Dataset, Utterance
from codecbench.errors import CodecBenchError
from codecbench.run.plan import Plan

MOST_NOTES = 10
LOOKED_AT = 12
"""References that are looked at for their bandwidth."""

NARROWBAND_HZ = 4000
NARROWBAND_SHARE = 1e-6
"""Share of the energy above `NARROWBAND_HZ` under which speech is narrowband; real wideband has over 1e-4."""


def say(plan: Plan, whole: Dataset) -> None:
    """Say who speaks, what was left out of the folders, and what a metric will make of the references."""
    say_notes(whole.notes)
    for entry in plan.contestants:
        if isinstance(entry.codec, DecodedFiles):
            say_notes(entry.codec.notes)
    note(speakers(whole))
    if any(metric.name == "pesq-wb" for metric in plan.metrics):
        say_narrowband(plan.dataset.utterances)


def say_notes(notes: Sequence[str]) -> None:
    """Say the first notes, and how many more there are."""
    for line in notes[:MOST_NOTES]:
        note(line)
    if len(notes) > MOST_NOTES:
        note(f"and {len(notes) - MOST_NOTES} more were left out")


def speakers(dataset: Dataset) -> str:
    """Return how many speakers a set has and how they were told apart."""
    names = {item.speaker for item in dataset.utterances}
    text = f"speakers: {len(names)}" + (f", from {dataset.speakers_from}" if dataset.speakers_from else "")
    if len(names) > 1:
        return text
    return f"{text}; with one speaker intervals hold for it alone (manifest.csv can name the speakers)"


def say_narrowband(utterances: Iterable[Utterance]) -> None:
    """Say it where references have nothing above 4 kHz: PESQ-WB then says little about them."""
    looked = list(utterances)[:LOOKED_AT]
    narrow = sum(_is_narrowband(item) for item in looked)
    if narrow:
        note(
            f"{narrow} of the first {len(looked)} references have nothing above {NARROWBAND_HZ // 1000} kHz: "
            "PESQ-WB is made for wideband references, read PESQ-NB for these"
        )


def _is_narrowband(item: Utterance) -> bool:
    try:
        wave, rate_hz = audio.load(item.path)
    except CodecBenchError:
        return False  # its cells will fail with the reason
    return rate_hz <= 2 * NARROWBAND_HZ or _share_above(wave, rate_hz, NARROWBAND_HZ) < NARROWBAND_SHARE


def _share_above(wave: Wave, rate_hz: int, cutoff_hz: float) -> float:
    """Return the share of a wave's energy above a frequency; 1 where it is silent."""
    window = 1 << 12
    frames = audio.fit(wave, -(-wave.size // window) * window).reshape(-1, window) * np.hanning(window)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1))).sum(axis=0)
    total = float(power.sum())
    first = round(cutoff_hz * 1.03 / rate_hz * window)
    return float(power[first:].sum()) / total if total > 0 else 1.0
