import math

import pytest
import torch

from codecbench.errors import InvalidInput, Unavailable
from codecbench_spc.training import losses


def test_losses_meet_their_weights_by_name():
    total = losses.weighted_sum(
        {"l1": torch.tensor(2.0), "l2": torch.tensor(3.0)}, {"l1": 1.0, "l2": 0.5, "x": 9.0}
    )
    assert float(total) == 3.5
    with pytest.raises(
        InvalidInput, match="no weight for the loss 'features'; did you mean to name 'feature' so"
    ):
        losses.weighted_sum({"features": torch.tensor(1.0)}, {"feature": 1.0})


def test_mel_loss_is_zero_for_equals_and_measures_level():
    torch.manual_seed(0)
    wave = 0.3 * torch.randn(2, 8000)
    assert float(losses.multi_scale_mel(wave, wave)) == 0.0
    # 20 dB are one unit of log10 amplitude in every band.
    assert float(losses.multi_scale_mel(wave, 0.1 * wave)) == pytest.approx(1.0, abs=0.01)


def test_mel_loss_teaches_even_from_silence():
    made = torch.zeros(1, 8000, requires_grad=True)
    losses.multi_scale_mel(torch.randn(1, 8000), made + 1e-4 * torch.randn(1, 8000)).backward()
    assert torch.isfinite(made.grad).all() and float(made.grad.abs().sum()) > 0


@pytest.mark.parametrize(("real", "fake", "loss"), [(1.0, 0.0, 0.0), (0.0, 1.0, 2.0), (0.5, 0.5, 0.5)])
def test_least_squares_of_discriminators(real, fake, loss):
    judged = [(torch.full((2, 1, 3), real), [])], [(torch.full((2, 1, 3), fake), [])]
    assert float(losses.discriminator_loss(*judged)) == pytest.approx(loss)
    assert float(losses.generator_loss(judged[1])) == pytest.approx((1 - fake) ** 2)


def test_feature_matching_is_relative():
    real, fake = torch.full((1, 4), 10.0), torch.full((1, 4), 9.0)
    judged = [[(torch.zeros(1), [scale * features])] for scale in (1.0, 100.0) for features in (real, fake)]
    assert float(losses.feature_matching(judged[0], judged[1])) == pytest.approx(0.1)
    assert float(losses.feature_matching(judged[2], judged[3])) == pytest.approx(0.1)


def test_adversarial_weight_equals_gradient_norms():
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    ratio = losses.gradient_ratio((3.0 * weight).sum(), (0.5 * weight).sum(), weight)
    assert float(ratio) == pytest.approx(3.0 * math.sqrt(2) / (0.5 * math.sqrt(2) + 1e-4))
    assert not ratio.requires_grad


def test_lpips_says_what_it_lacks():
    with pytest.raises(Unavailable, match="LPIPS loss needs"):
        losses.Lpips("no-such-file.safetensors")
