"""Bits a token of the n-gram: sources whose entropy is known, and what it never undercuts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codecbench.analysis.entropy import code_kbps
from codecbench.analysis.ngram import ngram_bits


def _utterances(make, speakers: int = 8, each: int = 2):
    rng = np.random.default_rng(0)
    names = [f"s{place // each}" for place in range(speakers * each)]
    return [make(rng) for _ in names], names


def _uniform(rng):
    return rng.integers(0, 8, (3, 400))


def _markov(rng):
    """A token is the one before it plus 0 or 1, modulo 8: 1 bit, though all are equally frequent."""
    return (rng.integers(0, 8, (3, 1)) + np.cumsum(rng.integers(0, 2, (3, 400)), axis=1)) % 8


def _stacked(rng):
    """The second stream repeats the first but for one in two tokens, which are one higher."""
    first = rng.integers(0, 8, (1, 400))
    return np.concatenate([first, (first + rng.integers(0, 2, first.shape)) % 8])


@pytest.mark.parametrize(
    ("make", "entropy"), [(_uniform, 3.0), (_markov, 1.0 + 2.0 / 400), (_stacked, (3.0 + 1.0) / 2)]
)
def test_comes_near_the_entropy_of_the_source_and_not_below(make, entropy):
    found = ngram_bits(*_utterances(make))
    assert entropy - 0.005 < found < entropy + 0.03


def test_a_memoryless_source_costs_what_the_memoryless_coder_pays_and_the_number_of_the_way():
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    codes, names = _utterances(lambda rng: rng.choice(4, (1, 300), p=shares))
    memoryless = 1000 * code_kbps(codes, names, 1.0) / sum(item.size for item in codes)
    assert ngram_bits(codes, names) <= memoryless + math.log2(18) / 600 + 1e-9
    assert ngram_bits(codes, names) > 1.70


def test_each_speaker_is_coded_by_the_others_alone():
    # Each speaker has a token of her own: nothing of the others predicts it.
    codes, names = _utterances(lambda rng: rng.integers(0, 4, (1, 400)), speakers=4)
    private = [np.full((1, 400), int(name[1:])) for name in names]
    assert ngram_bits(codes, names) < 2.05
    assert ngram_bits(private, names) > 8.0


@pytest.mark.parametrize(
    ("codes", "speakers"),
    [
        ([], []),
        ([np.zeros((2, 0), np.int64)] * 2, ["a", "b"]),
        ([np.zeros((2, 300), np.int64)] * 2, ["a", "a"]),
        ([np.arange(100)[None], np.arange(100)[None]], ["a", "b"]),
    ],
    ids=["nothing", "no tokens", "one speaker", "one token a symbol"],
)
def test_too_little_gives_no_figure(codes, speakers):
    assert math.isnan(ngram_bits(codes, speakers))
