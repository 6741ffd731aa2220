import pytest
import torch

from codecbench_spc.training.discriminators import DiscriminatorConfig, PatchDiscriminator, WaveDiscriminators

WAVE = DiscriminatorConfig()


def test_few_parameters():
    assert sum(p.numel() for p in WaveDiscriminators(WAVE).parameters()) < 1_100_000


def test_a_step_draws_two_periods_and_one_window():
    torch.manual_seed(0)
    critics = WaveDiscriminators(WAVE)
    drawn = [critics.choose() for _ in range(60)]
    assert all(len(set(chosen)) == 3 and chosen[0] < 5 and chosen[1] < 5 <= chosen[2] < 8 for chosen in drawn)
    assert {index for chosen in drawn for index in chosen} == set(range(8))


@pytest.mark.parametrize("index", range(8))
def test_every_discriminator_judges_and_teaches(index):
    torch.manual_seed(0)
    critics = WaveDiscriminators(DiscriminatorConfig(period_channels=(4, 8), stft_channels=4))
    wave = torch.randn(2, 3001, requires_grad=True)
    ((scores, features),) = critics(wave, [index])
    assert scores.shape[:2] == (2, 1)
    assert len(features) >= 2
    scores.square().mean().backward()
    assert float(wave.grad.abs().sum()) > 0.0
    used = [name for name, p in critics.named_parameters() if p.grad is not None]
    family = f"periods.{index}." if index < 5 else f"windows.{index - 5}."
    assert used and all(name.startswith(family) for name in used)


def test_patches_of_a_mel_are_judged_apart():
    torch.manual_seed(0)
    critic = PatchDiscriminator(8)
    mel = torch.randn(1, 80, 64)
    changed = mel.clone()
    changed[..., 60:] += 1.0
    first, second = critic(mel)[0], critic(changed)[0]
    assert first.shape[2] > 10 and first.shape[3] > 8
    assert torch.equal(first[..., :6], second[..., :6])
    assert not torch.equal(first, second)
