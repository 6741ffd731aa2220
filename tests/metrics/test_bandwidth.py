"""Bandwidth of filtered noise of known cut-off, and its properties."""

from __future__ import annotations

import numpy as np
import pytest

from codecbench.errors import Unscorable
from codecbench.metrics.bandwidth import Bandwidth

METRIC = Bandwidth()
RATE_HZ = METRIC.sample_rate_hz


def noise(cutoff_hz=24_000.0, seed=0, floor=0.0):
    """White noise below a frequency, and another, weaker, above it."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(2 * RATE_HZ))
    above = np.fft.rfftfreq(2 * RATE_HZ, 1.0 / RATE_HZ) > cutoff_hz
    spectrum[above] *= floor
    return (0.1 * np.fft.irfft(spectrum)).astype(np.float32)


@pytest.mark.parametrize("cutoff_hz", [3400.0, 5000.0, 8000.0, 20_000.0])
def test_is_the_cutoff(cutoff_hz):
    assert METRIC(noise(), noise(cutoff_hz)) == pytest.approx(cutoff_hz / 1000.0, abs=0.11)


def test_what_the_reference_lacks_does_not_count():
    assert METRIC(noise(4000.0), noise(16_000.0, seed=1)) == pytest.approx(4.0, abs=0.11)
    assert METRIC(noise(4000.0), noise(4000.0)) == pytest.approx(4.0, abs=0.11)


@pytest.mark.parametrize(("drop_db", "expected_khz"), [(10.0, 24.0), (20.0, 6.0)])
def test_the_threshold_decides(drop_db, expected_khz):
    weaker = noise(6000.0, floor=10.0 ** (-drop_db / 20.0))
    assert METRIC(noise(), weaker) == pytest.approx(expected_khz, abs=0.11)


def test_level_matters_only_beyond_the_threshold():
    ref = noise()
    assert METRIC(ref, np.float32(0.3) * ref) == pytest.approx(24.0, abs=0.11)
    with pytest.raises(Unscorable, match="carries no band"):
        METRIC(ref, np.float32(0.1) * ref)
