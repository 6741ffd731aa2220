import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from codecbench.errors import InvalidInput
from codecbench.files import sha256
from codecbench_spc.model import checkpoint, header
from codecbench_spc.model.vocoder import Vocoder, VocoderConfig
from codecbench_spc.model.vqvae import VQVAE, VqvaeConfig
from codecbench_spc.training.recipe import as_table

PACKAGE = Path(checkpoint.__file__).parent
SMALL = VqvaeConfig(channels=8, encoder_blocks=1, decoder_blocks=1)
SMALL_VOCODER = VocoderConfig(channels=16, blocks=1)


@pytest.fixture
def pair(tmp_path):
    """A codec and the vocoder beside it."""
    torch.manual_seed(0)
    vocoder = tmp_path / "voice.safetensors"
    checkpoint.save(
        vocoder,
        {"vocoder": as_table(SMALL_VOCODER)},
        {"vocoder": Vocoder(SMALL_VOCODER).state_dict()},
        {"stages": []},
    )
    codec = tmp_path / "spc.safetensors"
    model = VQVAE(SMALL)
    model(torch.randn(2, 80, 64), 12)
    checkpoint.save(
        codec,
        {"vqvae": as_table(SMALL)},
        {"vqvae": model.state_dict()},
        {"stages": [{"stage": "vqvae", "steps": 3}]},
        vocoder,
    )
    return codec, vocoder, model


def test_what_is_saved_is_loaded(pair):
    codec, _, model = pair
    found = checkpoint.load(codec)
    assert found.summary["stages"][0]["steps"] == 3
    assert found.sha256 == sha256(codec)
    assert found.vocoder_file == "voice.safetensors"
    built = checkpoint.build_vqvae(found)
    assert not built.training
    for name, value in built.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-3, atol=1e-4)
    assert checkpoint.build_vocoder(found)(torch.zeros(1, 80, 4)).shape == (1, 512)


def test_statistics_of_the_codebook_are_not_shipped(pair):
    names = checkpoint.load(pair[0]).groups["vqvae"]
    assert "quantizer.codebook.codes" in names
    assert not any(name.endswith(("counts", "sums")) for name in names)


def test_other_groups_pass_through(pair):
    codec, _, _ = pair
    before = checkpoint.load(codec)
    table = torch.arange(-4, 4, dtype=torch.int8)
    sha256 = checkpoint.add_group(codec, "context", {"weights": table}, {"order": 2})
    after = checkpoint.load(codec)
    assert after.sha256 == sha256 != before.sha256
    assert torch.equal(after.groups["context"]["weights"], table)
    assert after.groups["context"]["weights"].dtype == torch.int8
    assert after.config["context"] == {"order": 2}
    assert after.vocoder_file == "voice.safetensors"
    identity = checkpoint.tensors_sha256
    assert identity(after.groups["vqvae"]) == identity(before.groups["vqvae"])


def test_identity_tells_models_apart():
    one = {"a": torch.zeros(2), "b": torch.ones(2)}
    assert checkpoint.tensors_sha256(one) == checkpoint.tensors_sha256(dict(reversed(one.items())))
    assert checkpoint.tensors_sha256(one) != checkpoint.tensors_sha256({**one, "b": torch.full((2,), 1.5)})
    assert checkpoint.tensors_sha256(one) != checkpoint.tensors_sha256({"a": one["a"], "c": one["b"]})


def test_another_vocoder_is_refused(pair):
    codec, vocoder, _ = pair
    checkpoint.add_group(vocoder, "note", {"x": torch.zeros(1)}, {})
    with pytest.raises(InvalidInput, match=r"is not the vocoder that spc.safetensors was made with"):
        checkpoint.build_vocoder(checkpoint.load(codec))
    vocoder.unlink()
    with pytest.raises(InvalidInput, match="cannot read the checkpoint"):
        checkpoint.build_vocoder(checkpoint.load(codec))


def rewrite(path, **metadata):
    tensors = {
        f"{g}.{n}": t for g, members in checkpoint.load(path).groups.items() for n, t in members.items()
    }
    found = checkpoint.load(path)
    base = {"format": checkpoint.FORMAT, "config": json.dumps(found.config), "summary": "{}"}
    save_file(tensors, path, metadata={**base, **metadata})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "other"}, "no checkpoint of this codec"),
        ({"config": "{"}, "metadata of the checkpoint .* are damaged"),
        ({"config": "{}"}, "holds no vqvae"),
        ({"config": json.dumps({"vqvae": {"channels": 16}})}, "lacks the tensor|does not fit"),
        ({"config": json.dumps({"vqvae": {"chanels": 16}})}, "did you mean 'channels'"),
    ],
)
def test_unfit_files_are_refused(pair, metadata, message):
    rewrite(pair[0], **metadata)
    with pytest.raises(InvalidInput, match=message):
        checkpoint.build_vqvae(checkpoint.load(pair[0]))


def test_the_vocoder_must_lie_beside_the_codec(pair):
    rewrite(pair[0], vocoder=json.dumps({"file": "../voice.safetensors", "sha256": "0"}))
    with pytest.raises(InvalidInput, match="must be a file beside it"):
        checkpoint.build_vocoder(checkpoint.load(pair[0]))


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\xff" * 64])
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot read the checkpoint"):
        checkpoint.load(path)


def test_nothing_is_pickled():
    for path in PACKAGE.glob("*.py"):
        assert not re.search(
            r"torch\.(load|save)\(|pickle\.|import pickle", path.read_text(encoding="utf-8")
        ), path


def test_shipped_checkpoints_are_whole_and_small():
    folder = header.folder()
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        pytest.skip(f"no checkpoints in {folder}")
    assert sum(path.stat().st_size for path in paths) < 40_000_000
    for path in paths:
        if path.name.endswith("-context.safetensors"):
            continue
        found = checkpoint.load(path)
        assert found.summary["stages"][0]["steps"] > 0
        if "vqvae" in found.groups:
            checkpoint.build_vqvae(found)
            checkpoint.build_vocoder(found)
        if "vocoder" in found.groups:
            checkpoint.build_vocoder(found)
