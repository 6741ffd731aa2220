"""Figures of the model card of spc and of its experiments: held against code, weights, recipes, kept data."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

from codecbench import registry
from codecbench.codec import Codec
from codecbench_spc.bits.bitstream import PACKET_COLUMNS
from codecbench_spc.bits.layout import PATCH_ROWS
from codecbench_spc.codec import COLUMN_RATE_HZ, FRAME_MS, PATCH_DELAY_MS
from codecbench_spc.model import header, mel
from codecbench_spc.model.quantizer import TOKEN_BITS
from codecbench_spc.training.recipe import Recipe, load_recipe, shipped_recipe
from house import ROOT
from told import Told, flat, missing, read, records, rows, unheld

CARD = "codecs/spc/README.md"
EXPERIMENTS = "codecs/spc/EXPERIMENTS.md"


@cache
def codec(name: str) -> Codec:
    return registry.codec(name)


@cache
def shipped(name: str) -> Mapping[str, Any]:
    """Return the configuration of the VQ-VAE of a shipped checkpoint."""
    config: Mapping[str, Any] = header.describe(header.folder() / f"{name}.safetensors").config
    return config


@cache
def recipe(name: str) -> Recipe:
    return load_recipe(shipped_recipe(name))


def spc(key: str) -> Any:
    return shipped("spc")["vqvae"][key]


def synthesis(key: str) -> Any:
    return shipped("spc")["synthesis"][key]


def weights(name: str) -> float:
    """Return the values of a shipped file in millions."""
    return sum(header.describe(header.folder() / f"{name}.safetensors").parameters.values()) / 1e6


def delay() -> tuple[float, float, float]:
    lookahead = FRAME_MS * synthesis("lookahead")
    return PATCH_DELAY_MS + lookahead, PATCH_DELAY_MS, lookahead


def patches() -> tuple[Any, ...]:
    """Return frames, ms, heights of patches with the bands that the lower two cover, and the mean height."""
    (low, low_rows), (middle, middle_rows), (high, _) = spc("patch_bands")
    mean = mel.MEL_BANDS // PATCH_ROWS
    return mel.PATCH_FRAMES, FRAME_MS, low, low * low_rows, middle, middle * middle_rows, high, mean


def books() -> tuple[int, ...]:
    """Return the residual codebooks of rvq at each rate, and the codes of one."""
    size = shipped("rvq")["vqvae"]["book_size"]
    first, *others = (PATCH_ROWS * bits // (size.bit_length() - 1) for bits in TOKEN_BITS)
    return first, size, *others


SAID: list[tuple[str, Callable[[], Any]]] = [
    ("*Spectrogram Patch Codec: A 2D Block-Quantized VQ-VAE", tuple),
    ("M. Arjona Ramirez, 2025, arXiv:2509.02244", tuple),
    ("| input | {:g} kHz mono speech", lambda: mel.SAMPLE_RATE_HZ / 1000),
    ("| rates | {:g}, {:g}, {:.1f}, {:g} kbit/s", lambda: tuple(
        PATCH_ROWS * bits * COLUMN_RATE_HZ / 1000 for bits in TOKEN_BITS)),
    ("from one checkpoint ({}, {}, {}, {} bits a patch)", lambda: TOKEN_BITS),
    ("{:g} token columns a second, {} tokens a column", lambda: (COLUMN_RATE_HZ, PATCH_ROWS)),
    ("{} frames of {:g} ms by {} mel bands (the lowest {}), {} (the next {}) or {} (the rest): {}",
     patches),
    ("| delay | {:g} ms: {:g} ms for a patch with its windows, {:g} ms of look-ahead of the", delay),
    ("`spc` {:.2f} M, `rvq` {:.2f} M (codebooks included)", lambda: tuple(
        codec(name).info.parameters / 1e6 for name in ("spc", "rvq"))),
    ("not in use by default, {:.2f} M, shared by both", lambda: weights("vocoder")),
    ("trained on CC-BY 4.0, Apache-2.0 and CC0 speech", tuple),
    ("window {}, hop {}, {} Slaney bands, natural logarithm of the magnitude clamped to 1e-5", lambda: (
        mel.WINDOW_LENGTH, mel.HOP_LENGTH, mel.MEL_BANDS) if mel.LOG_FLOOR == 1e-5 else ()),
    ("a {}x4 convolution of stride {} cuts", lambda: (mel.PATCH_FRAMES, mel.PATCH_FRAMES)),
    ("ConvNeXt blocks ({} in the encoder, {} in the decoder, {} channels) work on the grid of {}", lambda: (
        spc("encoder_blocks"), spc("decoder_blocks"), spc("channels"), PATCH_ROWS)),
    ("one codebook of {} codes of {} dimensions", lambda: (spc("codebook_size"), spc("code_width"))),
    ("an encoder that has learned for {} steps", lambda: recipe("cpu").stages["vqvae"].quantize_from),
    ("the first {}, {} and {} codes of the one", lambda: tuple(1 << bits for bits in TOKEN_BITS[1:])),
    ("with {} residual codebooks of {} codes ({}, {}, {} at the lower rates)", books),
    ("are corrected {} times until", lambda: synthesis("steps")),
    ("patches of three heights in place of 4x4 everywhere", tuple),
    ("code width {} in place of {} and a smaller model", lambda: (
        spc("code_width"), recipe("paper").vqvae.code_width)),
    ("and an L2 term instead", tuple),
    ("(tried for {:,} steps, `recipes/cpu-adversarial.toml`", lambda: (
        recipe("cpu-adversarial").stages["adversarial"].steps)),
    ("`spc:hifigan`: 4x4 patches, PatchGAN, HiFi-GAN", tuple),
    ("beside the repository: {:g} kHz mono files", lambda: mel.SAMPLE_RATE_HZ / 1000),
    ("(of the VQ-VAE at {} and {} bits,", lambda: (TOKEN_BITS[0], TOKEN_BITS[-1])),
    ("`stages.STAGE.codebook_decay` is {}; later stages want {} or more", lambda: tuple(
        short(recipe(name).stages["vqvae"].codebook_decay, 2) for name in ("cpu", "cpu-heard"))),
    ("all together stay under 40 MB", lambda: assert_shipped_under(40e6)),
    ("Read speech in English, German and Dutch, {:g} kHz", lambda: mel.SAMPLE_RATE_HZ / 1000),
    # Of the records, what recipes and weights say.
    ("random level ({:+g} to {:+g} dB)", lambda: recipe("cpu").data.gain_db),
    ("for a quarter of the segments, speed ({:g} %)", lambda: (
        100 * recipe("cpu").data.speed if recipe("cpu").data.speed_probability == 0.25 else ())),
    ("| `spc` VQ-VAE | {} | {:.1f} h |", lambda: cost("cpu")),
    ("| `rvq` VQ-VAE | {} | {:.1f} h |", lambda: cost("cpu-rvq")),
    ("(`cpu-heard.toml`) | {} | {:.1f} h |", lambda: cost("cpu-heard")),
    ("(`cpu-heard-rvq.toml`) | {} | {:.1f} h |", lambda: cost("cpu-heard-rvq")),
    ("| `hifigan` (width {}) | {:.2f} M |", lambda: (
        header.describe(header.folder() / "vocoder-hifigan.safetensors").config["vocoder"]["channels"],
        weights("vocoder-hifigan"))),
    ("| `convnext-istft` | {:.2f} M |", lambda: weights("vocoder")),
    ("every packet of four columns", lambda: () if PACKET_COLUMNS == 4 else PACKET_COLUMNS),
]  # fmt: skip


def assert_shipped_under(most_bytes: float) -> tuple[()]:
    assert sum(path.stat().st_size for path in header.folder().glob("*.safetensors")) < most_bytes
    return ()


def cost(name: str) -> tuple[int, float]:
    """Return the steps of a recipe's VQ-VAE and the hours of audio that they take."""
    stage = recipe(name).stages["vqvae"]
    seconds = stage.steps * stage.batch_size * stage.segment_frames * mel.HOP_LENGTH / mel.SAMPLE_RATE_HZ
    return stage.steps, seconds / 3600


