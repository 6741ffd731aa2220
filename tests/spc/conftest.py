"""Small models with random weights: every shape of the codec, none of its quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from codecbench_spc.bits.context import ContextModel, IntegerNetwork
from codecbench_spc.bits.context_tables import NEIGHBOURS, RATES, Tables


@pytest.fixture(autouse=True)
def restore_arithmetic() -> Iterator[None]:
    """Undo what training sets for the whole process: denormals flushed to zero."""
    yield
    torch.set_flush_denormal(False)


def random_tables(rows: int, codebook_size: int, seed: int = 0) -> Tables:
    """Return tables whose scores vary by several nats from code to code."""
    rng = np.random.default_rng(seed)

    def small(*shape: int, spread: int) -> np.ndarray:
        return rng.integers(-spread, spread + 1, shape).astype(np.int8)

    def bias(*shape: int) -> np.ndarray:
        return rng.integers(-1000, 1001, shape).astype(np.int32)

    dimension, hidden, last = 6, 24, 12
    return Tables(
        embedding=small(codebook_size + 1, dimension, spread=80),
        hidden=small(len(NEIGHBOURS) * dimension, hidden, spread=40),
        hidden_bias=bias(len(RATES), rows, hidden),
        middle=small(hidden, hidden, spread=40),
        middle_bias=bias(hidden),
        last=small(hidden, last, spread=40),
        last_bias=bias(last),
        codes=small(last, codebook_size, spread=20),
        codes_bias=bias(len(RATES), codebook_size),
    )


@pytest.fixture(scope="session", name="random_tables")
def random_tables_fixture() -> Callable[..., Tables]:
    """Return the function that makes tables of so many rows and codes, from a seed."""
    return random_tables


@pytest.fixture(scope="session")
def context_model() -> ContextModel:
    """Return a context model of 20 rows and 256 codes."""
    return ContextModel(IntegerNetwork(random_tables(20, 256)), "id", {})


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``spc.safetensors``, ``rvq.safetensors`` and the vocoder that both name.

    ``spc-vocoder.safetensors`` is ``spc`` with samples made by that vocoder.  ``spc`` has 256 codes, hence
    the points of 8 and 6 bits, ``rvq`` 16 books of 1024, hence the same two.  In ``spc-paired`` two rows
    share a token at the lowest rate.
    """
    import torch

    from codecbench_spc.model import checkpoint
    from codecbench_spc.model.vocoder import Vocoder, VocoderConfig
    from codecbench_spc.model.vqvae import VQVAE, VqvaeConfig

    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(7)
    sizes = VocoderConfig(channels=16, blocks=2, lookahead=4)
    vocoder = folder / "vocoder.safetensors"
    checkpoint.save(vocoder, {"vocoder": asdict(sizes)}, {"vocoder": Vocoder(sizes).state_dict()}, {})
    kinds = {
        "spc": VqvaeConfig(channels=8, encoder_blocks=1, decoder_blocks=1, codebook_size=256, code_width=4),
        "rvq": VqvaeConfig(
            quantizer="residual",
            channels=8,
            encoder_blocks=1,
            decoder_blocks=1,
            books=16,
            book_size=1024,
            column_width=16,
        ),
        "spc-paired": VqvaeConfig(channels=8, encoder_blocks=1, decoder_blocks=1, nested=False, paired=True),
    }
    for name, config in kinds.items():
        model = VQVAE(config)
        for key, buffer in model.named_buffers():
            if key.endswith("codes"):
                buffer.normal_(std=0.5)
        tensors = {"vqvae": model.state_dict()}
        for suffix, table in (("", {}), ("-vocoder", {"synthesis": {"way": "vocoder"}})):
            path = folder / f"{name}{suffix}.safetensors"
            checkpoint.save(path, {"vqvae": asdict(config), **table}, tensors, {}, vocoder)
    return folder


@pytest.fixture(scope="session")
def tiny_spc(tiny_checkpoints: Path) -> Path:
    """Return the checkpoint of a small ``spc`` with a table of the context model beside it."""
    from codecbench_spc.bits.context_tables import save
    from codecbench_spc.model import checkpoint, header

    path = tiny_checkpoints / "spc.safetensors"
    model_id = header.token_id(checkpoint.load(path).groups["vqvae"])
    rates = {f"{bits}{mode}": 0.8 * bits for bits in (8, 6) for mode in ("-ec", "-ec-packets")}
    save(path.with_name("spc-context.safetensors"), random_tables(20, 256), model_id, rates, {"steps": 0})
    return path


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    """Return three and a bit seconds of noise with the level of speech, float32."""
    rng = np.random.default_rng(3)
    envelope = 0.1 * (1.0 + np.sin(np.arange(50_123) / 2000.0))
    return (envelope * rng.standard_normal(50_123)).astype(np.float32)
