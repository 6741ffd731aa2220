"""By how much a decoded wave is late, and undoing it.

Waveform codecs keep phase, so the cross-correlation of the waves peaks sharply at their delay.  Parametric
and neural codecs do not: their correlation is low and its largest value lies at a chance multiple of the
pitch period.  `lag` therefore believes the waves only where they agree, and compares envelopes otherwise.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from codecbench.codec import Wave

WAVE_AGREES = 0.75
WAVE_PLAUSIBLE = 0.35
WAVE_MOVED = 0.6
WAVE_SAME = 0.97
WAVE_GAIN = 0.01
INVERTED = 1.1
RESOLUTION_MS = 3.0
ENVELOPE_GAIN = 0.005

_ENVELOPE_HZ = 1000
_OVERSAMPLING = 4
_BAND_EDGES_HZ = (100.0, 3900.0)
_BAND_SPACING_HZ = 150.0
_BAND_FLOOR, _FLOOR = 1e-2, 1e-5  # of the largest power in the band, and in all bands
_MODULATION_HZ = (4.0, 40.0)


def lag(ref: Wave, deg: Wave, rate_hz: int, max_ms: float = 250.0) -> int:
    """Return by how many samples ``deg`` is later than ``ref``.

    The waves' correlation decides where its peak, relative to the energies, is at least 0.75, or at least
    0.35 (for lags under 3 ms 0.6) and within 3 ms of what the envelopes say.  Unless it is near 1, it must be
    1 % above that at lag 0: a codec's filters bend phases, and so move the peak by a sample without a delay.

    Otherwise the envelopes decide: logarithmic levels of overlapping 300 Hz wide bands up to 3.9 kHz, their
    modulations between 4 and 40 Hz, correlated together.  An envelope lag under 3 ms, or one that correlates
    less than 0.5 % better than lag 0, is below what codecs without phase can show, and counts as 0.

    On real speech delayed by up to 100 ms this is exact for waves that are resampled, low-passed, inverted
    or as noisy as loud (there, a sample's delay may pass for none), and within 3 ms for vocoded ones, whose
    own pulses may lie 1 or 2 ms off; see ``test_suite_alignment.py``.

    Parameters
    ----------
    ref, deg : Wave
        float32 [T] at the same rate; the longer one is cut.
    rate_hz : int
        Sample rate.
    max_ms : float
        Largest lag looked for, to either side.

    Returns
    -------
    int
        Samples; positive where ``deg`` is late, 0 where either wave is silent.  Polarity does not matter.
    """
    length = min(ref.size, deg.size)
    ref, deg = ref[:length], deg[:length]
    reach = min(round(max_ms * rate_hz / 1000), length - 1)
    if reach < 1 or not ref.any() or not deg.any():
        return 0
    by_wave, agreement = _wave_lag(ref, deg, reach)
    if agreement >= WAVE_AGREES:
        return by_wave
    by_envelope, gain = _envelope_lag(ref, deg, rate_hz, reach)
    resolution = RESOLUTION_MS * rate_hz / 1000
    enough = WAVE_PLAUSIBLE if abs(by_wave) >= resolution else WAVE_MOVED
    if agreement >= enough and abs(by_wave - by_envelope) <= resolution:
        return by_wave
    return by_envelope if abs(by_envelope) >= resolution and gain >= ENVELOPE_GAIN else 0


def shift(wave: Wave, lag: int) -> Wave:
    """Undo a lag: advance the wave by ``lag`` samples (delay it where negative), zeros moving in."""
    moved = np.zeros_like(wave)
    kept = wave.size - abs(lag)
    if kept > 0:
        source, target = (lag, 0) if lag >= 0 else (0, -lag)
        moved[target : target + kept] = wave[source : source + kept]
    return moved


def _wave_lag(ref: Wave, deg: Wave, reach: int) -> tuple[int, float]:
    """Return the lag of the largest correlation, and that correlation relative to the energies.

    Half a formant's period away lies a negative peak nearly as large: only a clearly larger one is taken for
    an inverted wave.
    """
    size = scipy.fft.next_fast_len(ref.size + reach, real=True)
    cross = np.conj(scipy.fft.rfft(ref, size)) * scipy.fft.rfft(deg, size)
    correlation = _around_zero(scipy.fft.irfft(cross, size), reach)
    if -correlation.min() > INVERTED * correlation.max():
        correlation = -correlation
    best = int(np.argmax(correlation))
    energy = float(np.linalg.norm(ref)) * float(np.linalg.norm(deg))
    agreement = float(correlation[best]) / energy
    if agreement < WAVE_SAME and correlation[reach] > (1 - WAVE_GAIN) * correlation[best]:
        best = reach
    return best - reach, agreement


def _envelope_lag(ref: Wave, deg: Wave, rate_hz: int, reach: int) -> tuple[int, float]:
    """Return the lag at which the envelopes correlate best, and by what share better than at lag 0."""
    one, other = _modulations(ref, rate_hz), _modulations(deg, rate_hz)
    cross = (np.conj(one) * other).sum(axis=0)
    fine_hz = _ENVELOPE_HZ * _OVERSAMPLING
    size = 2 * (cross.size - 1) * _OVERSAMPLING
    steps = min(reach * fine_hz // rate_hz, size // 2 - 1)
    correlation = _around_zero(scipy.fft.irfft(cross, size), steps)
    best = int(np.argmax(correlation))
    if correlation[best] <= 0.0:
        return 0, 0.0
    gain = 1.0 - float(correlation[steps] / correlation[best])
    return round((best - steps) * rate_hz / fine_hz), gain


def _modulations(wave: Wave, rate_hz: int) -> NDArray[np.complexfloating]:
    """Return the spectra of the band levels in dB, complex [bands, F], within the modulation band.

    A band is cut out of the wave's one spectrum and brought down to a rate of 1 kHz by a short inverse
    transform: no filter delay, and no window's hop that would limit the resolution.
    """
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
    level = 10 * np.log10(power)
    spectra = scipy.fft.rfft(level - level.mean(axis=1, keepdims=True), axis=1)
    hz = np.arange(spectra.shape[1]) / seconds
    slowest, fastest = _MODULATION_HZ
    kept: NDArray[np.complexfloating] = np.where((hz >= slowest) & (hz <= fastest), spectra, 0)
    return kept


def _around_zero(circular: NDArray[np.floating], reach: int) -> NDArray[np.floating]:
    """Return the values at lags -reach ... reach of a circular correlation."""
    return np.concatenate([circular[-reach:], circular[: reach + 1]])