TOLD = [Told(text, figures) for text, figures in SAID]


@pytest.mark.parametrize("item", TOLD, ids=[item.text[:50] for item in TOLD])
def test_what_the_card_says_is_what_ships(item: Told) -> None:
    assert missing(read(CARD), item) is None


def test_no_other_figure_stands_on_the_card() -> None:
    assert unheld(read(CARD), TOLD) == []


@pytest.mark.parametrize("page", [CARD, EXPERIMENTS])
def test_each_record_names_its_command(page: str) -> None:
    named = list(records(read(page)))
    assert len(named) > 2
    assert [block for block in named if "`" not in block and ":" not in block] == []


def test_experiments_are_records() -> None:
    assert unheld(read(EXPERIMENTS), []) == []


def short(value: float, digits: int, sign: str = "") -> str:
    """Return a number as the tables have it: no zero before the point, no sign of nothing."""
    text = f"{value:{sign}.{digits}f}"
    if not float(text):
        text = text.lstrip("+-")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def chance(p: float) -> str:
    """Return a p-value as the tables have it."""
    if p < 0.00095:
        return "< .001"
    return "1" if p >= 0.995 else short(p + 1e-9, 3 if p < 0.0095 else 2)


def kept(name: str) -> list[dict[str, str]]:
    """Return the rows of a table in docs/measured."""
    with (ROOT / "docs" / "measured" / name).open(newline="") as file:
        return list(csv.DictReader(file))


