"""F0 errors on tones of known pitch, with both extractors."""

from __future__ import annotations

import numpy as np
import pytest

from codecbench.errors import InvalidInput, Unscorable
from codecbench.metrics.f0 import F0Error, VoicingError
from codecbench.testing.signals import speech_like

RATE_HZ = 16_000


def voice(hz, seconds=1.0):
    """Harmonics of a pitch, falling by 6 dB an octave, up to 4 kHz."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    partials = range(1, int(4000 / hz) + 1)
    return (0.2 * sum(np.sin(2 * np.pi * hz * k * at) / k for k in partials)).astype(np.float32)


@pytest.fixture(params=["swift-f0", "world"])
def extractor(request):
    if request.param == "swift-f0":
        pytest.importorskip("swift_f0")
    return request.param


@pytest.mark.parametrize("cents", [0.0, 50.0, -200.0])
def test_a_shift_is_its_cents(extractor, cents):
    ref, deg = voice(140.0), voice(140.0 * 2.0 ** (cents / 1200.0))
    assert F0Error(extractor=extractor)(ref, deg) == pytest.approx(abs(cents), abs=12.0)


def test_half_the_voice_lost_is_half_an_error(extractor):
    ref = voice(140.0, 2.0)
    deg = ref.copy()
    deg[RATE_HZ:] = 1e-3 * np.random.default_rng(0).standard_normal(RATE_HZ)
    assert VoicingError(extractor=extractor)(ref, deg) == pytest.approx(50.0, abs=5.0)


def test_noise_has_no_pitch(extractor):
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE_HZ)).astype(np.float32)
    with pytest.raises(Unscorable, match="voiced"):
        F0Error(extractor=extractor)(noise, voice(140.0))


def test_tracks_lie_on_one_grid():
    pytest.importorskip("swift_f0")
    wave = speech_like(2.0)[:30_001]
    swift, world = (F0Error(extractor=name).track(wave) for name in ("swift-f0", "world"))
    assert swift.shape == world.shape
    both = (swift > 0) & (world > 0)
    assert both.mean() > 0.3
    assert np.median(np.abs(1200 * np.log2(swift[both] / world[both]))) < 25


def test_unknown_extractor():
    with pytest.raises(InvalidInput, match="unknown F0 extractor 'crepe'"):
        F0Error(extractor="crepe")(voice(140.0), voice(140.0))
