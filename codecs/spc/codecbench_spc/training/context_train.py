"""Training of the context model on the tokens of a checkpoint: ``codecbench train-context RECIPE.toml``.

The tables belong to the VQ-VAE whose tokens they were trained on, so this runs again whenever that one
changes. Training speakers only; the bits a token that the tables state are measured on the held-out ones.
"""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from codecbench.codec import Codes
from codecbench.errors import InvalidInput
from codecbench_spc.bits.bitstream import Mode, encode_payload
from codecbench_spc.bits.context import COLUMN_MARGIN, ROW_MARGIN, ContextModel, IntegerNetwork, visible
from codecbench_spc.bits.context_tables import NEIGHBOURS, RATES, Tables, save
from codecbench_spc.bits.layout import PATCH_ROWS, Layout, layouts_of
from codecbench_spc.config import build
from codecbench_spc.model import header
from codecbench_spc.training.context_network import ContextNetwork
from codecbench_spc.training.recipe import DataConfig

if TYPE_CHECKING:
    from codecbench_spc.model.vqvae import VQVAE

MODES = {Mode.STREAM: "-ec", Mode.PACKETS: "-ec-packets"}
"""How a table file names the modes whose rate it states."""


@dataclass(frozen=True)
class ContextRecipe:
    """How a context model is trained.

    Parameters
    ----------
    seed : int
        Of the initial weights, the levels, and the places drawn.
    steps, batch : int
        Optimiser steps, and places of the grid in each.
    learning_rate, final_learning_rate : float
        Of Adam, at the start and, after a cosine, at the end.
    dimension, hidden, last : int
        Sizes of `ContextNetwork`.
    shares : tuple of float
        How often each of 12, 10, 8 and 6 bits a token is drawn.
    cut : float
        Share of the places that see only 0, 1 or 2 columns of the past, as in the first columns of a packet.
    hours : float
        Most speech to be turned into tokens.
    measured_seconds : float
        Held-out speech whose coded size is measured at the end.
    data : DataConfig
        Where speech comes from, as in the recipes of the codec.
    """

    seed: int = 1
    steps: int = 4000
    batch: int = 2048
    learning_rate: float = 3e-3
    final_learning_rate: float = 1e-4
    dimension: int = 22
    hidden: int = 192
    last: int = 88
    shares: tuple[float, ...] = (0.55, 0.15, 0.15, 0.15)
    cut: float = 0.3
    hours: float = 3.0
    measured_seconds: float = 120.0
    data: DataConfig = field(default_factory=DataConfig)


def load_recipe(path: Path) -> ContextRecipe:
    """Read a recipe; an unknown key or a value of the wrong type raises `InvalidInput`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"cannot read the recipe {path}: {error}") from error
    recipe = build(ContextRecipe, table, str(path))
    if len(recipe.shares) != len(RATES) or min(recipe.steps, recipe.batch) < 1:
        raise InvalidInput(f"{path}: shares needs {len(RATES)} numbers, steps and batch at least 1")
    return recipe


class Grids:
    """Token grids of many utterances side by side, with nothing between them, for drawing places at random.

    Parameters
    ----------
    grids : iterable of dict
        For each utterance the codes `[F, T]` by bits a patch.
    layouts : dict
        Of the grids, by bits a patch.
    absent : int
        What stands for no code.
    """

    def __init__(self, grids: Iterable[dict[int, Codes]], layouts: dict[int, Layout], absent: int) -> None:
        pieces: dict[int, list[NDArray[np.int16]]] = {}
        places: list[NDArray[np.int64]] = []
        position = 0
        for grid in grids:
            columns = 0
            for bits, codes in grid.items():
                columns = codes.shape[1]
                gap = np.full((len(codes), COLUMN_MARGIN), absent, dtype=np.int16)
                pieces.setdefault(bits, []).extend([gap, codes.astype(np.int16)])
            places.append(position + COLUMN_MARGIN + np.arange(columns))
            position += COLUMN_MARGIN + columns
        if not places:
            raise InvalidInput("no speech to train the context model on")
        self.layouts = layouts
        self.absent = absent
        self.columns = torch.from_numpy(np.concatenate(places))
        margin = ((ROW_MARGIN, ROW_MARGIN), (0, 0))
        self.codes = {
            bits: torch.from_numpy(np.pad(np.concatenate(parts, axis=1), margin, constant_values=absent))
            for bits, parts in pieces.items()
        }

    def counts(self, bits: int) -> torch.Tensor:
        """Return how often each code of a rate occurs, float32 [2**code_bits]."""
        codes = self.codes[bits].flatten().long()
        size = 1 << self.layouts[bits].code_bits
        return torch.bincount(codes[codes != self.absent], minlength=size).float()

    def draw(
        self, bits: int, count: int, cut: float, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return neighbours `[n, 15]`, rows `[n]` and codes `[n]` of places drawn at random."""
        grid, height = self.codes[bits], self.layouts[bits].rows
        rows = torch.randint(height, (count,), generator=generator)
        columns = self.columns[torch.randint(len(self.columns), (count,), generator=generator)]
        past = torch.randint(COLUMN_MARGIN, (count,), generator=generator)
        past[torch.rand(count, generator=generator) >= cut] = COLUMN_MARGIN
        neighbours = torch.empty(count, len(NEIGHBOURS), dtype=torch.long)
        known = torch.from_numpy(visible(height))
        for slot, (down, across) in enumerate(NEIGHBOURS):
            code = grid[rows + down + ROW_MARGIN, columns + across].long()
            seen = known[rows, slot] & (-across <= past)
            neighbours[:, slot] = torch.where(seen, code, self.absent)
        return neighbours, rows, grid[rows + ROW_MARGIN, columns].long()