DIGITS = {"stoi": 4, "pesq-wb": 2, "mcd": 2, "dnsmos": 2, "visqol": 2}


COMPARED = {
    "spc-synthesis.csv": ("## The adversarial stage", {
        "adversarial stage": ("heard", "adversarial"), "vocoder, no consistency": ("heard", "vocoder"),
        "8 steps": ("heard", "steps-8"), "128 steps": ("heard", "steps-128"),
    }),
    "spc-paired.csv": ("## Patches of twice the height", {
        "paired rows": ("heard", "paired"), "paired rows, from row 8": ("adversarial", "paired"),
        "paired rows, from the shipped `rvq`": ("rvq", "paired"),
    }),
}  # fmt: skip
"""Kept comparisons: the heading of their table, and of each row what was compared with what."""


@pytest.mark.parametrize("name", COMPARED)
def test_tables_of_differences_are_the_kept_comparisons(name: str) -> None:
    """A file in docs/measured is what `codecbench compare --format csv` gave of each pair."""
    heading, named = COMPARED[name]
    table = {(row["a"], row["b"], row["metric"]): row for row in kept(name)}
    page = read(EXPERIMENTS)
    seen = set()
    for _, what, rate, *cells in rows(page[page.index(heading) :], "# | |"):
        one, other = next(iter(named.values())) if what == "shipped" else named[what]
        for (metric, digits), cell in zip(DIGITS.items(), cells, strict=True):
            row = table[f"{one}@{rate}", f"{other}@{rate}", metric]
            if what == "shipped":
                assert cell == short(float(row["mean_a"]), digits), (what, rate, metric)
                continue
            seen.add((row["a"], row["b"], metric))
            low, high = (short(float(row[name]), digits) for name in ("low", "high"))
            gain = short(float(row["difference"]), digits, "+")
            assert cell == f"{gain} [{low}, {high}], {chance(float(row['p_holm']))}", (what, rate, metric)
    assert seen == table.keys()


def test_the_sentences_below_that_table_are_of_its_data() -> None:
    assert "no significant difference in any of ten comparisons" in flat(read(EXPERIMENTS))
    compared = kept("spc-synthesis.csv")
    tried = [float(row["p_holm"]) for row in compared if row["b"].startswith("adversarial")]
    assert len(tried) == 10
    assert min(tried) > 0.05
