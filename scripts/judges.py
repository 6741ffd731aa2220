"""What the metrics cost and what anchors their scores, measured on real speech: ``docs/measured/judges.csv``.

``python scripts/judges.py FOLDER`` takes a folder of speech with several utterances a speaker.  Rows are

- ``cost``: processor seconds of each metric for one second of speech, one thread, each pair new to it;
- ``speaker-similarity``: pairs of utterances of one speaker, and of two speakers;
- ``f0-rmse``, ``f0-voicing``: the second extractor against the first on the same undegraded speech.

Columns: ``what``, ``name``, ``n`` (utterances or pairs), ``mean``, and ``low``, ``high``, its 5th and 95th
percentiles.
"""

from __future__ import annotations

import csv
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from codecbench import audio, registry
from codecbench.codec import Wave
from codecbench.data.folders import load_dataset
from codecbench.errors import Unavailable, Unscorable
from codecbench.metrics.f0 import F0Error, VoicingError
from codecbench.metrics.speaker import SpeakerSimilarity
from codecbench.testing.signals import RATE_HZ, with_noise

OUT = Path(__file__).parents[1] / "docs" / "measured" / "judges.csv"
COLUMNS = ("what", "name", "n", "mean", "low", "high")
TIMED, COMPARED = 4, 40
ANY_TEXT = "for what is measured against a transcript"

Row = tuple[str, str, int, float, float, float]


def main(folder: str) -> None:
    """Measure and write the table."""
    speech = [(item.speaker, audio.load_at(item.path, RATE_HZ)) for item in load_dataset(folder).utterances]
    waves = [wave for _, wave in speech]
    rows = [*costs(waves[:TIMED]), *voices(speech), *pitches(waves[:COMPARED])]
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((*row[:3], *(f"{value:.4g}" for value in row[3:])) for row in rows)


def costs(waves: Sequence[Wave]) -> Iterator[Row]:
    """Yield what every metric costs; the first pair warms up and does not count."""
    for place, name in enumerate(registry.names(registry.METRICS)):
        # Metrics of a family remember what they computed: another gain makes every pair new to all.
        gain = np.float32(0.9 - 0.01 * place)
        metric = registry.metric(name).knowing({"text": ANY_TEXT})
        try:
            metric.check()
            metric.open()
        except Unavailable as error:
            sys.stderr.write(f"{name}: {error}\n")
            continue
        took = []
        for seed, wave in enumerate(waves):
            given = gain * wave, gain * with_noise(wave, 30.0, seed)
            pair = [audio.resample(item, RATE_HZ, metric.sample_rate_hz) for item in given]
            begin = time.process_time()
            try:
                metric(*pair)
            except Unscorable:
                continue
            took.append((time.process_time() - begin) / (wave.size / RATE_HZ))
        yield _row("cost", name, took[1:])


def voices(speech: Sequence[tuple[str, Wave]]) -> Iterator[Row]:
    """Yield how alike a speaker's own utterances are, and those of two speakers."""
    metric = SpeakerSimilarity()
    embedded = [(speaker, metric.embedding(wave)) for speaker, wave in speech]
    same: list[float] = []
    other: list[float] = []
    for (one, a), (two, b) in itertools.combinations(embedded, 2):
        (same if one == two else other).append(float(a @ b))
    if same:
        yield _row("speaker-similarity", "same speaker, other utterance", same)
    yield _row("speaker-similarity", "other speaker", other)


def pitches(waves: Sequence[Wave]) -> Iterator[Row]:
    """Yield how far the two extractors are apart on the same speech."""
    cents, voicing = [], []
    for wave in waves:
        swift, world = F0Error().track(wave), F0Error(extractor="world").track(wave)
        both = (swift > 0) & (world > 0)
        cents.append(float(np.sqrt(np.mean(np.square(1200.0 * np.log2(world[both] / swift[both]))))))
        voicing.append(100.0 * float(np.mean((swift > 0) != (world > 0))))
    yield _row(F0Error.name, "world against swift-f0", cents)
    yield _row(VoicingError.name, "world against swift-f0", voicing)


def _row(what: str, name: str, values: Sequence[float]) -> Row:
    low, high = np.percentile(values, [5, 95])
    return what, name, len(values), float(np.mean(values)), float(low), float(high)


if __name__ == "__main__":
    main(*sys.argv[1:])
