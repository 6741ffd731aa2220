"""Depthwise convolution, compiled, for what the library serves badly: few time steps, or double precision."""

from __future__ import annotations

from typing import Any

from codecbench_spc.model.compiled import njit


@njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=True)
def depthwise(source: Any, weight: Any, bias: Any, out: Any) -> None:
    """Sums of products, symmetric zeros in frequency.

    Parameters
    ----------
    source : [B, F, T + steps - 1, C]
    weight : [rows, steps, C]
    bias : [C]
    out : [B, F, T, C]
        Is written.
    """
    batch, bands, times, channels = out.shape
    rows, steps = weight.shape[0], weight.shape[1]
    for item in range(batch):
        for band in range(bands):
            low = max(0, rows // 2 - band)
            high = min(rows, bands + rows // 2 - band)
            for time in range(times):
                for c in range(channels):
                    out[item, band, time, c] = bias[c]
                for row in range(low, high):
                    for step in range(steps):
                        at = band + row - rows // 2
                        for c in range(channels):
                            out[item, band, time, c] += (
                                source[item, at, time + step, c] * weight[row, step, c]
                            )
