"""Write the held-out speech of the training set as a dataset folder: what experiments are judged by.

    python scripts/make_held_out.py OUT

Pieces of 4 s, at most three of an utterance.  Each is there twice: as it is, and through a random
microphone, with noise and at another level (column `condition` of the manifest), because codecs lose most in
rooms that they have not heard.  Two checkpoints are then compared as any two codecs:

    codecbench run --data OUT --codecs spc:A.safetensors@7.5,spc:B.safetensors@7.5 --out runs/a-b
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from codecbench.audio import save
from codecbench_spc.model.mel import SAMPLE_RATE_HZ
from codecbench_spc.training.data import Samples, SpeechCache, microphone, noisy
from codecbench_spc.training.recipe import load_recipe, shipped_recipe

SEED = 20
PIECE = 4 * SAMPLE_RATE_HZ
PIECES = 3
LEVEL_DB = (-15.0, 3.0)


def held_out() -> Iterator[tuple[str, str, Samples]]:
    """Stem, source and samples of each piece of the utterances that training never sees."""
    cache = SpeechCache(load_recipe(shipped_recipe("cpu")).data)
    for utterance in cache.utterances:
        if utterance.held_out:
            for piece in range(PIECES):
                wave = cache.wave(utterance, piece * PIECE, PIECE)
                if piece == 0 or len(wave) > PIECE // 2:
                    yield f"{Path(utterance.file).stem}-{piece}", utterance.source, wave


def elsewhere(wave: Samples, rng: np.random.Generator) -> Samples:
    """Return a wave `[n]` as another microphone in another room would have it, at another level."""
    changed = noisy(microphone(wave, rng), rng)
    gain = 10.0 ** (rng.uniform(*LEVEL_DB) / 20.0) * np.sqrt(np.mean(wave**2) / np.mean(changed**2))
    return np.asarray(changed * min(gain, 0.99 / np.abs(changed).max()), dtype=np.float32)


def main() -> None:
    """Write audio and manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    rows = []
    for stem, source, wave in held_out():
        for condition, version in (("plain", wave), ("elsewhere", elsewhere(wave, rng))):
            name = f"{stem}-{condition}.wav"
            save(out / name, version, SAMPLE_RATE_HZ)
            rows.append((name, stem.rsplit("-", 1)[0], source, condition))
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "speaker", "source", "condition"), *rows])
    click.echo(f"{len(rows)} files in {out}")


if __name__ == "__main__":
    main()
