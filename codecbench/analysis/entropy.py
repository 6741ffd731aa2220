"""The empirical entropy of a codec's tokens: what an ideal memoryless entropy coder would spend."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from codecbench.codec import Codes


def entropy_bits(tokens: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    """Return the zero-order entropy of tokens in bits each; 0 for none."""
    if tokens.size == 0:
        return 0.0
    _, counts = np.unique(tokens, return_counts=True)
    shares = counts / counts.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def entropy_kbps(codes: Sequence[Codes], seconds: float) -> float:
    """Return the rate in kbit/s that an ideal zero-order coder of each stream would need.

    The tokens of all utterances are pooled for each stream.  It is a plug-in estimate: with few tokens for a
    large codebook it lies below the true entropy.

    Parameters
    ----------
    codes : sequence of int64 [F, T]
        The tokens of every utterance.
    seconds : float
        Duration of these utterances together.

    Returns
    -------
    float
        NaN without tokens or duration.
    """
    if not codes or seconds <= 0:
        return math.nan
    streams = max(item.shape[0] for item in codes)
    bits = 0.0
    for stream in range(streams):
        pooled = np.concatenate([item[stream] for item in codes if item.shape[0] > stream])
        bits += pooled.size * entropy_bits(pooled)
    return bits / seconds / 1000
