"""Entropy of tokens: of zero order, and what a memoryless coder spends on new speech.

The entropy of the counted shares is a description of these tokens and too low as a rate: it is at most log2
of their number, so that few tokens of a large codebook look compressible even where they are uniform, and it
grows with every utterance added.  The code length uses tables made of *other* speakers' tokens, as a coder
that is shipped with its tables does; it errs upwards only, by what the tables did not see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Codes

PRIOR = 0.5
"""What each symbol counts before any is seen (Krichevsky and Trofimov, IEEE Trans. IT 27(2), 1981)."""
TOKENS_PER_SYMBOL = 10
"""Tokens that a table needs for each symbol.  A table of K shares estimated from n tokens costs
(K - 1) / (2 n ln 2) bit a token more than the true one: at ten a symbol 0.07 bit at most."""

Counts = NDArray[np.float64]


def entropy_bits(tokens: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    """Return the zero-order entropy of tokens in bits each; 0 for none."""
    if tokens.size == 0:
        return 0.0
    _, counts = np.unique(tokens, return_counts=True)
    shares = counts / counts.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def by_stream(codes: Sequence[Codes]) -> list[NDArray[np.int64]]:
    """Return the tokens of each stream, [N], over all utterances [F, T] that have it, in their order."""
    return [
        np.concatenate([item[stream] for item in codes if item.shape[0] > stream])
        for stream in range(max((item.shape[0] for item in codes), default=0))
    ]


def code_kbps(codes: Sequence[Codes], speakers: Sequence[Any], seconds: float) -> float:
    """Return the rate in kbit/s at which a memoryless coder of each stream codes speech of new speakers.

    Each speaker's tokens are coded with the shares of all others', each symbol counting `PRIOR` beforehand.
    A stream has a table of its own or uses one made of all streams, which serves codecs whose streams share a
    codebook, or is coded with a fixed length: whatever is shortest.  The alphabet reaches to the largest
    token seen.

    Parameters
    ----------
    codes : sequence of int64 [F, T]
        The tokens of every utterance.
    speakers : sequence
        The speaker of each utterance; of a single speaker each utterance counts as new.
    seconds : float
        Duration of these utterances together.

    Returns
    -------
    float
        NaN without tokens or duration, with a single utterance, or where both tables of a stream would be
        made of fewer than `TOKENS_PER_SYMBOL` tokens a symbol.
    """
    if not codes or seconds <= 0:
        return math.nan
    names = np.asarray(speakers, dtype=str)
    if np.unique(names).size == 1:
        names = np.arange(len(codes)).astype(str)
    _, voices = np.unique(names, return_inverse=True)
    tokens = by_stream(codes)
    present = [
        [index for index, item in enumerate(codes) if item.shape[0] > stream] for stream in range(len(tokens))
    ]
    owners = [np.repeat(voices[indices], [codes[index].shape[1] for index in indices]) for indices in present]
    shared = _counts(np.concatenate(tokens), np.concatenate(owners), int(voices.max()) + 1)
    bits = 0.0
    for row, owner in zip(tokens, owners, strict=True):
        own = _counts(row, owner, shared.shape[0])
        options = [_bits(own, own), _bits(own, shared), row.size * float(math.ceil(math.log2(own.shape[1])))]
        if math.isnan(options[0]) and math.isnan(options[1]):
            return math.nan
        bits += float(np.nanmin(options))
    return bits / seconds / 1000


def _counts(tokens: NDArray[np.int64], owners: NDArray[np.int64], voices: int) -> Counts:
    """Return how often each speaker has each symbol, [S, K]; K reaches to the largest token."""
    symbols = 1 + int(tokens.max(initial=0))
    counts: Counts = np.bincount(owners * symbols + tokens, minlength=voices * symbols).astype(np.float64)
    return counts.reshape(voices, symbols)


def _bits(own: Counts, table: Counts) -> float:
    """Return the bits of tokens counted in ``own`` by the other speakers' table, NaN where that saw few."""
    symbols = table.shape[1]
    others = table.sum(axis=0) - table
    trained = others.sum(axis=1, keepdims=True)
    coded = own.sum(axis=1) > 0
    if float(trained[coded].min(initial=math.inf)) < TOKENS_PER_SYMBOL * symbols:
        return math.nan
    lengths = -np.log2((others + PRIOR) / (trained + PRIOR * symbols))
    return float((own * lengths[:, : own.shape[1]]).sum())
