import csv
import dataclasses
from pathlib import Path

import pytest
import torch

from codecbench.errors import InvalidInput
from codecbench_spc.cli import train as train_command
from codecbench_spc.model import checkpoint
from codecbench_spc.model.header import token_id
from codecbench_spc.training import losses
from codecbench_spc.training.recipe import StageConfig, load_recipe
from spc_corpus import write_corpus, write_recipe

pytest.importorskip("lightning.fabric")
pytest.importorskip("pesq")
from codecbench_spc.training import loop as training
from codecbench_spc.training.keep import Progress, load_state, save_state
from codecbench_spc.training.stage import overall, score_waves
from train_perf import audio_per_second, variants
from vocoder_race import race

PAPER = Path(__file__).parents[3] / "codecs" / "spc" / "recipes" / "paper.toml"
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """A run of all stages through the command line."""
    out = tmp_path_factory.mktemp("run")
    recipe = write_recipe(corpus)
    arguments = [str(recipe), "--out", str(out), "--quiet", "--accelerator", "cpu"]
    train_command.main(arguments, standalone_mode=False)
    return recipe, out


def losses_of(folder, stage):
    with (folder / f"{stage}.csv").open() as file:
        return {(int(step), name): float(value) for step, _, name, value in csv.reader(file)}


def test_a_run_leaves_logs_audio_states_and_checkpoints(finished):
    _, out = finished
    names = {path.name for path in out.iterdir()}
    for stage in ("vqvae", "adversarial", "vocoder"):
        assert {f"{stage}.csv", f"{stage}.state.safetensors", f"{stage}.best.safetensors"} <= names
    assert {"spc.safetensors", "vocoder.safetensors", "discriminators.safetensors", "vocoder-0.wav"} <= names
    assert not any(name.startswith(".") for name in names)
    assert list((out / "tensorboard" / "vocoder").iterdir())
    logged = losses_of(out, "vocoder")
    assert {"mel", "adversarial", "features", "discriminator", "val_stoi", "val_pesq_wb"} <= {
        n for _, n in logged
    }
    assert {
        "commitment",
        "val_used",
        "val_entropy_bits",
        "val_mel_l1_6",
        "val_unscorable_12",
        "val_stoi_6",
    } <= {n for _, n in losses_of(out, "vqvae")}


def test_checkpoints_tell_their_training(finished):
    _, out = finished
    codec, vocoder = (checkpoint.load(out / f"{name}.safetensors") for name in ("spc", "vocoder"))
    assert [entry["stage"] for entry in codec.summary["stages"]] == ["vqvae", "adversarial"]
    assert codec.vocoder_sha256 == vocoder.sha256
    assert vocoder.summary["stages"][0]["steps"] in (3, 6)
    assert -1.0 <= vocoder.summary["stages"][0]["validation"]["stoi"] <= 1.0
    assert codec.config["synthesis"]["way"] == "consistency"
    assert vocoder.summary["recipe"]["name"] == "tiny"
    wave = checkpoint.build_vocoder(codec)(checkpoint.build_vqvae(codec).decode(torch.zeros(1, 20, 3).long()))
    assert wave.shape == (1, 3 * 512)


def test_joint_training_keeps_the_tokens(finished, tmp_path):
    recipe, out = finished
    for name in ("spc", "vocoder", "discriminators"):
        (tmp_path / f"{name}.safetensors").write_bytes((out / f"{name}.safetensors").read_bytes())
    arguments = [str(recipe), "--out", str(tmp_path), "--stage", "joint", "--quiet", "--accelerator", "cpu"]
    train_command.main(arguments, standalone_mode=False)
    before, after = (checkpoint.load(folder / "spc.safetensors") for folder in (out, tmp_path))
    assert token_id(before.groups["vqvae"]) == token_id(after.groups["vqvae"])
    old, new = before.groups["vqvae"]["last.0.weight"], after.groups["vqvae"]["last.0.weight"]
    assert not torch.equal(old, new)
    assert [entry["stage"] for entry in after.summary["stages"]] == ["vqvae", "adversarial", "joint"]
    assert after.vocoder_sha256 == checkpoint.load(tmp_path / "vocoder.safetensors").sha256
    assert {"l1", "mel", "adversarial", "val_stoi"} <= {name for _, name in losses_of(tmp_path, "joint")}


def largest_difference(one, other):
    from safetensors.torch import load_file

    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


