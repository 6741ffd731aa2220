"""Tokenizer statistics: tokens a second, bits a token, codebooks, codes used, what a second coding leaves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from codecbench.analysis.entropy import by_stream, entropy_bits
from codecbench.analysis.ngram import ngram_bits
from codecbench.analysis.runs import with_tokens
from codecbench.store.records import RECODED
from codecbench.store.store import Run

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "tokens_s", "bits_token", "ngram_bits", "codebooks", "codes_used", "perplexity", "recoded_equal",
    "recoded_n",
)  # fmt: skip


def token_facts(run: Run, codec: str, point: str) -> dict[str, float]:
    """Return the facts of one codec at one point by the names of `COLUMNS`; NaN where it has no tokens.

    ``tokens_s`` counts the tokens of all streams a second, ``bits_token`` is the measured payload over them,
    ``ngram_bits`` what `ngram_bits` gives, ``codebooks`` the number of streams.  ``codes_used`` is the share
    in percent of each stream's codes that occurs at all, the mean over streams; a codebook is taken to reach
    to the next power of two above the largest token of any stream.  ``perplexity`` is two to the entropy of
    a stream's tokens, the mean over streams.  ``recoded_equal`` is the share in percent of the tokens that
    decoded speech, coded again, has at the same places, over the ``recoded_n`` utterances of which that was
    measured; NaN where it was of none.
    """
    rows = run.of(codec, point)
    coded = with_tokens(rows)
    codes = run.codes(codec, point)
    tokens = sum(item.size for item in codes)
    if not tokens:
        return dict.fromkeys(COLUMNS, math.nan)
    alphabet = 1 << int(max(int(item.max(initial=0)) for item in codes)).bit_length()
    streams = by_stream(codes)
    return {
        "tokens_s": tokens / float(coded["seconds"].sum()),
        "bits_token": 8 * float(coded["payload_bytes"].sum()) / tokens,
        "ngram_bits": ngram_bits(codes, list(coded["speaker"])),
        "codebooks": float(len(streams)),
        "codes_used": 100 * float(np.mean([np.unique(stream).size for stream in streams])) / alphabet,
        "perplexity": float(np.mean([2.0 ** entropy_bits(stream) for stream in streams])),
        "recoded_equal": 100 * _over_time(coded, RECODED),
        "recoded_n": float(coded[RECODED].count()) or math.nan,
    }


def _over_time(coded: pd.DataFrame, column: str) -> float:
    """Return a share over all seconds for which it is known; NaN for none."""
    known = coded[coded[column].notna()]
    seconds = float(known["seconds"].sum())
    return float((known[column] * known["seconds"]).sum()) / seconds if seconds > 0 else math.nan
