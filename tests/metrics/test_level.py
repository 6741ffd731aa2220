"""Loudness against the recommendation's own calibration, and its properties."""

from __future__ import annotations

import numpy as np
import pytest

from codecbench.errors import Unscorable
from codecbench.metrics.level import LoudnessChange
from codecbench.testing.signals import speech_like

pytest.importorskip("pyloudnorm")
METRIC = LoudnessChange()


def tone(amplitude, hz=997.0, seconds=3.0):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(48_000 * seconds)) / 48_000)).astype(
        np.float32
    )


def test_the_recommendations_calibration_tone():
    # BS.1770-4: a 0 dBFS sine of 997 Hz in one front channel reads -3.01 LKFS.
    assert METRIC.lufs(tone(1.0)) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("change_db", [-12.0, -1.0, 6.0])
def test_a_gain_is_its_decibels_whatever_its_sign(change_db):
    ref = np.repeat(speech_like(2.0), 3)
    gain = np.float32(10.0 ** (change_db / 20.0))
    assert METRIC(ref, gain * ref) == pytest.approx(abs(change_db), abs=1e-3)


def test_below_the_gate_there_is_no_loudness():
    with pytest.raises(Unscorable, match="-70 LUFS"):
        METRIC(tone(1.0), tone(3e-4))
