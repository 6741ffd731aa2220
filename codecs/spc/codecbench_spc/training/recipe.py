"""Recipes: TOML files read into frozen dataclasses, with an error for every key that is not known."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codecbench.errors import InvalidInput
from codecbench.files import read_toml
from codecbench_spc.config import build, shipped_folder
from codecbench_spc.model.synthesis import SynthesisConfig
from codecbench_spc.model.vocoder import VocoderConfig
from codecbench_spc.model.vqvae import VqvaeConfig
from codecbench_spc.training.discriminators import DiscriminatorConfig


@dataclass(frozen=True)
class HeardConfig:
    """Weights of the loss `heard_l1`: where an error is heard more or less.

    Attributes
    ----------
    floor : float
        Of the quietest places; the loudest have one more.
    frame : float
        What loud frames have besides.
    low_gain : float
        What bands far below `low_bands` have besides, in shares.
    low_bands : float
        Below it, some 800 Hz, harmonics are resolved.
    high_loss, high_bands : float
        What bands far above `high_bands` lack, in shares.
    """

    floor: float = 0.15
    frame: float = 0.6
    low_gain: float = 2.5
    low_bands: float = 22.0
    high_loss: float = 0.4
    high_bands: float = 52.0


KEPT = ("best", "last")
STAGES = ("vqvae", "adversarial", "vocoder", "joint")


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    Attributes
    ----------
    folder : str
        Holds `manifest.csv` and the audio; empty: `$CODECBENCH_SPEECH/train`, else `../shared/speech/train`.
    cache : str
        Folder for the decoded audio; empty: `~/.cache/codecbench/spc`.
    sources : dict
        Share of each source in a batch, by a word of the manifest's column `source`.
    held_out, held_out_others : int
        Speakers of the first source, and utterances of each other one, kept for validation.
    validation_utterances : int
        How many of them are scored, shared among sources as in training.
    validation_seconds : float
        Longest part of each that is scored.
    gain_db : tuple of float
        Range of the random gain.
    speed : float
        Largest relative change of speed.
    speed_probability : float
        Share of the segments whose speed is changed.
    microphone_probability, noise_probability : float
        Shares of the segments that go through a random microphone, and that get noise.
    """

    folder: str = ""
    cache: str = ""
    sources: dict[str, float] = field(default_factory=dict)
    held_out: int = 12
    held_out_others: int = 3
    validation_utterances: int = 12
    validation_seconds: float = 4.0
    gain_db: tuple[float, float] = (-12.0, 6.0)
    speed: float = 0.05
    speed_probability: float = 0.25
    microphone_probability: float = 0.0
    noise_probability: float = 0.0


@dataclass(frozen=True)
class StageConfig:
    """One stage of training.

    Attributes
    ----------
    steps : int
        Optimiser steps of the stage in all.
    batch_size, segment_frames : int
        Segments a batch and mel frames (of 8 ms) a segment.
    learning_rate, final_learning_rate : float
        Constant after `warmup_steps`, then falling by a cosine over the last `decay` of the steps.
    adversarial_from : int
        First step with discriminators; `steps` or more: none.
    adversarial_learning_rate : float
        Of the discriminators.
    ema_decay : float
        Of the averaged weights that are validated and shipped; 0: none.
    mel_loss_scales : int
        How many window lengths of the multi-scale mel loss a step draws.
    full_rate : float
        Share of the items that the VQ-VAE codes with all 12 bits; the lower rates share the rest.
    codecs : tuple of str
        Checkpoints whose reconstructed mels a vocoder learns from, drawn alike; empty: mels of the recording.
    quantize_from : int
        First step with a quantizer: codebooks that start from a trained encoder's data stay in use.
    codebook_decay : float
        Of the codebooks' moving averages.  0.97 for the first stage; later ones want 0.99 or more.
    keep : str
        Which validated weights are shipped: `best`, or `last`, right where the learning rate falls to
        nothing: scores of a few utterances scatter more than the last steps gain.
    grow : bool
        Whether a warm start may lack parts of the model; they start at nothing.
    weights : dict
        Weight of each loss by name.
    heard : HeardConfig
        For the loss `heard_l1`.
    lpips_weights : str
        Safetensors file of a VGG-16, only for the loss `lpips`.
    """

    steps: int = 1000
    batch_size: int = 8
    segment_frames: int = 128
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-5
    warmup_steps: int = 100
    decay: float = 0.2
    adversarial_from: int = 1_000_000_000
    adversarial_learning_rate: float = 5e-4
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.0
    ema_decay: float = 0.999
    mel_loss_scales: int = 6
    full_rate: float = 0.7
    quantize_from: int = 300
    validate_every: int = 250
    save_every: int = 250
    codecs: tuple[str, ...] = ()
    codebook_decay: float = 0.97
    keep: str = "best"
    grow: bool = False
    weights: dict[str, float] = field(default_factory=dict)
    heard: HeardConfig = field(default_factory=HeardConfig)
    lpips_weights: str = ""


@dataclass(frozen=True)
class Recipe:
    """All that a training run is made of; a copy goes into each checkpoint.

    `codec` names the codec's checkpoint (`spc` gives `spc.safetensors`), `order` the stages to run.
    """

    name: str
    codec: str = "spc"
    seed: int = 1
    order: tuple[str, ...] = ("vqvae", "adversarial", "vocoder")
    patch_discriminator_channels: int = 32
    data: DataConfig = field(default_factory=DataConfig)
    vqvae: VqvaeConfig = field(default_factory=VqvaeConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    discriminators: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    stages: dict[str, StageConfig] = field(default_factory=dict)


def load_recipe(path: Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : Path
        A TOML file.
    overrides : mapping, optional
        Values in TOML's own notation (a bare word is a string) by dotted key, such as `vocoder.generator`.

    Raises
    ------
    InvalidInput
        If the file is not TOML, or a key or a value does not belong in a recipe.
    """
    table = read_table(path)
    for key, text in (overrides or {}).items():
        set_key(table, key, parse_value(text))
    recipe = build(Recipe, table, str(path))
    for name in (*recipe.stages, *recipe.order):
        if name not in STAGES:
            raise InvalidInput(f"{path}: no stage is called {name!r}; the stages are {', '.join(STAGES)}")
    for name, stage in recipe.stages.items():
        if stage.keep not in KEPT:
            raise InvalidInput(f"{path}: stages.{name}.keep is {' or '.join(KEPT)}, not {stage.keep!r}")
    return recipe


def shipped_recipe(name: str) -> Path:
    """File of a recipe that comes with the package."""
    return shipped_folder("recipes") / f"{name}.toml"


def read_table(path: Path) -> dict[str, Any]:
    """A TOML file, over the one beside it that its key `base` names, if any."""
    try:
        table = read_toml(path)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"cannot read the recipe {path}: {error}") from error
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str) or Path(base).name in ("", path.name):
        raise InvalidInput(f"{path}: base must name another recipe, not {base!r}")
    return merge(read_table(path.with_name(Path(base).name)), table)


def merge(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables on top of tables, key by key."""
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def parse_value(text: str) -> Any:
    """Value written as in TOML, or a bare word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def set_key(table: dict[str, Any], key: str, value: Any) -> None:
    """Set `a.b.c` in nested tables."""
    *parents, last = key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
    table[last] = value


def as_table(recipe: Any) -> dict[str, Any]:
    """Nested tables of a recipe or of one of its parts, for JSON."""
    return dataclasses.asdict(recipe)
