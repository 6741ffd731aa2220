"""Cutting long clips: cover, limit, quiet places, weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench.errors import Unscorable
from codecbench.metrics.parts import halve, mean_over, split

RATE = 1000


def noise(seconds):
    return np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 200.0), st.floats(1.0, 60.0))
def test_parts_cover_the_clip_within_the_limit(seconds, limit):
    wave = noise(seconds)
    parts = split(wave, RATE, limit)
    assert parts[0].start == 0
    assert parts[-1].stop == wave.size
    assert all(a.stop == b.start for a, b in itertools.pairwise(parts))
    assert all(0 < part.stop - part.start <= limit * RATE + 1 for part in parts)
    assert len(parts) == 1 or wave.size > limit * RATE


def test_cuts_at_the_quiet_place():
    wave = noise(40.0)
    wave[21_000:21_300] = 0.0
    first, second = split(wave, RATE, 30.0)
    assert 21_000 <= first.stop <= 21_300
    assert first.stop == second.start
    left, right = halve(wave, slice(10_000, 34_000), RATE)
    assert 21_000 <= left.stop <= 21_300
    assert (left.start, right.stop) == (10_000, 34_000)


def test_the_mean_weighs_by_duration_and_leaves_out_silence():
    wave = noise(10.0)
    wave[6000:8000] = 0.0
    parts = [slice(0, 4000), slice(4000, 6000), slice(6000, 8000), slice(8000, 10_000)]
    values = {4000: 1.0, 2000: None}

    def score(ref, deg):
        return values[ref.size]

    assert mean_over(parts, score, wave, wave) == 1.0
    values[2000] = 4.0
    assert mean_over(parts, score, wave, wave) == pytest.approx((4 * 1.0 + 2 * 4.0 + 2 * 4.0) / 8)


def test_no_speech_anywhere_is_a_reason():
    wave = noise(2.0)
    with pytest.raises(Unscorable, match="no speech"):
        mean_over([slice(0, 2000)], lambda ref, deg: None, wave, wave)
