"""Make the demo set: utterances of LibriSpeech by sixteen speakers, 16 kHz FLAC and ``manifest.csv``.

The source is any folder that holds the utterances' FLAC files, named by LibriSpeech's ids: unpacked archives
of test-clean and test-other, or a selection of them::

    python scripts/make_demo.py LibriSpeech codecbench/data/demo

Samples stay as they are; only the FLAC coding is made anew.  Where LibriSpeech's ``.trans.txt`` files lie
beside the audio, the manifest gets a column ``text``.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import numpy as np
import pyworld
import soundfile

RATE_HZ = 16_000
SHORTEST_S, LONGEST_S = 3.0, 6.0
LOWEST_FEMALE_HZ = 165.0
"""Median fundamental frequency from which a voice counts as a woman's; the chosen ones lie 14 Hz off it."""

CHOSEN = {
    "test-clean": (
        "1089-134691-0001", "1995-1837-0024", "237-134500-0022", "260-123286-0018", "3570-5695-0003",
        "4077-13754-0003", "6829-68769-0025", "7729-102255-0023",
    ),
    "test-other": (
        "1998-15444-0007", "2033-164914-0004", "2414-128291-0006", "2609-156975-0001", "3005-163389-0001",
        "3080-5032-0000", "367-130732-0001", "533-1066-0008",
    ),
}  # fmt: skip
"""The utterances, one a speaker, by LibriSpeech's ids: speaker, chapter, utterance."""
LICENCE = "CC-BY-4.0"


def main(source: Path, folder: Path) -> None:
    """Write the FLAC files and the manifest into a folder."""
    texts = _texts(source)
    rows = []
    for part, names in CHOSEN.items():
        for name in names:
            wave = _wave(source, name)
            soundfile.write(folder / f"{name}.flac", wave, RATE_HZ, subtype="PCM_16")
            pitch_hz = median_f0_hz(wave)
            row = {
                "file": f"{name}.flac",
                "speaker": name.split("-")[0],
                "gender": "female" if pitch_hz >= LOWEST_FEMALE_HZ else "male",
                "f0_hz": f"{pitch_hz:.0f}",
                "seconds": f"{wave.size / RATE_HZ:.2f}",
                "source": f"LibriSpeech {part}",
                "licence": LICENCE,
            }
            rows.append(row | ({"text": texts[name]} if texts else {}))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as output:
        writer = csv.DictWriter(output, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["file"]))


def median_f0_hz(wave: np.ndarray[tuple[int], np.dtype[np.int16]]) -> float:
    """Return the median fundamental frequency over voiced frames of int16 [T], by WORLD's Harvest."""
    pitch, _ = pyworld.harvest(wave.astype(np.float64) / 32768, RATE_HZ, 60.0, 400.0)
    return float(np.median(pitch[pitch > 0]))


def _wave(source: Path, name: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return an utterance's samples, int16 [T]; exit where it is missing, doubled or not as expected."""
    found = [path for path in source.rglob("*.flac") if re.fullmatch(rf"(.*_)?{name}", path.stem)]
    if len(found) != 1:
        raise SystemExit(f"{source}: has {len(found)} files for {name}; give LibriSpeech's test sets")
    wave, rate_hz = soundfile.read(found[0], dtype="int16")
    if rate_hz != RATE_HZ or not SHORTEST_S <= wave.size / rate_hz <= LONGEST_S:
        raise SystemExit(
            f"{found[0]}: {wave.size / rate_hz:.2f} s at {rate_hz} Hz is not LibriSpeech's {name}"
        )
    return np.asarray(wave)


def _texts(source: Path) -> dict[str, str]:
    """Return the transcripts of the chosen utterances where the source has all of them, else none."""
    lines = [line for path in source.rglob("*.trans.txt") for line in path.read_text("utf-8").splitlines()]
    texts = dict(line.split(" ", 1) for line in lines if " " in line)
    chosen = [name for names in CHOSEN.values() for name in names]
    return texts if all(name in texts for name in chosen) else {}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="a folder with LibriSpeech's files, at any depth")
    parser.add_argument("folder", type=Path, help="where to write")
    main(**vars(parser.parse_args()))