def train(
    grids: Grids, book: torch.Tensor, recipe: ContextRecipe, seconds: float = math.inf, report: Any = None
) -> tuple[Tables, int]:
    """Return the tables learned from token grids, and the steps done.

    Parameters
    ----------
    grids : Grids
        Tokens at the rates of `RATES` that the codebook allows.
    book : Tensor
        Vectors of the codes, float32 [K, W].
    recipe : ContextRecipe
        Sizes and schedule.
    seconds : float
        Wall-clock after which training ends, with the learning rate's fall brought forward.
    report : callable, optional
        Called with the share done and the mean bits a token at 12 bits.
    """
    # Numbers too small for the processor's fast path make it many times slower.
    torch.set_flush_denormal(True)
    generator = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)
    network = ContextNetwork(PATCH_ROWS, len(book), recipe.dimension, recipe.hidden, recipe.last)
    network.start(book, {bits: grids.counts(bits) for bits in grids.codes})
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99))
    offered = [bits for bits in RATES if bits in grids.codes]
    shares = torch.tensor([recipe.shares[RATES.index(bits)] for bits in offered])
    started, mean, step = time.monotonic(), 0.0, 0
    while True:
        done = max(step / recipe.steps, (time.monotonic() - started) / seconds)
        if done >= 1.0:
            return network.export(), step
        fall = 0.5 + 0.5 * math.cos(math.pi * done)
        rate = recipe.final_learning_rate + fall * (recipe.learning_rate - recipe.final_learning_rate)
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50)
        bits = offered[int(torch.multinomial(shares, 1, generator=generator))]
        neighbours, rows, codes = grids.draw(bits, recipe.batch, recipe.cut, generator)
        loss = functional.cross_entropy(network(neighbours, rows, grids.layouts[bits]), codes)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        step += 1
        if bits == offered[0]:
            value = loss.item() / math.log(2.0)
            mean = value if mean == 0.0 else 0.98 * mean + 0.02 * value
        if report is not None:
            report(done, mean)


def measure(
    tables: Tables, grids: Iterable[dict[int, Codes]], layouts: dict[int, Layout], model_id: str
) -> dict[str, float]:
    """Return the bits a token that coding some utterances takes, by bits a patch and mode."""
    model = ContextModel(IntegerNetwork(tables), model_id, {})
    coded: dict[str, int] = {}
    tokens: dict[str, int] = {}
    for grid in grids:
        for bits, codes in grid.items():
            for mode, suffix in MODES.items():
                name = f"{bits}{suffix}"
                payload, _ = encode_payload(codes, layouts[bits], mode, model)
                coded[name] = coded.get(name, 0) + 8 * len(payload)
                tokens[name] = tokens.get(name, 0) + codes.size
    return {name: round(coded[name] / tokens[name], 4) for name in coded}


