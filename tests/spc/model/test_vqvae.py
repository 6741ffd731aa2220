import dataclasses

import pytest
import torch

from codecbench.errors import InvalidInput
from codecbench_spc.model.layers import StreamState
from codecbench_spc.model.mel import SILENCE
from codecbench_spc.model.vqvae import VQVAE, VqvaeConfig

KINDS = ("patch", "uneven", "residual")


def model_of(kind):
    torch.manual_seed(0)
    config = VqvaeConfig(quantizer="residual" if kind == "residual" else "patch", channels=16)
    if kind == "uneven":
        bands = ((2, 8), (4, 4), (6, 8))
        config = dataclasses.replace(config, mixing=4, patch_bands=bands, nested=False)
    model = VQVAE(config)
    for name, parameter in model.named_parameters():
        # What starts at nothing must count here.
        if name.endswith(("rates", "outward.weight")):
            torch.nn.init.normal_(parameter, std=0.1)
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
    assert codes.shape == ((2, 25, 8) if kind == "residual" else (2, 20, 8))
    assert codes.max() < (256 if kind == "residual" else 1024)
    assert codes.dtype == torch.int64
    assert model.decode(codes, 10).shape == mel.shape
    assert float(model.decode(codes, 10).min()) >= torch.tensor(SILENCE)


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
    parts = [model.decode(part, 12, state) for part in torch.split(codes, [1, 7, 3, 5], 2)]
    torch.testing.assert_close(torch.cat(parts, 2), whole, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_patch_knows_no_later_frame(kind):
    model = model_of(kind)
    mel = mel_of(1, 40)
    changed = mel.clone()
    changed[..., 20:] += 3.0
    assert torch.equal(model.analyse(mel, 0)[..., :5], model.analyse(changed, 0)[..., :5])
    assert not torch.equal(model.analyse(mel, 0)[..., 5], model.analyse(changed, 0)[..., 5])
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
    for kind in ("patch", "residual"):
        assert sum(p.numel() for p in VQVAE(VqvaeConfig(quantizer=kind)).parameters()) < 1_100_000


@pytest.mark.parametrize("shape", [(1, 80, 6), (1, 79, 8)])
def test_wrong_frames_are_refused(shape):
    with pytest.raises(InvalidInput, match="multiple of 4"):
        model_of("patch").encode(torch.zeros(shape))


def test_unknown_quantizer_is_refused():
    with pytest.raises(InvalidInput, match="choose patch or residual"):
        VQVAE(VqvaeConfig(quantizer="scalar"))


@torch.no_grad()
def test_parts_that_start_at_nothing_change_nothing():
    torch.manual_seed(0)
    plain, grown = VQVAE(VqvaeConfig(channels=16)).eval(), VQVAE(VqvaeConfig(channels=16, mixing=4)).eval()
    grown.load_state_dict(plain.state_dict(), strict=False)
    mel = mel_of(2, 32)
    torch.testing.assert_close(grown.analyse(mel, 0), plain.analyse(mel, 0))


@torch.no_grad()
def test_uneven_patches_cover_their_bands():
    """A changed band moves the tokens' map at its own row alone before the blocks mix rows."""
    model = model_of("uneven")
    mel = mel_of(1, 4)
    seen = []
    for band in (0, 1, 2, 15, 16, 31, 32, 79):
        changed = mel.clone()
        changed[:, band] += 1.0
        parts = [torch.split(m[:, None], [16, 16, 48], dim=2) for m in (mel, changed)]
        one, other = (torch.cat([e(p) for e, p in zip(model.embed, part, strict=True)], 2) for part in parts)
        seen.append((one != other).any(dim=1).flatten().nonzero().flatten().tolist())
    assert seen == [[0], [0], [1], [7], [8], [11], [12], [19]]


def test_patches_must_fill_the_grid():
    with pytest.raises(InvalidInput, match="make 20 rows of 60 bands, not 20 of 80"):
        VqvaeConfig(patch_bands=((3, 20),))
