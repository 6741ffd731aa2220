"""What a small n-gram pays for tokens of new speech: bits a token, each speaker coded by the others' counts.

The model is a bigram: the token before it in its own stream, or that of the stream before at the same step,
predicts a token, backed off to the memoryless shares by a Dirichlet prior of strength a (MacKay and Peto,
Natural Language Engineering 1(3), 1995): with c of n tokens seen after the same one and the share q, a token
costs -log2 ((c + a q) / (n + a)) bits.  Counts are a stream's own or those of all streams together.  For each
speaker and stream the cheapest of these ways is taken and its number paid for, so that the sum is a code that
could be decoded: as a figure of the tokens it errs upwards only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench.analysis.entropy import PRIOR, TOKENS_PER_SYMBOL
from codecbench.codec import Codes

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
"""How many tokens the memoryless shares count as, after each context."""
WAYS = 2 * (1 + 2 * len(STRENGTHS))
"""Own counts or all streams'; without context, or one of two contexts at one of the strengths."""

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class _Table:
    """A row for each token: its speaker and stream, what precedes it in time and across, itself."""

    speaker: Tokens
    stream: Tokens
    contexts: tuple[Tokens, Tokens]
    token: Tokens
    symbols: int


def ngram_bits(codes: Sequence[Codes], speakers: Sequence[Any]) -> float:
    """Return the bits a token that the n-gram pays on speech of new speakers.

    Parameters
    ----------
    codes : sequence of int64 [F, T]
        The tokens of every utterance.
    speakers : sequence
        The speaker of each utterance.

    Returns
    -------
    float
        NaN without tokens, with a single speaker, or where fewer than `TOKENS_PER_SYMBOL` tokens a symbol
        of other speakers are there to learn from.
    """
    names, voices = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    if names.size < 2 or not sum(item.size for item in codes):
        return math.nan
    table = _table(codes, voices)
    others = table.token.size - np.bincount(table.speaker, minlength=names.size)
    if int(others.min()) < TOKENS_PER_SYMBOL * table.symbols:
        return math.nan
    streams = int(table.stream.max()) + 1
    place = table.speaker * streams + table.stream
    ways = [bits for own in (True, False) for bits in _ways(table, own=own)]
    costs = np.stack([np.bincount(place, bits, names.size * streams) for bits in ways])
    there = np.bincount(place, minlength=names.size * streams) > 0
    paid = costs.min(axis=0)[there].sum() + there.sum() * math.log2(WAYS)
    return float(paid / table.token.size)


def _table(codes: Sequence[Codes], voices: Tokens) -> _Table:
    """Lay out the tokens; where nothing precedes stands a symbol of its own, one above the largest."""
    symbols = 1 + max(int(item.max(initial=0)) for item in codes)
    parts = []
    for item, voice in zip(codes, voices, strict=True):
        before, beside = np.full_like(item, symbols), np.full_like(item, symbols)
        before[:, 1:], beside[1:] = item[:, :-1], item[:-1]
        stream = np.repeat(np.arange(item.shape[0]), item.shape[1])
        parts.append((np.full(item.size, voice), stream, before.ravel(), beside.ravel(), item.ravel()))
    speaker, stream, before, beside, token = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Table(speaker, stream, (before, beside), token, symbols)


def _ways(table: _Table, *, own: bool) -> list[NDArray[np.float64]]:
    """Return what each token costs in bits without a context, and by each context and strength."""
    group = table.stream if own else np.zeros_like(table.stream)
    seen, total = _others(table, [group, table.token]), _others(table, [group])
    share = (seen + PRIOR) / (total + PRIOR * table.symbols)
    ways = [-np.log2(share)]
    for context in table.contexts:
        pairs, after = _others(table, [group, context, table.token]), _others(table, [group, context])
        ways += [-np.log2((pairs + a * share) / (after + a)) for a in STRENGTHS]
    return ways


def _others(table: _Table, columns: Sequence[Tokens]) -> NDArray[np.int64]:
    """Return for each token how many of the other speakers have the same values in these columns."""
    key = np.zeros_like(table.token)
    for column in columns:
        key = key * (table.symbols + 1) + column if column is not columns[0] else column
    _, every = np.unique(key, return_inverse=True)
    _, mine = np.unique(every * (int(table.speaker.max()) + 1) + table.speaker, return_inverse=True)
    return np.asarray(np.bincount(every)[every] - np.bincount(mine)[mine], dtype=np.int64)
