import json
from pathlib import Path

import pytest

from codecbench.errors import InvalidInput
from codecbench_spc.config import build
from codecbench_spc.training.recipe import Recipe, as_table, load_recipe

FOLDER = Path(__file__).parents[3] / "codecs" / "spc" / "recipes"
RECIPES = [FOLDER / f"{name}.toml" for name in ("cpu", "cpu-rvq", "paper")]


def recipe_of(tmp_path, text):
    path = tmp_path / "test.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert set(recipe.order) <= set(recipe.stages)
    assert build(Recipe, json.loads(json.dumps(as_table(recipe))), "json") == recipe


def test_the_control_differs_in_the_quantizer_alone():
    by_name = {path.stem: load_recipe(path) for path in RECIPES}
    spc, rvq = as_table(by_name["cpu"]), as_table(by_name["cpu-rvq"])
    differing = {key for key in spc if spc[key] != rvq[key]}
    assert differing == {"name", "codec", "order", "vqvae"}
    assert {key for key in spc["vqvae"] if spc["vqvae"][key] != rvq["vqvae"][key]} == {"quantizer"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 'a'\nsead = 1", "unknown key 'sead'; did you mean 'seed'"),
        (
            "name = 'a'\n[vocoder]\ngenerater = 'hifigan'",
            "vocoder: unknown key 'generater'; did you mean 'generator'",
        ),
        ("name = 'a'\n[stages.vqvae]\nstep = 3", "stages.vqvae: unknown key 'step'; did you mean 'steps'"),
        ("name = 'a'\n[stages.vqvae]\nkeep = 'first'", "stages.vqvae.keep is best or last, not 'first'"),
        ("name = 'a'\n[stages.warmup]\nsteps = 3", "no stage is called 'warmup'"),
        ("name = 'a'\nseed = 'one'", "seed: 'one' is not of type int"),
        ("name = 'a'\n[vocoder]\nstrides = [4, 'x']", "strides: 'x' is not of type int"),
        ("name = 'a'\nvocoder = 3", "a table is needed"),
        ("seed = 1", "name"),
        ("name = ", "cannot read the recipe"),
        ("base = 'test.toml'", "base must name another recipe"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(InvalidInput, match=message):
        load_recipe(recipe_of(tmp_path, text))


def test_values_can_be_set_from_outside(tmp_path):
    path = recipe_of(tmp_path, "name = 'a'\n[stages.vqvae]\nsteps = 3\nweights = { l1 = 1 }")
    given = {"vocoder.generator": "hifigan", "stages.vqvae.steps": "7", "stages.vqvae.codecs": '["a", "b"]'}
    recipe = load_recipe(path, given)
    assert recipe.vocoder.generator == "hifigan"
    assert recipe.stages["vqvae"].steps == 7
    assert recipe.stages["vqvae"].codecs == ("a", "b")
    assert recipe.stages["vqvae"].weights == {"l1": 1.0}


def test_a_recipe_may_rest_on_another(tmp_path):
    (tmp_path / "under.toml").write_text("name = 'under'\nseed = 5\n[vocoder]\nchannels = 64\nblocks = 2")
    recipe = load_recipe(recipe_of(tmp_path, "base = 'under.toml'\nname = 'over'\n[vocoder]\nblocks = 3"))
    assert (recipe.name, recipe.seed, recipe.vocoder.channels, recipe.vocoder.blocks) == ("over", 5, 64, 3)
