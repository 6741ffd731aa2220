"""Cross-correlation of two waves: of their samples, and of the levels of their bands.

Both estimators look at every lag that the lengths allow.  They give the best one and how far it stands out
from the others, and leave it to `codecbench.alignment` what to believe.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Wave

WHITENING = 0.65
"""Exponent of the two spectra's product by which a correlation is divided: 0 leaves the waves as they are, 1
makes all bands count alike.  Voiced speech is so strong at its lowest harmonics that, at 0, a filter's phase
there moves the peak by a millisecond, and half a formant's period away lies a peak as large."""
SMOOTHING_HZ = 150.0
FLOOR = 1e-5  # of the strongest band's power
MAIN_LOBE_MS = 5.0
ENVELOPE_LOBE_MS = 50.0

_ENVELOPE_HZ = 1000
_OVERSAMPLING = 4
_BAND_EDGES_HZ = (100.0, 3900.0)
_BAND_SPACING_HZ = 150.0
_BAND_FLOOR, _FLOOR = 1e-2, 1e-5  # of the largest power in the band, and in all bands
_MODULATION_HZ = (4.0, 40.0)


class Peak(NamedTuple):
    """The lag of the largest correlation and how it stands out.

    ``value`` is the correlation there relative to the energies, negative where one wave is inverted;
    ``ratio`` that to the next peak outside the main lobe; ``at_zero`` the correlation at lag 0 over that at
    the peak.
    """

    lag: int
    value: float
    ratio: float
    at_zero: float


NOTHING = Peak(0, 0.0, 0.0, 1.0)


def wave_peak(ref: Wave, deg: Wave, rate_hz: int, early: int, late: int) -> Peak:
    """Return the peak of the whitened cross-correlation, of either sign, at lags ``-early`` to ``late``."""
    import scipy.fft
    import scipy.ndimage

    size = scipy.fft.next_fast_len(ref.size + deg.size, real=True)
    one, other = scipy.fft.rfft(ref, size), scipy.fft.rfft(deg, size)
    powers = [np.square(np.abs(spectrum), dtype=np.float64) for spectrum in (one, other)]
    weight = np.ones(one.size)
    for power in powers:
        smooth = scipy.ndimage.uniform_filter1d(power, max(1, round(SMOOTHING_HZ * size / rate_hz)))
        weight *= (smooth + FLOOR * smooth.max() + np.finfo(np.float64).tiny) ** (-WHITENING / 2)
    energy = math.sqrt(float(weight @ powers[0]) * float(weight @ powers[1])) * 2 / size
    if energy <= 0.0:
        return NOTHING
    correlation = scipy.fft.irfft(weight * np.conj(one) * other, size) / energy
    return _peak(_lags(correlation, early, late), early, round(MAIN_LOBE_MS * rate_hz / 1000), either=True)


def envelope_peak(ref: Wave, deg: Wave, rate_hz: int, early: int, late: int) -> Peak:
    """Return the peak of the correlation of the band levels' modulations; its lag is in samples."""
    import scipy.fft

    frames = [math.ceil(wave.size * _ENVELOPE_HZ / rate_hz) for wave in (ref, deg)]
    size = scipy.fft.next_fast_len(sum(frames) + 1, real=True)
    size += size % 2
    one, other = (
        _modulations(wave, rate_hz, count, size) for wave, count in zip((ref, deg), frames, strict=True)
    )
    energy = float(np.linalg.norm(one)) * float(np.linalg.norm(other)) * 2 / size / _OVERSAMPLING
    if energy <= 0.0:
        return NOTHING
    cross = (np.conj(one) * other).sum(axis=0)
    fine_hz = _ENVELOPE_HZ * _OVERSAMPLING
    correlation = scipy.fft.irfft(cross, size * _OVERSAMPLING) / energy
    steps = [reach * fine_hz // rate_hz for reach in (early, late)]
    lobe = round(ENVELOPE_LOBE_MS * fine_hz / 1000)
    peak = _peak(_lags(correlation, *steps), steps[0], lobe, either=False)
    return peak._replace(lag=round(peak.lag * rate_hz / fine_hz))


def agreement(ref: Wave, deg: Wave, lag: int) -> float:
    """Return the correlation coefficient of the waves where they overlap at a lag; 0 where they do not."""
    start, stop = max(0, -lag), min(ref.size, deg.size - lag)
    if stop <= start:
        return 0.0
    one, other = ref[start:stop], deg[start + lag : stop + lag]
    energy = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one @ other) / energy if energy > 0.0 else 0.0


def _peak(correlation: NDArray[np.floating], zero: int, lobe: int, *, either: bool) -> Peak:
    """Describe the largest value (of either sign) of a correlation whose lag 0 is at ``zero``."""
    size = np.abs(correlation) if either else correlation
    best = int(np.argmax(size))
    value = float(correlation[best])
    if abs(value) <= 0.0 or (not either and value <= 0.0):
        return NOTHING
    others = np.concatenate([size[: max(0, best - lobe)], size[best + lobe + 1 :]])
    second = max(float(others.max(initial=0.0)), 1e-12)
    return Peak(best - zero, value, abs(value) / second, float(correlation[zero]) / value)


def _lags(circular: NDArray[np.floating], early: int, late: int) -> NDArray[np.floating]:
    """Return the values at lags -early ... late of a circular correlation."""
    return np.concatenate([circular[circular.size - early :], circular[: late + 1]])


def _modulations(wave: Wave, rate_hz: int, count: int, size: int) -> NDArray[np.complexfloating]:
    """Return the spectra of the band levels in dB, complex [bands, F], within the modulation band.

    A band is cut out of the wave's one spectrum and brought down to a rate of 1 kHz by a short inverse
    transform: no filter delay, and no window's hop that would limit the resolution.
    """
    import scipy.fft

    # Half a second of zeros keeps the ends apart; the length is a whole, even number of envelope samples.
    frames = scipy.fft.next_fast_len(wave.size * _ENVELOPE_HZ // rate_hz + _ENVELOPE_HZ // 2, real=True)
    frames += frames % 2
    seconds = frames / _ENVELOPE_HZ
    spectrum = scipy.fft.rfft(wave, round(seconds * rate_hz))
    half = round(_BAND_SPACING_HZ * seconds)
    lowest, highest = _BAND_EDGES_HZ
    top = min(highest, rate_hz / 2) - _BAND_SPACING_HZ
    centres = np.arange(lowest + _BAND_SPACING_HZ, top, _BAND_SPACING_HZ)
    bins = np.rint(centres * seconds).astype(int)[:, None] + np.arange(-half, half + 1)
    bands = np.zeros((len(centres), frames), dtype=np.complex64)
    bands[:, : 2 * half + 1] = spectrum[bins] * np.hanning(2 * half + 1)
    power = np.abs(scipy.fft.ifft(bands, axis=1)) ** 2
    power += _BAND_FLOOR * power.max(axis=1, keepdims=True) + _FLOOR * power.max() + np.finfo(np.float32).tiny
    level = 10 * np.log10(power[:, :count])
    spectra = scipy.fft.rfft(level - level.mean(axis=1, keepdims=True), size, axis=1)
    hz = np.arange(spectra.shape[1]) * _ENVELOPE_HZ / size
    slowest, fastest = _MODULATION_HZ
    kept: NDArray[np.complexfloating] = np.where((hz >= slowest) & (hz <= fastest), spectra, 0)
    return kept
