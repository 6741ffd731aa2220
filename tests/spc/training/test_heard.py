import math

import pytest
import torch

from codecbench_spc.model.mel import SILENCE, log_mel
from codecbench_spc.training.heard import losses
from codecbench_spc.training.recipe import HeardConfig

LOSSES = losses(HeardConfig())


@pytest.fixture
def mel(noise):
    """Modulated noise, a second of it."""
    return log_mel(torch.from_numpy(noise[None, :16384]))


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_is_heard_of_equal_mels_and_more_of_larger_errors(name, mel):
    error = torch.randn(mel.shape, generator=torch.Generator().manual_seed(0))
    values = [float(LOSSES[name](mel, mel + size * error)) for size in (0.0, 0.1, 0.5, 1.0)]
    assert values[0] == pytest.approx(0.0, abs=0.02)
    assert values[0] < values[1] < values[2] < values[3]


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_even_in_silence(name, mel):
    error = torch.randn(mel.shape, generator=torch.Generator().manual_seed(1))
    for ref in (mel, torch.full_like(mel, SILENCE)):
        made = (mel + 0.3 * error).requires_grad_()
        (gradient,) = torch.autograd.grad(LOSSES[name](ref, made), made)
        assert torch.isfinite(gradient).all()
        assert ref is not mel or gradient.abs().sum() > 0.0


def weighted(ref, band, frame, **config):
    deg = ref.clone()
    deg[:, band, frame] += 1.0
    return float(losses(HeardConfig(**config))["heard_l1"](ref, deg))


def test_errors_in_loud_places_and_low_bands_count_more():
    ref = torch.full((1, 80, 60), -8.0)
    ref[:, 30:50, 20:40] = 0.0
    assert weighted(ref, 40, 30, low_gain=0.0) > 2.0 * weighted(ref, 40, 5, low_gain=0.0)
    even = torch.zeros(1, 80, 60)
    assert weighted(even, 2, 5, low_gain=2.5) > 3.0 * weighted(even, 40, 5, low_gain=2.5)
    assert weighted(even, 2, 5, low_gain=0.0) == pytest.approx(weighted(even, 40, 5, low_gain=0.0), rel=0.1)
    assert weighted(even, 79, 5) < 0.7 * weighted(even, 45, 5)


def test_the_cepstral_distance_is_blind_to_level_and_hears_speech_alone():
    distance = losses(HeardConfig())["cepstral"]
    ref = torch.randn(1, 80, 60, generator=torch.Generator().manual_seed(2))
    ref[:, :, 30:] -= 8.0
    assert float(distance(ref, ref + 0.7)) == pytest.approx(float(distance(ref, ref)))
    in_pause = ref.clone()
    in_pause[:, ::2, 30:] += 1.0
    assert float(distance(ref, in_pause)) == pytest.approx(float(distance(ref, ref)))
    in_speech = ref.clone()
    in_speech[:, 40:, :30] += 1.0
    # A step between two halves of the bands: half a unit each side of the mean, which c0 takes.
    size = math.sqrt(80 * 0.5**2 / 24)
    assert float(distance(ref, in_speech)) == pytest.approx(size, rel=0.02)
