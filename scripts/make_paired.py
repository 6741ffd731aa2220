"""Start of `cpu-paired.toml`: a checkpoint of `spc` whose lowest rate has a codebook for two rows at a time.

``python scripts/make_paired.py CHECKPOINT OUT`` keeps all weights; the codebook of the lowest rate is made by
k-means of the encoder's vectors of training speech.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from scipy.cluster.vq import kmeans2

from codecbench_spc.model.checkpoint import build_vqvae, load, save
from codecbench_spc.model.mel import PATCH_FRAMES, log_mel
from codecbench_spc.model.quantizer import TOKEN_BITS, PatchVQ
from codecbench_spc.training.data import SpeechCache
from codecbench_spc.training.recipe import DataConfig, load_recipe

RECIPE = Path(__file__).resolve().parents[1] / "codecs" / "spc" / "recipes" / "cpu-paired.toml"
BOOK = "quantizer.lower.2.codes"


@torch.inference_mode()
def pairs(path: Path, data: DataConfig, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Vectors of two neighbouring rows at the lowest rate, float32 [n, 2 D], of so much training speech."""
    model, cache = build_vqvae(load(path)), SpeechCache(data)
    quantizer = model.quantizer
    assert isinstance(quantizer, PatchVQ)
    quantizer.paired = True
    learned = [utterance for utterance in cache.utterances if not utterance.held_out]
    found = []
    for index in rng.permutation(len(learned)):
        mel = log_mel(torch.from_numpy(cache.wave(learned[index]))[None])
        mel = mel[:, :, : mel.shape[2] // PATCH_FRAMES * PATCH_FRAMES]
        z = model.analyse(mel, len(TOKEN_BITS) - 1)
        rows = quantizer.inward(z.permute(0, 2, 3, 1))
        found.append(quantizer.joined(rows, TOKEN_BITS[-1]).flatten(0, 2).numpy())
        seconds -= learned[index].samples / 16_000
        if seconds <= 0:
            break
    return np.concatenate(found)


@click.command(help=__doc__.split("\n", 1)[0])
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seconds", default=1000.0, show_default=True, help="Speech to make the codebook from.")
@click.option("--iterations", default=14, show_default=True, help="Of k-means.")
def main(checkpoint: Path, out: Path, seconds: float, iterations: int) -> None:
    """Write the checkpoint."""
    rng = np.random.default_rng(0)
    vectors = pairs(checkpoint, load_recipe(RECIPE).data, seconds, rng)
    started = vectors[rng.choice(len(vectors), 1 << 2 * TOKEN_BITS[-1], replace=False)]
    codes, _ = kmeans2(vectors, started, iter=iterations, minit="matrix", missing="warn")
    loaded = load(checkpoint)
    tensors = {**loaded.groups["vqvae"], BOOK: torch.from_numpy(codes)}
    config = {**loaded.config, "vqvae": {**loaded.config["vqvae"], "paired": True}}
    save(out, config, {**loaded.groups, "vqvae": tensors}, loaded.summary)
    click.echo(f"{out}: {len(codes)} codes of {len(vectors)} pairs")


if __name__ == "__main__":
    main()
