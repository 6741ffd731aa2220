"""The entropy of tokens whose entropy is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codecbench.analysis.entropy import entropy_bits, entropy_kbps


def test_entropy_of_known_tokens() -> None:
    fair = np.array([[0, 1, 0, 1], [0, 1, 2, 3]])
    assert entropy_bits(fair[0]) == 1.0
    assert entropy_bits(fair[1]) == 2.0
    assert entropy_bits(np.array([7, 7])) == 0.0
    assert entropy_bits(np.array([], dtype=np.int64)) == 0.0
    # Two utterances, 2 s together: (8 tokens * 1 bit + 8 tokens * 2 bit) / 2 s = 12 bit/s.
    assert entropy_kbps([fair, fair], 2.0) == pytest.approx(0.012)
    assert math.isnan(entropy_kbps([], 1.0))
