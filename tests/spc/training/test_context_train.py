"""Training of the context model: trained network and integers agree, and structure in the tokens is found."""

from __future__ import annotations

import math
from pathlib import Path

import click.testing
import numpy as np
import pytest
import soundfile
import torch

from codecbench.errors import InvalidInput
from codecbench_spc.bits.context import IntegerNetwork
from codecbench_spc.bits.context_tables import NEIGHBOURS
from codecbench_spc.bits.layout import Layout
from codecbench_spc.cli import train_context
from codecbench_spc.codec import Spc
from codecbench_spc.training.context_network import ContextNetwork, rounded
from codecbench_spc.training.context_train import ContextRecipe, Grids, load_recipe, measure, train

FOUR = {6: Layout(4, 6)}
SMALL = ContextRecipe(steps=180, batch=256, dimension=8, hidden=24, last=12, learning_rate=1e-2)


def chained_grids(count: int, seed: int) -> list[dict[int, np.ndarray]]:
    """Tokens of which each is, nine times in ten, the one before it in time plus one."""
    rng = np.random.default_rng(seed)
    grids = []
    for _ in range(count):
        codes = rng.integers(0, 64, (4, 40))
        for column in range(1, 40):
            follow = rng.random(4) < 0.9
            codes[follow, column] = (codes[follow, column - 1] + 1) % 64
        grids.append({6: codes})
    return grids


def test_trained_integers_find_the_structure() -> None:
    book = torch.from_numpy(np.random.default_rng(0).standard_normal((64, 4))).float()
    tables, steps = train(Grids(chained_grids(60, 1), FOUR, 64), book, SMALL)
    assert steps == SMALL.steps
    bits = measure(tables, chained_grids(4, 2), FOUR, "id")
    # The source has 0.9 log2(1 / .9016) + 0.1 log2(640) = 1.07 bits a token; a uniform guess costs 6.
    assert 1.0 < bits["6-ec"] < 3.5
    assert bits["6-ec"] < bits["6-ec-packets"] < 6.0


def test_integers_score_as_the_trained_network_does() -> None:
    torch.manual_seed(3)
    network = ContextNetwork(5, 64, 8, 24, 12)
    neighbours = torch.randint(0, 65, (30, len(NEIGHBOURS)))
    rows = torch.randint(0, 5, (30,))
    with torch.no_grad():
        expected = torch.softmax(network(neighbours, rows, Layout(5, 6)), dim=1).numpy()
    integers = IntegerNetwork(network.export())
    found = integers.probabilities(neighbours.numpy(), rows.numpy(), Layout(5, 6)) / (1 << 24)
    # The integer path rounds log-probabilities to 1/64.
    np.testing.assert_allclose(found, expected, rtol=0.03, atol=1e-5)


def test_rounding_is_that_of_the_integers_and_passes_gradients() -> None:
    x = torch.tensor([0.49, 0.5, -0.5, -3.0, 200.0], requires_grad=True)
    y = rounded(x, 0, low=-2)
    assert y.tolist() == [0.0, 1.0, 0.0, -2.0, 127.0]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_places_see_their_neighbours_and_nothing_of_other_utterances() -> None:
    codes = np.arange(4 * 5).reshape(4, 5)
    grids = Grids([{6: codes}, {6: codes + 30}], FOUR, 64)
    neighbours, rows, drawn = grids.draw(6, 500, 0.0, torch.Generator().manual_seed(0))
    for seen, row, code in zip(neighbours.tolist(), rows.tolist(), drawn.tolist(), strict=True):
        start = 30 if code >= 30 else 0
        column = (code - start) % 5
        assert (code - start) // 5 == row
        before = seen[NEIGHBOURS.index((0, -1))]
        assert before == (code - 1 if column > 0 else 64)
        assert seen[NEIGHBOURS.index((0, -3))] == (code - 3 if column > 2 else 64)
        assert seen[NEIGHBOURS.index((-1, -2))] == (code - 7 if column > 1 and row > 0 else 64)


def test_cut_places_see_fewer_columns() -> None:
    grids = Grids([{6: np.full((4, 50), 7)}], FOUR, 64)
    neighbours, _, _ = grids.draw(6, 2000, 1.0, torch.Generator().manual_seed(0))
    assert (neighbours[:, NEIGHBOURS.index((0, -3))] == 64).all()
    shares = (neighbours[:, NEIGHBOURS.index((0, -1))] == 64).float().mean()
    assert math.isclose(float(shares), 1 / 3, abs_tol=0.05)


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(InvalidInput, match="no speech"):
        Grids([], FOUR, 64)


@pytest.mark.parametrize("text", ["stepz = 3", "steps = 'many'", "shares = [1.0]", "steps = 0", "= 3"])
def test_recipes_are_checked(text: str, tmp_path: Path) -> None:
    path = tmp_path / "context.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput):
        load_recipe(path)


def test_the_shipped_recipe_is_valid() -> None:
    root = Path(__file__).resolve().parents[3]
    assert load_recipe(root / "codecs" / "spc" / "recipes" / "context.toml").steps > 1000


def test_the_command_makes_tables_that_the_codec_uses(
    tiny_checkpoints: Path, noise: np.ndarray, tmp_path: Path
) -> None:
    speech = tmp_path / "train"
    speech.mkdir()
    rows = ["file,seconds,speaker,source"]
    for number in range(6):
        soundfile.write(speech / f"{number}.flac", noise[number * 5000 :][:16_000], 16_000)
        rows.append(f"{number}.flac,1.0,{number},noise")
    (speech / "manifest.csv").write_text("\n".join(rows))
    for name in ("spc", "vocoder"):
        (tmp_path / f"{name}.safetensors").write_bytes(
            (tiny_checkpoints / f"{name}.safetensors").read_bytes()
        )
    recipe = tmp_path / "context.toml"
    recipe.write_text(
        "steps = 3\nbatch = 64\ndimension = 4\nhidden = 8\nlast = 4\n"
        f"[data]\nfolder = '{speech}'\ncache = '{tmp_path / 'cache'}'\n"
        "sources = { noise = 1.0 }\nheld_out = 2\n"
    )
    arguments = [str(recipe), "--checkpoint", str(tmp_path / "spc.safetensors")]
    done = click.testing.CliRunner().invoke(train_context, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "8-ec: " in done.output
    codec = Spc(str(tmp_path / "spc.safetensors"))
    point = codec.point("5-ec")
    coded = codec.encode(noise[:4000], point)
    assert codec.decode(coded, point).shape == (4000,)
