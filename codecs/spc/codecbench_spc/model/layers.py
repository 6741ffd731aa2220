"""Layers that are causal in time and can run chunk by chunk.

Two-dimensional maps have the layout `[B, C, F, T]` (in `channels_last` memory, 2-4 times faster to train on
a CPU); one-dimensional ones are maps with `F = 1`.  Every layer takes an optional `StreamState`: without one
the past is zero (offline); with one, the tail of the previous chunk takes the place of the zeros and the new
tail is stored, so that chunks of any whole number of steps give what the offline path gives.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from codecbench_spc.model.depthwise import depthwise

M = TypeVar("M", bound=nn.Module)


def channels_last(module: M) -> M:
    """The module with its convolutions' weights in the memory layout that is fastest on a CPU."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def laid_out_for_streams(module: M) -> M:
    """The module with its weights laid out in memory as products of a few rows read them.

    A chunk of a stream reads every weight for four frames only: linear layers by input, depthwise filters by
    place need no copy then.  The values are the same.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.data = layer.weight.data.t().contiguous().t()
        elif isinstance(layer, CausalDepthwise2d):
            weight = layer.conv.weight
            weight.data = weight.data.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
    return module


FEW_STEPS = 8
"""Up to so many time steps the library's depthwise convolution is the slower one."""


class StreamState:
    """What each layer keeps of the past between two chunks.  One state belongs to one stream."""

    def __init__(self) -> None:
        self._tails: dict[int, Tensor] = {}

    def extend(self, layer: nn.Module, x: Tensor, steps: int) -> Tensor:
        """Put `steps` past time steps before `x [..., T]`, and keep the last `steps` for the next chunk."""
        tail = self._tails.get(id(layer))
        # Padding keeps the memory layout of `x`; with a tail of another one every layer would have to copy.
        extended = functional.pad(x, (steps, 0)) if tail is None else torch.cat([tail, x], dim=-1)
        self._tails[id(layer)] = extended[..., extended.shape[-1] - steps :].clone()
        return extended

    def copy(self) -> StreamState:
        """Independent copy: go on from here without disturbing the original (tails are never changed)."""
        twin = StreamState()
        twin._tails = dict(self._tails)
        return twin


def with_past(layer: nn.Module, x: Tensor, steps: int, state: StreamState | None) -> Tensor:
    """`x [..., T]` preceded by `steps` time steps: zeros offline, the stream's own past otherwise."""
    if steps == 0:
        return x
    if state is None:
        return functional.pad(x, (steps, 0))
    return state.extend(layer, x, steps)


class CausalConv2d(nn.Module):
    """Convolution over `[B, C, F, T]`: symmetric zeros in frequency, only the past in time.

    Parameters
    ----------
    kernel : tuple of int
        Size in frequency and in time.
    stride : tuple of int
        Where the stride in time is above 1 it equals the kernel in time, so nothing is kept.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        *,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.past = 0 if stride[1] == kernel[1] else (kernel[1] - 1) * dilation
        self.conv = nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride=stride,
            padding=((kernel[0] - stride[0]) // 2, 0),
            dilation=(1, dilation),
            groups=groups,
        )

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, F, T]` -> `[B, C', F / stride, T / stride]`."""
        out: Tensor = self.conv(with_past(self, x, self.past, state))
        return out


