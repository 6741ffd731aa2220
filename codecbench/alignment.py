"""Delay estimation and compensation: by how much a decoded wave is late, and undoing it.

Waveform codecs keep phase, so the cross-correlation of the waves peaks sharply at their delay.  Parametric
and neural codecs do not: their correlation is low and its largest value lies at a chance multiple of the
pitch period.  `measure` therefore believes the waves only where one peak stands out from all others, and
compares the levels of bands otherwise.  Where neither stands out there is no lag, and it says so.

One utterance may still mislead; a codec has one delay.  `settle` makes one of those of many utterances.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from codecbench.codec import Wave
from codecbench.correlation import Peak, agreement, envelope_peak, wave_peak
from codecbench.tracking import track

IDENTICAL, SAME = 0.9999, 0.99
"""Plain correlation from which two waves are the same: whatever other peaks there are, and if one stands out.
A steady tone through a codec correlates as well at any phase."""
DECISIVE, PLAUSIBLE = 2.1, 1.6
"""How far the waves' peak stands out from the next one: enough by itself, and enough beside the envelopes or
where these say nothing.  Of 35 utterances through AMR, SILK, Opus, or under 10 dB louder noise, the least was
1.67; unrelated speech reached 1.50, parametric and neural codecs 2.0."""
LEAST_VALUE = 0.05
ENVELOPE_RATIO, ENVELOPE_VALUE = 1.5, 0.3
"""The envelopes' peak, the same way, and its correlation; unrelated speech reached 1.4 and 0.17 (over whole
utterances), Codec2 at 0.7 kbit/s has at least 2.3 and 0.49."""
NEAR_ZERO = 0.85
"""A filter bends phases and moves the peak by a fraction of a sample; a periodic sound has one peak a period:
where lag 0 correlates nearly as well as the best, it is 0."""
LIKE_ZERO = 0.35
"""Correlation from which lag 0 needs no peak that stands out: a steady tone, which matches everywhere."""
ENVELOPE_GAIN = 0.005
RESOLUTION_MS = 3.0
SHORTEST_S = 0.25
LEAST_OVERLAP_S = 0.5


@dataclass(frozen=True)
class Delay:
    """How a decoded wave lies in time.

    Parameters
    ----------
    samples : int or None
        By how many samples it is late (negative where early); None where that could not be found.
    inverted : bool
        Whether its polarity is turned.
    note : str
        Why there is no lag; or that it drifts or jumps, and ``samples`` is its median.
    """

    samples: int | None
    inverted: bool = False
    note: str = ""

    @property
    def nothing_to_undo(self) -> bool:
        """Whether the wave stands as it should."""
        return self.samples == 0 and not self.inverted


IN_TIME = Delay(0)


def measure(ref: Wave, deg: Wave, rate_hz: int, max_ms: float | None = None) -> Delay:
    """Measure by how much ``deg`` is later than ``ref``.

    All lags are looked at for which half a second (of a shorter wave: all of it) overlaps.  On real speech
    this is exact for waves that are resampled, filtered, inverted, or 10 dB below noise, and within 3 ms for
    vocoded ones, whose own pulses may lie 1 or 2 ms off: there, less than 3 ms counts as 0.

    Parameters
    ----------
    ref, deg : Wave
        float32 [T] and [U], the whole waves at the same rate.
    rate_hz : int
        Sample rate.
    max_ms : float, optional
        Look no further than this, to either side.
    """
    silent = [label for label, wave in (("reference", ref), ("decoded speech", deg)) if not wave.any()]
    if silent:
        return Delay(None, note=f"the {silent[0]} is silent")
    least = min(ref.size, deg.size, round(LEAST_OVERLAP_S * rate_hz))
    early, late = ref.size - least, deg.size - least
    if max_ms is not None:
        early, late = (min(reach, round(max_ms * rate_hz / 1000)) for reach in (early, late))
    if min(ref.size, deg.size) < SHORTEST_S * rate_hz:
        short = Delay(None, note=f"shorter than {SHORTEST_S:g} s, no lag can be measured")
        return IN_TIME if agreement(ref, deg, 0) >= LIKE_ZERO else short
    by_wave = wave_peak(ref, deg, rate_hz, early, late)
    alike = agreement(ref, deg, by_wave.lag)
    if abs(alike) >= (SAME if by_wave.ratio >= PLAUSIBLE else IDENTICAL):
        return _same(ref, deg, by_wave.lag, alike)
    if (tracked := track(ref, deg, rate_hz, by_wave.lag)) is not None:
        return Delay(tracked.lag, tracked.inverted, tracked.note)
    if by_wave.ratio >= DECISIVE and abs(by_wave.value) >= LEAST_VALUE:
        return _of_waves(by_wave)
    return _weigh(by_wave, envelope_peak(ref, deg, rate_hz, early, late), RESOLUTION_MS * rate_hz / 1000)


def lag(ref: Wave, deg: Wave, rate_hz: int, max_ms: float | None = None) -> int:
    """Return by how many samples ``deg`` is late according to `measure`; 0 where no lag is found."""
    return measure(ref, deg, rate_hz, max_ms).samples or 0


def settle(delays: Collection[Delay]) -> Delay:
    """Return the one delay of a codec that gave these: the median lag, inverted where most are.

    Utterances without a lag do not vote, but where they are the most there is none.
    """
    found = [(delay.samples, delay.inverted) for delay in delays if delay.samples is not None]
    if not found:
        first = next((delay.note for delay in delays), "nothing was decoded")
        return Delay(None, note=f"no lag was found: {first}")
    if 2 * len(found) < len(delays):
        missing = len(delays) - len(found)
        return Delay(None, note=f"no lag was found in {missing} of {len(delays)} utterances")
    inverted = sum(turned for _, turned in found) * 2 > len(found)
    return Delay(_median([samples for samples, _ in found]), inverted)


def undo(wave: Wave, delay: Delay, length: int) -> Wave:
    """Return a whole decoded wave as it would be without its delay, float32 [length], zeros filling the ends.

    The wave is moved first and cut afterwards: what lies behind the reference's end only because the wave
    is late is kept.
    """
    if delay.samples is None:
        raise ValueError("there is no lag to undo")
    moved = np.zeros(length, dtype=np.float32)
    start = max(0, -delay.samples)
    kept = wave[max(0, delay.samples) :][: max(0, length - start)]
    moved[start : start + kept.size] = kept
    return -moved if delay.inverted else moved


def shift(wave: Wave, lag: int) -> Wave:
    """Advance a wave by ``lag`` samples (delay it where negative), keeping its length; zeros move in."""
    return undo(wave, Delay(lag), wave.size)


def _same(ref: Wave, deg: Wave, lag: int, alike: float) -> Delay:
    at_zero = agreement(ref, deg, 0)
    if abs(at_zero) >= abs(alike) - 1e-6:
        return Delay(0, inverted=at_zero < 0)
    return Delay(lag, inverted=alike < 0)


def _weigh(by_wave: Peak, by_envelope: Peak, resolution: float) -> Delay:
    """Return what a peak of the waves that does not decide and one of the envelopes say together."""
    if by_wave.value >= LIKE_ZERO and by_wave.at_zero >= NEAR_ZERO:
        return IN_TIME
    heard = by_envelope.ratio >= ENVELOPE_RATIO and by_envelope.value >= ENVELOPE_VALUE
    if by_wave.ratio >= PLAUSIBLE and (not heard or abs(by_wave.lag - by_envelope.lag) <= resolution):
        return _of_waves(by_wave)
    if not heard:
        return Delay(None, note="it matches the reference at no lag, or at many alike")
    at_zero = abs(by_envelope.lag) < resolution or by_envelope.at_zero > 1 - ENVELOPE_GAIN
    return IN_TIME if at_zero else Delay(by_envelope.lag)


def _of_waves(peak: Peak) -> Delay:
    return Delay(0 if peak.at_zero >= NEAR_ZERO else peak.lag, inverted=peak.value < 0)


def _median(values: list[int]) -> int:
    """Return the median, rounded; of two middle values that are not neighbours the smaller: it was seen."""
    low, high = statistics.median_low(values), statistics.median_high(values)
    return round((low + high) / 2) if high - low <= 1 else min(low, high, key=abs)
