"""Where a codec's mel-cepstral distortion lies: in voiced frames or in unvoiced ones.

    codecbench run --codecs spc@7.5 --data SET --audio all --out RUN
    python scripts/mcd_voicing.py RUN

Over all kept audio.  An unvoiced frame of speech is noise, and the spectral envelope of MCD sees a few
milliseconds of it: two noises of one spectrum are far apart.  The last line has that distance, of white noise
against other white noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from codecbench import audio
from codecbench.codec import Wave
from codecbench.metrics.mcd import MelCepstralDistortion, distances
from codecbench.metrics.world import fundamental
from codecbench.store.layout import AUDIO

METRIC = MelCepstralDistortion()
NOISE_SECONDS = 20


def voiced(wave: Wave) -> npt.NDArray[np.bool_]:
    """Say which frames have a fundamental frequency, by the tracker that MCD uses, bool [T]."""
    f0, _ = fundamental(wave.astype(np.float64), METRIC.sample_rate_hz, METRIC.frame_ms)
    return np.asarray(f0 > 0.0)


def parts(ref: Wave, deg: Wave) -> tuple[float, float, float]:
    """MCD of a pair in voiced and in unvoiced frames of speech, dB, and the share of the unvoiced."""
    each = distances(METRIC.mel_cepstra(ref), METRIC.mel_cepstra(deg))
    speech = METRIC.speech_frames(ref, len(each))
    pitched = voiced(ref)[: len(each)]
    high, low = speech & pitched, speech & ~pitched
    return float(each[high].mean()), float(each[low].mean()), float(low.sum() / speech.sum())


def main() -> None:
    """Print a line for each codec and point."""
    parser = argparse.ArgumentParser(description="MCD of voiced and unvoiced frames of a run's kept audio")
    parser.add_argument("run", type=Path)
    folder = parser.parse_args().run / AUDIO
    for coded in sorted(path for path in folder.iterdir() if path.name != "reference"):
        rows = []
        for path in sorted(coded.glob("*.flac")):
            pair = (folder / "reference" / path.name, path)
            ref, deg = (audio.load_at(file, METRIC.sample_rate_hz) for file in pair)
            rows.append(parts(ref, audio.fit(deg, ref.size)))
        high, low, share = np.nanmean(rows, axis=0)
        click.echo(
            f"{coded.name}: voiced {high:.2f}, unvoiced {low:.2f} dB ({share:.0%} of speech), n {len(rows)}"
        )
    rng = np.random.default_rng(0)
    size = NOISE_SECONDS * METRIC.sample_rate_hz
    one, other = (0.1 * rng.standard_normal(size, dtype=np.float32) for _ in range(2))
    click.echo(f"two white noises: unvoiced {parts(one, other)[1]:.2f} dB")


if __name__ == "__main__":
    main()