class CausalDepthwise2d(CausalConv2d):
    """A filter of its own for each channel.

    The library's convolution serves long single-precision maps.  A few steps of a stream spend their time in
    its preparations, and double precision has no vectorised kernel: `depthwise` serves both on a CPU where no
    gradients are wanted, sums of products serve double precision elsewhere.
    """

    def __init__(self, channels: int, kernel: tuple[int, int]) -> None:
        super().__init__(channels, channels, kernel, groups=channels)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, F, T]` -> `[B, C, F, T]`."""
        double = x.dtype == torch.float64
        compiled = x.device.type == "cpu" and not torch.is_grad_enabled()
        if not double and not (compiled and x.shape[3] <= FEW_STEPS):
            return super().forward(x, state)
        source = with_past(self, x, self.past, state).permute(0, 2, 3, 1)
        total = self._compiled(source) if compiled else self._shifted(source)
        return total.permute(0, 3, 1, 2)

    def _compiled(self, source: Tensor) -> Tensor:
        batch, bands, times, channels = source.shape
        out = source.new_empty(batch, bands, times - self.past, channels)
        weight, bias = self._channels_last_weight().detach(), self.conv.get_parameter("bias").detach()
        depthwise(source.contiguous().numpy(), weight.numpy(), bias.numpy(), out.numpy())
        return out

    def _shifted(self, source: Tensor) -> Tensor:
        """One product of the kernel after the other, accumulated in place."""
        rows, steps = self.conv.kernel_size
        batch, bands, times, channels = source.shape
        padded = functional.pad(source, (0, 0, 0, 0, rows // 2, rows // 2))
        weight = self._channels_last_weight()
        total = self.conv.get_parameter("bias").expand(batch, bands, times - self.past, channels).clone()
        for row in range(rows):
            for step in range(steps):
                part = padded[:, row : row + bands, step : step + times - self.past]
                total.addcmul_(part, weight[row, step])
        return total

    def _channels_last_weight(self) -> Tensor:
        """Filters `[rows, steps, C]`."""
        return self.conv.weight[:, 0].permute(1, 2, 0).contiguous()


class ConvNextBlock(nn.Module):
    """Depthwise convolution, channel norm, and a two-layer perceptron of each position (Liu et al. 2022).

    The residual branch is scaled by a learned gain for each channel that starts at `gain`.
    """

    def __init__(self, channels: int, hidden: int, kernel: tuple[int, int], gain: float) -> None:
        super().__init__()
        self.depthwise = CausalDepthwise2d(channels, kernel)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, hidden)
        self.reduce = nn.Linear(hidden, channels)
        self.gain = nn.Parameter(torch.full((channels,), gain))

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, F, T]` -> `[B, C, F, T]`."""
        # As a matrix product over the last axis: in channels_last memory the permutation moves nothing.
        y: Tensor = self.norm(self.depthwise(x, state).permute(0, 2, 3, 1))
        y = self.reduce(functional.gelu(self.expand(y)))
        return torch.addcmul(x.permute(0, 2, 3, 1), y, self.gain).permute(0, 3, 1, 2)


class CausalUpsample(nn.Module):
    """Transposed convolution in time whose output depends on the past only.

    A transposed convolution of kernel `k` and stride `s` (`k` a multiple of `s`) is a convolution over the
    last `k / s` inputs that gives `s` outputs for each; written so, it is causal and needs no cropping.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = CausalConv2d(channels_in, channels_out * stride, (1, kernel // stride))
        if kernel == stride:
            self.conv.past = 0

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, 1, T]` -> `[B, C', 1, stride T]`."""
        batch, _, _, steps = x.shape
        y: Tensor = self.conv(x, state).permute(0, 2, 3, 1).reshape(batch, 1, steps * self.stride, -1)
        return y.permute(0, 3, 1, 2)


class Delay(nn.Module):
    """Shift by a number of steps; the first ones are zero."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[..., T]` -> `[..., T]`."""
        return with_past(self, x, self.steps, state)[..., : x.shape[-1]]


class OverlapAdd(nn.Module):
    """Sum of frames of `overlap * hop` samples that start `hop` samples apart, from the past only.

    Step `t` gives the `hop` samples at which frame `t` starts, so later frames never change them.
    """

    def __init__(self, hop: int, overlap: int) -> None:
        super().__init__()
        self.hop = hop
        self.overlap = overlap
        self.tails = nn.ModuleList(Delay(k) for k in range(1, overlap))

    def forward(self, frames: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, overlap * hop, T]` -> `[B, hop * T]`."""
        parts = frames.reshape(len(frames), self.overlap, self.hop, frames.shape[-1])
        total: Tensor = parts[:, 0]
        for k, delay in enumerate(self.tails, start=1):
            total = total + delay(parts[:, k], state)
        return total.transpose(1, 2).flatten(1)