@pytest.mark.parametrize("stage", ["vqvae", "adversarial", "vocoder", "joint"])
def test_resume_goes_on_exactly(finished, tmp_path, stage):
    recipe, whole = finished
    half = load_recipe(recipe)
    steps = half.stages[stage].steps
    if stage in {"vocoder", "joint"}:
        (tmp_path / "spc.safetensors").write_bytes((whole / "spc.safetensors").read_bytes())
    arguments = [str(recipe), "--out", str(tmp_path), "--stage", stage, "--quiet", "--accelerator", "cpu"]
    train_command.main(arguments, standalone_mode=False)
    uninterrupted = tmp_path / "whole" / "state.safetensors"
    uninterrupted.parent.mkdir()
    (tmp_path / f"{stage}.state.safetensors").rename(uninterrupted)
    # The same stage again, stopped half-way by its save, then resumed by a process that knows nothing else.
    cut = steps // 2
    fabric = training.Fabric(accelerator="cpu", devices=1)
    torch.manual_seed(half.seed)
    broken = training.build_stage(fabric, half, stage, tmp_path)
    if stage == "joint":
        training.start_from(broken, [whole / "spc.safetensors"])
    batches = training.SpeechBatches.of_stage(half, stage, broken.config)
    for step in range(cut):
        training.one_step(fabric, half, broken, batches.batch(step), step)
    state = tmp_path / f"{stage}.state.safetensors"
    save_state(state, broken.modules, broken.optimizers, Progress(step=cut), {})
    train_command.main([*arguments, "--resume"], standalone_mode=False)
    assert largest_difference(uninterrupted, state) < 1e-5


def test_state_keeps_counters_and_refuses_other_models(finished, tmp_path):
    recipe, out = finished
    loaded = load_recipe(recipe)
    fabric = training.Fabric(accelerator="cpu", devices=1)
    stage = training.build_stage(fabric, loaded, "vqvae", out)
    progress = load_state(out / "vqvae.state.safetensors", stage.modules, stage.optimizers)
    assert progress.step == 6
    assert progress.seconds > 0.0
    assert "mel_l1_12" in progress.scores
    wider = dataclasses.replace(loaded, vqvae=dataclasses.replace(loaded.vqvae, channels=12))
    other = training.build_stage(fabric, wider, "vqvae", out)
    with pytest.raises(InvalidInput, match="does not fit the recipe"):
        load_state(out / "vqvae.state.safetensors", other.modules, other.optimizers)
    with pytest.raises(InvalidInput, match="is no training state"):
        load_state(out / "spc.safetensors", stage.modules, stage.optimizers)
    with pytest.raises(InvalidInput, match=r"no training state .* to resume from"):
        train_command.main([str(recipe), "--out", str(tmp_path), "--resume"], standalone_mode=False)


def test_warm_start_takes_generator_and_discriminators(finished):
    recipe, out = finished
    fabric = training.Fabric(accelerator="cpu", devices=1)
    stage = training.build_stage(fabric, load_recipe(recipe), "vocoder", out)
    training.start_from(stage, [out / "vocoder.safetensors", out / "discriminators.safetensors"])
    shipped = checkpoint.load(out / "vocoder.safetensors").groups["vocoder"]
    for module in ("vocoder", "vocoder_average"):
        assert all(
            torch.equal(stage.modules[module].state_dict()[name], value) for name, value in shipped.items()
        )
    critics = checkpoint.load(out / "discriminators.safetensors").groups["wave_discriminators"]
    weights = stage.modules["wave_discriminators"].state_dict()
    assert all(torch.equal(weights[name], value) for name, value in critics.items())


def test_a_warm_start_may_grow_where_the_recipe_says_so(finished):
    recipe, out = finished
    wide = load_recipe(
        recipe, {"vqvae.mixing": "2", "vqvae.decoder_blocks": "2", "stages.vqvae.grow": "true"}
    )
    fabric = training.Fabric(accelerator="cpu", devices=1)
    stage = training.build_stage(fabric, wide, "vqvae", out)
    training.start_from(stage, [out / "spc.safetensors"])
    old = checkpoint.build_vqvae(checkpoint.load(out / "spc.safetensors"))
    codes = torch.randint(0, 64, (1, 20, 6))
    for name in ("vqvae", "vqvae_average"):
        with torch.no_grad():
            torch.testing.assert_close(stage.modules[name].decode(codes, 6), old.decode(codes, 6))
    strict = dataclasses.replace(
        wide, stages={"vqvae": dataclasses.replace(wide.stages["vqvae"], grow=False)}
    )
    with pytest.raises(InvalidInput, match="lacks the tensor"):
        training.start_from(training.build_stage(fabric, strict, "vqvae", out), [out / "spc.safetensors"])


