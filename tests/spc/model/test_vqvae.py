import pytest
import torch

from codecbench.errors import InvalidInput
from codecbench_spc.model.layers import StreamState
from codecbench_spc.model.mel import SILENCE
from codecbench_spc.model.vqvae import VQVAE, VqvaeConfig

KINDS = ("patch", "residual")


def model_of(kind):
    torch.manual_seed(0)
    model = VQVAE(VqvaeConfig(quantizer=kind, channels=16, books=30, book_size=256))
    model(mel_of(4, 256), torch.tensor([12, 12, 10, 6]))
    return model.eval()


def mel_of(batch, frames):
    return -5.0 + 2.0 * torch.randn(batch, 80, frames)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_codes_have_the_stated_shape(kind):
    model = model_of(kind)
    mel = mel_of(2, 32)
    codes = model.encode(mel, 10)
    assert codes.shape == ((2, 20, 8) if kind == "patch" else (2, 25, 8))
    assert codes.max() < (1024 if kind == "patch" else 256)
    assert codes.dtype == torch.int64
    assert model.decode(codes).shape == mel.shape
    assert float(model.decode(codes).min()) >= torch.tensor(SILENCE)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_streams_give_the_same_tokens_and_mels(kind):
    model = model_of(kind).double()
    mel = mel_of(1, 64).double()
    codes = model.encode(mel)
    state = StreamState()
    streamed = torch.cat([model.encode(part, 12, state) for part in torch.split(mel, [4, 12, 4, 44], 2)], 2)
    assert torch.equal(streamed, codes)
    model.float()
    whole = model.decode(codes)
    state = StreamState()
    parts = [model.decode(part, state) for part in torch.split(codes, [1, 7, 3, 5], 2)]
    torch.testing.assert_close(torch.cat(parts, 2), whole, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_patch_knows_no_later_frame(kind):
    model = model_of(kind)
    mel = mel_of(1, 40)
    changed = mel.clone()
    changed[..., 20:] += 3.0
    assert torch.equal(model.analyse(mel)[..., :5], model.analyse(changed)[..., :5])
    assert not torch.equal(model.analyse(mel)[..., 5], model.analyse(changed)[..., 5])
    codes = model.encode(mel)
    later = codes.clone()
    later[..., 5:] = 0
    assert torch.equal(model.decode(codes)[..., :20], model.decode(later)[..., :20])


def test_training_returns_the_losses_of_the_recipe():
    model = model_of("patch").train()
    made, codes, losses = model(mel_of(2, 16), torch.tensor([12, 6]))
    assert set(losses) == {"l1", "l2", "commitment"}
    assert made.shape == (2, 80, 16)
    assert int(codes[1].max()) < 64
    made.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_first_steps_do_without_a_quantizer():
    model = model_of("patch").train()
    before = model.quantizer.codebook.codes.clone()
    _, codes, losses = model(mel_of(2, 16), quantize=False)
    assert codes.numel() == 0
    assert float(losses["commitment"]) == 0.0
    assert torch.equal(model.quantizer.codebook.codes, before)


def test_size_of_what_is_shipped():
    for kind in KINDS:
        assert sum(p.numel() for p in VQVAE(VqvaeConfig(quantizer=kind)).parameters()) < 1_100_000


@pytest.mark.parametrize("shape", [(1, 80, 6), (1, 79, 8)])
def test_wrong_frames_are_refused(shape):
    with pytest.raises(InvalidInput, match="multiple of 4"):
        model_of("patch").encode(torch.zeros(shape))


def test_unknown_quantizer_is_refused():
    with pytest.raises(InvalidInput, match="choose patch or residual"):
        VQVAE(VqvaeConfig(quantizer="scalar"))
