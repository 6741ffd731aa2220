"""Codecs in time: their levels come late by a ms or two in all utterances alike, which is no lag to undo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codecbench import audio, registry
from codecbench.alignment import Delay, measure, settle, undo
from codecbench.correlation import envelope_peak, wave_peak
from codecbench.metrics.si_sdr import SiSdr

RATE = 16_000
Wave = NDArray[np.float32]


def _through(name: str, point: str, speech: list[Wave]) -> list[tuple[Wave, Wave]]:
    codec = registry.codec(name)
    codec.check()
    codec.open()
    own_hz, at = codec.info.sample_rate_hz, codec.point(point)
    pairs = []
    for wave in speech:
        coded = codec.encode(audio.resample(wave, RATE, own_hz), at)
        pairs.append((wave, audio.resample(codec.decode(coded, at), own_hz, RATE)))
    return pairs


def test_levels_that_agree_are_late_where_the_waves_are_not(speech: list[Wave]) -> None:
    pairs = _through("amr-nb", "4.75", speech)
    assert [wave_peak(*pair, RATE, 8000, 8000).lag for pair in pairs] == [0] * len(pairs)
    assert all(8 <= envelope_peak(*pair, RATE, 8000, 8000).lag < 3 * RATE // 1000 + 8 for pair in pairs)
    assert [measure(*pair, RATE) for pair in pairs] == [Delay(0)] * len(pairs)


def test_a_fraction_of_a_sample_is_no_lag(speech: list[Wave]) -> None:
    pairs = _through("silk", "8", speech)
    finer = [[audio.resample(wave, RATE, 8 * RATE) for wave in pair] for pair in pairs]
    fractions = [wave_peak(ref, deg, 8 * RATE, 4000, 4000).lag / 8 for ref, deg in finer]
    assert 0 < np.median(fractions) < 0.5
    assert settle([measure(*pair, RATE) for pair in pairs]) == Delay(0)


def test_a_sample_that_the_peak_shows_is_left_where_the_waves_match_better_without(
    speech: list[Wave],
) -> None:
    pairs = _through("opus", "6", speech)
    assert settle([measure(*pair, RATE) for pair in pairs]) == Delay(0)
    here, late = (
        np.mean([SiSdr()(ref, undo(deg, Delay(lag), ref.size)) for ref, deg in pairs]) for lag in (0, 1)
    )
    assert here > late
