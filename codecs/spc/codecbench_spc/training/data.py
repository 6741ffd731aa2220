"""Training audio: decoded once into a memory map; batches that depend on seed, stage and step alone."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch
from torch import Tensor

from codecbench.errors import InvalidInput, Unavailable
from codecbench_spc.model.mel import HOP_LENGTH, SAMPLE_RATE_HZ
from codecbench_spc.training.recipe import DataConfig, Recipe, StageConfig

FULL_SCALE = 32768.0
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Utterance:
    """One file in the cache: where its samples start, how many they are, and what it may be used for."""

    file: str
    source: str
    start: int
    samples: int
    held_out: bool


def speech_folder() -> Path:
    """Folder with `train/` and `test/`: `$CODECBENCH_SPEECH`, else `shared/speech` beside the repository."""
    named = os.environ.get("CODECBENCH_SPEECH")
    return Path(named) if named else Path(__file__).resolve().parents[5] / "shared" / "speech"


def training_folder(config: DataConfig) -> Path:
    """Folder of the training set, checked.

    Raises
    ------
    Unavailable
        If there is no manifest.
    """
    folder = Path(config.folder) if config.folder else speech_folder() / "train"
    if not (folder / "manifest.csv").is_file():
        raise Unavailable(
            f"no training set: {folder / 'manifest.csv'} does not exist",
            "set CODECBENCH_SPEECH or data.folder in the recipe",
        )
    return folder


def read_manifest(folder: Path, config: DataConfig) -> list[tuple[str, str, bool]]:
    """File, source and held-out flag of each utterance, in the order of the manifest.

    Of the first source whole speakers are held out, of the others utterances, both by a hash of the name.
    """
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sources = list(config.sources) or [""]
    named = [(row, next((s for s in sources if s in row["source"]), None)) for row in rows]
    used = [(row, source) for row, source in named if source is not None]
    if not used:
        raise InvalidInput(f"{folder / 'manifest.csv'}: no utterance of the sources {', '.join(sources)}")
    held_out: set[tuple[str, str]] = set()
    for position, source in enumerate(sources):
        column, count = ("speaker", config.held_out) if position == 0 else ("file", config.held_out_others)
        names = sorted({row[column] for row, s in used if s == source}, key=stable_hash)
        held_out.update((column, name) for name in names[:count])
    flags = [("speaker", row["speaker"]) in held_out or ("file", row["file"]) in held_out for row, _ in used]
    return [(row["file"], source, flag) for (row, source), flag in zip(used, flags, strict=True)]


def stable_hash(text: str) -> str:
    """Order that depends on the name alone."""
    return hashlib.sha256(text.encode()).hexdigest()


class SpeechCache:
    """All audio of a training set, decoded.

    Parameters
    ----------
    config : DataConfig
        The cache is made anew when the manifest or the choice of utterances changes.
    """

    def __init__(self, config: DataConfig) -> None:
        folder = training_folder(config)
        manifest = read_manifest(folder, config)
        key = stable_hash(json.dumps([str(folder.resolve()), manifest]))[:16]
        root = Path(config.cache) if config.cache else Path.home() / ".cache" / "codecbench" / "spc"
        index = root / f"{key}.json"
        if not index.is_file():
            build_cache(folder, manifest, root, key)
        self.utterances = [Utterance(**row) for row in json.loads(index.read_text(encoding="utf-8"))]
        self.samples: npt.NDArray[np.int16] = np.memmap(root / f"{key}.int16", dtype=np.int16, mode="r")

    def wave(self, utterance: Utterance, start: int = 0, count: int | None = None) -> npt.NDArray[np.float32]:
        """Samples of an utterance, or of a part of it, in [-1, 1)."""
        stop = utterance.samples if count is None else min(start + count, utterance.samples)
        part = self.samples[utterance.start + start : utterance.start + stop]
        return part.astype(np.float32) / FULL_SCALE


def build_cache(folder: Path, manifest: list[tuple[str, str, bool]], root: Path, key: str) -> None:
    """Decode every file; the index is written last, so that a cache without one is not used."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    start = 0
    unfinished = root / f"{key}.{os.getpid()}.tmp"
    with unfinished.open("wb") as out:
        for name, source, held_out in manifest:
            wave, rate_hz = soundfile.read(folder / name, dtype="int16")
            if rate_hz != SAMPLE_RATE_HZ or wave.ndim != 1:
                raise InvalidInput(
                    f"{folder / name}: training needs 16 kHz mono, not {rate_hz} Hz, {wave.ndim} axes"
                )
            out.write(wave.tobytes())
            rows.append(asdict(Utterance(name, source, start, len(wave), held_out)))
            start += len(wave)
    unfinished.replace(root / f"{key}.int16")
    partial = root / f"{key}.json.{os.getpid()}.tmp"
    partial.write_text(json.dumps(rows), encoding="utf-8")
    partial.replace(root / f"{key}.json")