def test_a_stage_sets_the_codebooks_decay(finished):
    recipe, out = finished
    loaded = load_recipe(recipe, {"stages.vqvae.codebook_decay": "0.99"})
    stage = training.build_stage(training.Fabric(accelerator="cpu", devices=1), loaded, "vqvae", out)
    assert stage.modules["vqvae"].quantizer.codebook.decay == 0.99


def test_pairs_without_a_score_are_counted_and_choose_nothing(speech):
    wave = speech[0][:16_000]
    silence = 0.0 * wave
    scores = score_waves([wave, wave], [wave, silence])
    assert scores["unscorable"] == 2.0
    assert scores["stoi"] == pytest.approx(1.0)
    assert scores["pesq_wb"] > 4.6
    assert overall([scores])["score"] == pytest.approx(scores["pesq_wb"] + 5.0 * scores["stoi"])
    nothing = score_waves([wave], [silence])
    assert nothing == {"unscorable": 2.0}
    assert overall([scores, nothing]) == {}


@pytest.mark.parametrize(
    ("step", "scale"), [(0, 0.1), (9, 1.0), (50, 1.0), (80, 1.0), (90, 0.55), (100, 0.1), (500, 0.1)]
)
def test_learning_rate_rises_stays_and_falls(step, scale):
    config = StageConfig(steps=100, warmup_steps=10, decay=0.2, learning_rate=1.0, final_learning_rate=0.1)
    assert training.learning_rate_scale(config, step) == pytest.approx(scale)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--set", "seed"], "--set takes KEY=VALUE"),
        (["--stage", "other"], r"has no table \[stages.other\]"),
        (["--resume", "a", "--warm-start", "b"], "exclude each other"),
        (
            ["--set", "stages.vocoder.codecs=['none.safetensors']", "--stage", "vocoder"],
            "cannot read the checkpoint",
        ),
        (["--set", "stages.vqvae.weights={l1=1.0}", "--stage", "vqvae"], "no weight for the loss"),
    ],
)
def test_wrong_use_is_named(corpus, tmp_path, extra, message):
    arguments = [str(write_recipe(corpus)), "--out", str(tmp_path), "--quiet", "--accelerator", "cpu", *extra]
    if extra[0:2] == ["--set", "stages.vqvae.weights={l1=1.0}"]:
        text = write_recipe(corpus).read_text().replace("l2 = 0.2, ", "")
        (tmp_path / "r.toml").write_text(text)
        arguments[0] = str(tmp_path / "r.toml")
        arguments = [a for a in arguments if "weights" not in a and a != "--set"]
    with pytest.raises(InvalidInput, match=message):
        train_command.main(arguments, standalone_mode=False)


def test_the_paper_s_recipe_takes_a_step_of_each_stage(corpus, tmp_path):
    recipe = load_recipe(PAPER)
    small = {
        "steps": 1,
        "batch_size": 1,
        "segment_frames": 16,
        "adversarial_from": 0,
        "quantize_from": 0,
        "codecs": (),
    }
    fabric = training.Fabric(accelerator="cpu", devices=1)
    for name in recipe.order:
        config = dataclasses.replace(
            recipe.stages[name], **{**small, "adversarial_from": 1 if name == "vqvae" else 0}
        )
        recipe = dataclasses.replace(recipe, stages={**recipe.stages, name: config})
        stage = training.build_stage(fabric, recipe, name, tmp_path)
        wave = 0.1 * torch.randn(1, 16 * 128)
        terms = training.one_step(fabric, recipe, stage, wave, 0)
        assert all(torch.isfinite(value) for value in terms.values())
        assert ("discriminator" in terms) == (name != "vqvae")


def test_race_and_speed(corpus, tmp_path):
    recipe = load_recipe(write_recipe(corpus))
    found = race(recipe, "convnext-istft", 0.01, tmp_path)
    assert found["steps"] >= 1 and {"stoi", "unscorable"} <= found.keys()
    assert (tmp_path / "convnext-istft" / "vocoder.best.safetensors").is_file()
    labels = []
    for label, stage in variants(recipe):
        labels.append(label)
        assert audio_per_second(recipe, stage, 1) > 0.0
    assert labels == ["vqvae", "adversarial", "vocoder", "vocoder, adversarial"]


def test_lpips_needs_its_weights(corpus, tmp_path):
    recipe = load_recipe(write_recipe(corpus), {"stages.vqvae.weights.lpips": "1.0"})
    fabric = training.Fabric(accelerator="cpu", devices=1)
    with pytest.raises(losses.Unavailable, match="LPIPS"):
        training.build_stage(fabric, recipe, "vqvae", tmp_path)