@torch.inference_mode()
def tokens_of(vqvae: VQVAE, wave: NDArray[np.float32]) -> dict[int, Codes]:
    """Return the tokens of a wave at each rate, int64 [F, T] by bits a patch; in float32."""
    from codecbench_spc.model.mel import log_mel

    mel = log_mel(torch.from_numpy(wave)[None])
    offered = [bits for bits in RATES if 1 << bits <= vqvae.config.codebook_size]
    return {bits: vqvae.encode(mel, bits)[0].numpy() for bits in offered}


def training_grids(
    vqvae: VQVAE, recipe: ContextRecipe
) -> tuple[list[dict[int, Codes]], list[dict[int, Codes]]]:
    """Return tokens of training utterances, each at a random level, and of held-out ones as they are."""
    from codecbench_spc.training.data import SpeechCache

    cache = SpeechCache(recipe.data)
    rng = np.random.default_rng(recipe.seed)
    order = [cache.utterances[index] for index in rng.permutation(len(cache.utterances))]
    limits = {False: recipe.hours * 3600.0, True: recipe.measured_seconds}
    grids: dict[bool, list[dict[int, Codes]]] = {False: [], True: []}
    for utterance in order:
        if limits[utterance.held_out] <= 0.0:
            continue
        limits[utterance.held_out] -= utterance.samples / 16_000
        wave = cache.wave(utterance)
        if not utterance.held_out:
            gain = 10.0 ** (rng.uniform(*recipe.data.gain_db) / 20.0)
            wave = wave * np.float32(min(gain, 0.99 / max(float(np.abs(wave).max(initial=0.0)), 1e-4)))
        grids[utterance.held_out].append(tokens_of(vqvae, wave))
    return grids[False], grids[True]


def train_shipped(recipe_path: Path, checkpoint: Path | None = None, minutes: float = math.inf) -> None:
    """Train the context model of a checkpoint's tokens and write NAME-context.safetensors beside it.

    Parameters
    ----------
    recipe_path : Path
        A TOML file, see `ContextRecipe`.
    checkpoint : Path or None
        The codec whose tokens are coded; the shipped `spc` by default.
    minutes : float
        End training after so many minutes of wall-clock.

    Raises
    ------
    InvalidInput
        If the checkpoint has no grid of patches, or the recipe cannot be used.
    """
    from rich.console import Console
    from rich.progress import Progress

    from codecbench_spc.model.checkpoint import build_vqvae, load

    recipe = load_recipe(recipe_path)
    path = checkpoint or header.folder() / "spc.safetensors"
    loaded = load(path)
    vqvae = build_vqvae(loaded)
    if vqvae.config.quantizer != "patch":
        raise InvalidInput(
            f"{path}: the context model codes grids of patches, this checkpoint has another quantizer"
        )
    console = Console(stderr=True)
    console.print("making tokens of the training speech")
    learned, held_out = training_grids(vqvae, recipe)
    size = vqvae.config.codebook_size
    offered = layouts_of(asdict(vqvae.config), path)
    started = time.monotonic()
    with Progress(console=console) as progress:
        bar = progress.add_task("training", total=1.0)
        tables, steps = train(
            Grids(learned, offered, size),
            vqvae.quantizer.get_buffer("codebook.codes"),
            recipe,
            minutes * 60.0,
            lambda done, bits: progress.update(bar, completed=done, description=f"{bits:.2f} bits a token"),
        )
    model_id = header.token_id(loaded.groups["vqvae"])
    bits_per_token = measure(tables, held_out, offered, model_id)
    summary = {"recipe": asdict(recipe), "steps": steps, "seconds": round(time.monotonic() - started)}
    out = path.with_name(f"{path.stem}-context.safetensors")
    save(out, tables, model_id, bits_per_token, summary)
    for name, bits in bits_per_token.items():
        nominal = offered[int(name.split("-")[0])].code_bits
        click.echo(
            f"{name}: {bits:.3f} bits a token, {100 * (1 - bits / nominal):.1f} % fewer than fixed length"
        )
    click.echo(f"wrote {out}")