class SpeechBatches:
    """Random segments; batch `step` is a function of seed, stage, rank and step: a resumed run sees the same.

    Parameters
    ----------
    cache : SpeechCache
    config : DataConfig
    key : tuple of int
        Seed, stage and rank: two stages or processes draw different segments.
    batch_size, segment_frames : int
        Segments a batch and mel frames a segment.
    """

    def __init__(
        self,
        cache: SpeechCache,
        config: DataConfig,
        key: tuple[int, ...],
        *,
        batch_size: int,
        segment_frames: int,
    ) -> None:
        self.cache = cache
        self.config = config
        self.key = key
        self.batch_size = batch_size
        self.segment_samples = segment_frames * HOP_LENGTH
        pools: dict[str, list[Utterance]] = {}
        for utterance in cache.utterances:
            if not utterance.held_out:
                pools.setdefault(utterance.source, []).append(utterance)
        self.pools = list(pools.values())
        shares = np.array([config.sources.get(source, 1.0) for source in pools])
        self.shares = shares / shares.sum()
        self.lengths = [np.array([u.samples for u in pool], dtype=np.float64) for pool in self.pools]

    @classmethod
    def of_stage(cls, recipe: Recipe, name: str, config: StageConfig, rank: int = 0) -> SpeechBatches:
        """The batches of a stage of a recipe, in process `rank`."""
        return cls(
            SpeechCache(recipe.data),
            recipe.data,
            (recipe.seed, zlib.crc32(name.encode()), rank),
            batch_size=config.batch_size,
            segment_frames=config.segment_frames,
        )

    def batch(self, step: int) -> Tensor:
        """Samples `[B, n]` of step `step`."""
        rng = np.random.default_rng([*self.key, step])
        return torch.from_numpy(np.stack([self.segment(rng) for _ in range(self.batch_size)]))

    def segment(self, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """One segment: a source by its share, an utterance by its length, a place, a speed and a gain."""
        source = rng.choice(len(self.pools), p=self.shares)
        lengths = self.lengths[source]
        utterance = self.pools[source][rng.choice(len(lengths), p=lengths / lengths.sum())]
        speed = 1.0
        if rng.random() < self.config.speed_probability:
            speed = 1.0 + rng.uniform(-self.config.speed, self.config.speed)
        needed = int(np.ceil(self.segment_samples * speed)) + 1 if speed != 1.0 else self.segment_samples
        start = int(rng.integers(0, max(1, utterance.samples - needed + 1)))
        wave = self.cache.wave(utterance, start, needed)
        if speed != 1.0:
            wave = soxr.resample(wave, speed, 1.0, quality="MQ")
        if rng.random() < self.config.microphone_probability:
            wave = microphone(wave, rng)
        if rng.random() < self.config.noise_probability:
            wave = noisy(wave, rng)
        gain = 10.0 ** (rng.uniform(*self.config.gain_db) / 20.0)
        gain = min(gain, 0.99 / max(float(np.abs(wave).max(initial=0.0)), 1e-4))
        out = np.zeros(self.segment_samples, dtype=np.float32)
        kept = min(len(wave), self.segment_samples)
        out[:kept] = gain * wave[:kept]
        return out


def microphone(wave: Samples, rng: np.random.Generator) -> Samples:
    """Return a wave `[n]` through a smooth random response: a tilt and three ripples along log frequency."""
    spectrum = np.fft.rfft(wave)
    octave = np.log2(1.0 + 31.0 * np.linspace(0.0, 1.0, len(spectrum))) / 5.0
    gain_db = rng.normal(0.0, 4.0) * (2.0 * octave - 1.0)
    for ripple in range(1, 4):
        phase = rng.uniform(0.0, 2.0 * np.pi)
        gain_db = gain_db + rng.normal(0.0, 4.0 / ripple) * np.cos(np.pi * ripple * octave + phase)
    return np.asarray(np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), n=len(wave)), dtype=np.float32)


def noisy(wave: Samples, rng: np.random.Generator) -> Samples:
    """Return a wave `[n]` with noise of a random tilt, 15 to 45 dB below it."""
    noise = np.fft.rfft(rng.standard_normal(len(wave)))
    noise *= (np.arange(len(noise)) + 20.0) ** -rng.uniform(0.0, 0.8)
    made = np.fft.irfft(noise, n=len(wave))
    speech = np.mean(np.square(wave, dtype=np.float64))
    level = np.sqrt(speech / max(float(np.mean(made**2)), 1e-12))
    return np.asarray(wave + made * level * 10.0 ** (-rng.uniform(15.0, 45.0) / 20.0), dtype=np.float32)


def validation_waves(cache: SpeechCache, config: DataConfig) -> list[npt.NDArray[np.float32]]:
    """The fixed validation set: held-out utterances, shared among the sources as in training."""
    total = sum(config.sources.values()) or 1.0
    longest = int(config.validation_seconds * SAMPLE_RATE_HZ)
    waves = []
    for source in config.sources or {"": 1.0}:
        count = round(config.validation_utterances * config.sources.get(source, 1.0) / total)
        held_out = [
            u for u in cache.utterances if u.held_out and u.source == source and u.samples >= SAMPLE_RATE_HZ
        ]
        waves += [cache.wave(u, 0, longest) for u in held_out[:count]]
    if not waves:
        raise InvalidInput("the training set leaves no utterance of a second or more for validation")
    return waves
