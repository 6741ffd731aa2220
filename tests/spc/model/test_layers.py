import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench_spc.model.layers import (
    CausalConv2d,
    CausalDepthwise2d,
    CausalUpsample,
    ConvNextBlock,
    Delay,
    OverlapAdd,
    StreamState,
    channels_last,
)

STEPS = 24
LAYERS = {
    "plain": lambda: CausalConv2d(6, 6, (3, 5)),
    "dilated": lambda: CausalConv2d(6, 6, (1, 3), dilation=5),
    "depthwise": lambda: CausalDepthwise2d(6, (5, 3)),
    "block": lambda: ConvNextBlock(6, 12, (3, 7), 1.0),
    "delay": lambda: Delay(3),
}


def in_chunks(layer, x, sizes):
    state = StreamState()
    return torch.cat([layer(part, state) for part in torch.split(x, sizes, dim=-1)], dim=-1)


@st.composite
def chunkings(draw):
    sizes = []
    while sum(sizes) < STEPS:
        sizes.append(draw(st.integers(1, STEPS - sum(sizes))))
    return sizes


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=15, deadline=None)
@given(sizes=chunkings())
def test_chunks_give_what_the_whole_gives(name, sizes):
    torch.manual_seed(0)
    layer = channels_last(LAYERS[name]())
    x = torch.randn(2, 6, 4, STEPS)
    torch.testing.assert_close(in_chunks(layer, x, sizes), layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_the_future_changes_nothing(name):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    x = torch.randn(1, 6, 4, STEPS)
    y = x.clone()
    y[..., 10:] += 1.0
    assert torch.equal(layer(x)[..., :10], layer(y)[..., :10])
    assert not torch.equal(layer(x), layer(y))


@pytest.mark.parametrize(("kernel", "stride"), [(16, 4), (4, 4), (4, 2)])
def test_upsampling_is_a_causal_transposed_convolution(kernel, stride):
    torch.manual_seed(0)
    layer = CausalUpsample(5, 3, kernel, stride)
    oracle = torch.nn.ConvTranspose1d(5, 3, kernel, stride)
    taps = kernel // stride
    with torch.no_grad():
        for tap in range(taps):
            for phase in range(stride):
                # Output `s t + r` sums `w[r + s m]` times input `t - m`.
                weight = layer.conv.conv.weight[3 * phase : 3 * phase + 3, :, 0, taps - 1 - tap]
                oracle.weight[:, :, phase + stride * tap] = weight.t()
        layer.conv.conv.bias.zero_()
        oracle.bias.zero_()
    x = torch.randn(2, 5, 1, 9)
    expected = oracle(x[:, :, 0])[..., : 9 * stride]
    torch.testing.assert_close(layer(x)[:, :, 0], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(in_chunks(layer, x, [4, 1, 4]), layer(x), rtol=1e-5, atol=1e-5)


def test_depthwise_is_the_same_in_float64():
    torch.manual_seed(0)
    layer = CausalDepthwise2d(8, (5, 3))
    x = torch.randn(1, 8, 20, 12)
    single = layer(x)
    double = layer.double()(x.double())
    torch.testing.assert_close(double.float(), single, rtol=1e-5, atol=1e-5)


def test_overlap_add_is_that_of_torch():
    frames = torch.randn(1, 8, 11)
    expected = torch.nn.functional.fold(frames, (1, 8 + 2 * 10), (1, 8), stride=(1, 2)).flatten(1)
    layer = OverlapAdd(2, 4)
    torch.testing.assert_close(layer(frames), expected[:, :22])
    state = StreamState()
    parts = [layer(part, state) for part in torch.split(frames, [5, 1, 5], dim=-1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), expected[:, :22])


def test_a_copied_state_goes_its_own_way():
    layer = Delay(2)
    state = StreamState()
    layer(torch.tensor([1.0, 2.0, 3.0]), state)
    twin = state.copy()
    assert layer(torch.tensor([4.0]), state).tolist() == [2.0]
    assert layer(torch.tensor([9.0]), twin).tolist() == [2.0]
    assert layer(torch.tensor([5.0]), state).tolist() == [3.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", [(5, 3), (1, 7), (3, 1)])
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_every_way_of_a_depthwise_convolution_is_the_library_s(dtype, kernel, steps):
    torch.manual_seed(0)
    layer = CausalDepthwise2d(6, kernel).to(dtype)
    x = torch.randn(2, 6, 9, steps, dtype=dtype)
    padded = torch.nn.functional.pad(x, (kernel[1] - 1, 0))
    expected = layer.conv(padded)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    assert layer(x).requires_grad
