"""Facts of a tokenizer from stored tokens, counted by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codecbench.analysis.tokens import COLUMNS, token_facts
from codecbench.store.records import encode_codes
from codecbench.store.store import Run


def _run(codes, again) -> Run:
    records = pd.DataFrame({
        "codec": "c", "point": "1", "seconds": [1.0, 3.0], "payload_bytes": [8, 24],
        "speaker": ["a", "b"], "recoded_equal": again,
        "codes": [encode_codes(item) if item.size else None for item in codes],
    })  # fmt: skip
    return Run(Path("made-up"), {}, records)


FIRST = np.tile([[0, 1], [2, 2]], 10)
SECOND = np.tile([[0, 1], [2, 2]], 30)


@pytest.mark.parametrize(
    ("again", "stable", "of"),
    [([1.0, 0.5], 62.5, 2), ([math.nan, 0.5], 50.0, 1), ([math.nan, math.nan], math.nan, math.nan)],
)
def test_counted_by_hand(again, stable, of):
    facts = token_facts(_run([FIRST, SECOND], again), "c", "1")
    assert tuple(sorted(facts)) == tuple(sorted(COLUMNS))
    assert facts["tokens_s"] == 160 / 4
    assert facts["bits_token"] == 8 * 32 / 160
    assert facts["codebooks"] == 2
    assert facts["codes_used"] == pytest.approx(100 * 1.5 / 4)
    assert facts["perplexity"] == pytest.approx((2 + 1) / 2)
    assert facts["recoded_equal"] == pytest.approx(stable, nan_ok=True)
    assert facts["recoded_n"] == pytest.approx(of, nan_ok=True)
    assert 0 < facts["ngram_bits"] < 1  # each next token is certain; the number of the way is paid for


def test_without_tokens_there_is_nothing():
    empty = np.zeros((1, 0), np.int64)
    facts = token_facts(_run([empty, empty], [math.nan, math.nan]), "c", "1")
    assert all(math.isnan(value) for value in facts.values())
