"""Tokenizer statistics: tokens a second, bits a token, codebooks, codes used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from codecbench.analysis.runs import with_tokens
from codecbench.store.store import Run

COLUMNS = ("tokens_s", "bits_token", "codebooks", "codes_used")


def token_facts(run: Run, codec: str, point: str) -> dict[str, float]:
    """Return the facts of one codec at one point by the names of `COLUMNS`; NaN where it has no tokens.

    ``tokens_s`` counts the tokens of all streams a second, ``bits_token`` is the measured payload over them,
    ``codebooks`` the number of streams, ``codes_used`` the share in percent of each stream's codes that
    occurs at all, the mean over streams; a codebook is taken to reach to the next power of two above the
    largest token of any stream.
    """
    rows = run.records[(run.records["codec"] == codec) & (run.records["point"] == point)]
    coded = with_tokens(rows)
    codes = run.codes(codec, point)
    tokens = sum(item.size for item in codes)
    if not tokens:
        return dict.fromkeys(COLUMNS, math.nan)
    streams = max(item.shape[0] for item in codes)
    alphabet = 1 << int(max(int(item.max(initial=0)) for item in codes)).bit_length()
    distinct: list[Any] = [
        np.unique(np.concatenate([item[stream] for item in codes if item.shape[0] > stream])).size
        for stream in range(streams)
    ]
    return {
        "tokens_s": tokens / float(coded["seconds"].sum()),
        "bits_token": 8 * float(coded["payload_bytes"].sum()) / tokens,
        "codebooks": float(streams),
        "codes_used": 100 * float(np.mean(distinct)) / alphabet,
    }
