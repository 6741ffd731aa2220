"""The entropy of tokens whose entropy is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codecbench.analysis.entropy import code_kbps, entropy_bits


def test_entropy_of_known_tokens() -> None:
    fair = np.array([[0, 1, 0, 1], [0, 1, 2, 3]])
    assert entropy_bits(fair[0]) == 1.0
    assert entropy_bits(fair[1]) == 2.0
    assert entropy_bits(np.array([7, 7])) == 0.0
    assert entropy_bits(np.array([], dtype=np.int64)) == 0.0


def _rate(utterances: list[np.ndarray], speakers: list[str]) -> float:
    """Return the code length in bit a token."""
    return code_kbps(utterances, speakers, sum(item.size for item in utterances) / 1000)


def test_uniform_tokens_cost_their_fixed_length() -> None:
    draws = np.random.default_rng(0)
    utterances = [draws.integers(0, 16, (1, 1000)) for _ in range(8)]
    assert _rate(utterances, list("aabbccdd")) == pytest.approx(4.0, abs=0.01)


def test_peaked_tokens_cost_their_entropy_however_many_there_are() -> None:
    draws = np.random.default_rng(1)
    shares = np.array([0.7, 0.1, 0.1, 0.1])
    truth = -(shares * np.log2(shares)).sum()
    utterances = [draws.choice(4, (1, 2000), p=shares) for _ in range(16)]
    for number in (4, 8, 16):
        speakers = [str(index % 4) for index in range(number)]
        assert _rate(utterances[:number], speakers) == pytest.approx(truth, abs=0.03)


def test_memory_is_not_used() -> None:
    """Tokens that mostly repeat the one before cost what their shares cost: 2 bit of 4 equally frequent."""
    draws = np.random.default_rng(2)
    changes = [np.where(draws.random((1, 4000)) < 0.2, draws.integers(1, 4, (1, 4000)), 0) for _ in range(8)]
    utterances = [np.cumsum(item, axis=1) % 4 for item in changes]
    assert _rate(utterances, list("aabbccdd")) == pytest.approx(2.0, abs=0.03)


def test_too_few_tokens_have_no_rate() -> None:
    few = [np.array([[0, 1023, 5]]), np.array([[7, 9, 11]])]
    assert math.isnan(_rate(few, ["a", "b"]))
    assert math.isnan(code_kbps([], [], 1.0))
