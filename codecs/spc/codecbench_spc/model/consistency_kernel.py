"""The arithmetic of `consistency`, compiled: eight frames side by side, one lane each.

A signal of the window on it, 1408 samples, is kept by its place within a hop first and the hop second, so
that the samples which eight overlapping frames have at the same place lie side by side in memory.  Spectra
are kept in the same way, `[real or imaginary, bin x lane]`.  The Fourier transform of 512 real samples is one
of 256 complex ones, by Stockham's radix-4 passes (van Loan 1992, Computational Frameworks for the Fast
Fourier Transform, section 1.7), which need no reordering.

Compiled code assumes that sums may be ordered freely, but nothing about infinities or NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from codecbench_spc.model.compiled import njit
from codecbench_spc.model.mel import HOP_LENGTH, LOG_FLOOR, MEL_BANDS, WINDOW_LENGTH, mel_filterbank

LANES = 8
HOPS = LANES + WINDOW_LENGTH // HOP_LENGTH - 1
"""Hops that eight frames cover."""

HALF = WINDOW_LENGTH // 2
BINS = HALF + 1
_QUARTER = HALF // 2
_ONE_HALF, _ZERO, _ONE = np.float32(0.5), np.float32(0.0), np.float32(1.0)
_INVERSE_SCALE = np.float32(1.0 / WINDOW_LENGTH)
_FLOOR = np.float32(LOG_FLOOR)

HANN = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH)).astype(np.float32)
_turns = np.exp(-2j * np.pi * np.arange(HALF) / HALF)
_TURN_REAL, _TURN_IMAG = _turns.real.astype(np.float32), _turns.imag.astype(np.float32)
_turns = np.exp(-2j * np.pi * np.arange(HALF) / WINDOW_LENGTH)
_HALF_TURN_REAL, _HALF_TURN_IMAG = _turns.real.astype(np.float32), _turns.imag.astype(np.float32)


def band_pairs() -> tuple[npt.NDArray[Any], ...]:
    """Bins and bands in both directions: each bin belongs to two neighbouring bands at most.

    Returns
    -------
    first : int64 [257]
        The lower one of a bin's two bands.
    to_lower, to_upper : float32 [257]
        What the bin's magnitude adds to the two bands of the mel.
    from_lower, from_upper : float32 [257]
        How the two bands' ratios make the bin's gain: filters of equal sum, normalised at each bin.
    """
    bank = mel_filterbank(WINDOW_LENGTH, MEL_BANDS)
    first = np.minimum(np.argmax(bank > 0.0, axis=1), MEL_BANDS - 2)
    # Bins of no band: 0 Hz and the Nyquist frequency.
    first[-1] = MEL_BANDS - 2
    rows = np.arange(BINS)
    unit = bank / bank.sum(axis=0)
    total = np.maximum(unit.sum(axis=1), 1e-12)
    pairs = [bank[rows, first], bank[rows, first + 1]]
    pairs += [unit[rows, first] / total, unit[rows, first + 1] / total]
    return first, *(part.astype(np.float32) for part in pairs)


_FIRST, _TO_LOWER, _TO_UPPER, _FROM_LOWER, _FROM_UPPER = band_pairs()


def _compiled(function: Any, **options: Any) -> Any:
    fast = {"contract", "reassoc", "nsz", "arcp"}
    return njit(fastmath=fast, nogil=True, error_model="numpy", cache=True, **options)(function)


def _inlined(function: Any) -> Any:
    return _compiled(function, inline="always")


@_inlined
def _butterflies(  # noqa: PLR0917 - compiled code knows no keywords
    source: Any, target: Any, start: Any, apart: Any, to: Any, step: Any, sign: Any, turns: Any
) -> None:
    """One radix-4 butterfly of `step` neighbouring elements; `sign` is 1 forwards and -1 backwards."""
    t1r, t1i, t2r, t2i, t3r, t3i = turns
    for q in range(step):
        i, o = start + q, to + q
        ar, ai = source[0, i], source[1, i]
        br, bi = source[0, i + apart], source[1, i + apart]
        cr, ci = source[0, i + 2 * apart], source[1, i + 2 * apart]
        dr, di = source[0, i + 3 * apart], source[1, i + 3 * apart]
        sum1r, sum1i, difference1r, difference1i = ar + cr, ai + ci, ar - cr, ai - ci
        sum2r, sum2i = br + dr, bi + di
        turned_r, turned_i = sign * (bi - di), sign * (dr - br)
        target[0, o], target[1, o] = sum1r + sum2r, sum1i + sum2i
        xr, xi = difference1r + turned_r, difference1i + turned_i
        target[0, o + step], target[1, o + step] = xr * t1r - xi * t1i, xr * t1i + xi * t1r
        xr, xi = sum1r - sum2r, sum1i - sum2i
        target[0, o + 2 * step], target[1, o + 2 * step] = (
            xr * t2r - xi * t2i,
            xr * t2i + xi * t2r,
        )
        xr, xi = difference1r - turned_r, difference1i - turned_i
        target[0, o + 3 * step], target[1, o + 3 * step] = (
            xr * t3r - xi * t3i,
            xr * t3i + xi * t3r,
        )


@_compiled
def _pass(source: Any, target: Any, length: Any, step: Any, sign: Any) -> None:
    quarter, apart = length >> 2, HALF // length
    for p in range(quarter):
        one, two, three = p * apart, 2 * p * apart, 3 * p * apart
        turns = (
            _TURN_REAL[one],
            sign * _TURN_IMAG[one],
            _TURN_REAL[two],
            sign * _TURN_IMAG[two],
            _TURN_REAL[three],
            sign * _TURN_IMAG[three],
        )
        _butterflies(source, target, step * p, step * quarter, 4 * step * p, step, sign, turns)


@_compiled
def _transform(x: Any, work: Any, sign: Any) -> None:
    """Fourier transform of 256 complex numbers in each lane, in place."""
    _pass(x, work, 256, LANES, sign)
    _pass(work, x, 64, 4 * LANES, sign)
    _pass(x, work, 16, 16 * LANES, sign)
    _pass(work, x, 4, 64 * LANES, sign)


@_compiled
def _cut(signal: Any, x: Any) -> None:
    """Windowed frames of a signal, even samples as the real and odd ones as the imaginary part."""
    for i in range(HALF):
        even = 2 * i
        at = (even % HOP_LENGTH) * HOPS + even // HOP_LENGTH
        first, second = HANN[even], HANN[even + 1]
        for lane in range(LANES):
            x[0, i * LANES + lane] = first * signal[at + lane]
        for lane in range(LANES):
            x[1, i * LANES + lane] = second * signal[at + HOPS + lane]


@_compiled
def _join(x: Any, signal: Any) -> None:
    """Overlap-add of what `_cut` makes, windowed once more."""
    for i in range(signal.shape[0]):
        signal[i] = _ZERO
    for i in range(HALF):
        even = 2 * i
        at = (even % HOP_LENGTH) * HOPS + even // HOP_LENGTH
        first, second = HANN[even], HANN[even + 1]
        for lane in range(LANES):
            signal[at + lane] += first * x[0, i * LANES + lane]
        for lane in range(LANES):
            signal[at + HOPS + lane] += second * x[1, i * LANES + lane]


@_compiled
def _to_spectrum(x: Any, spectrum: Any) -> None:
    """From the transform of 256 complex numbers to the 257 bins of 512 real ones."""
    for lane in range(LANES):
        middle, end = _QUARTER * LANES + lane, HALF * LANES + lane
        spectrum[0, lane], spectrum[1, lane] = x[0, lane] + x[1, lane], _ZERO
        spectrum[0, end], spectrum[1, end] = x[0, lane] - x[1, lane], _ZERO
        spectrum[0, middle], spectrum[1, middle] = x[0, middle], -x[1, middle]
    for k in range(1, _QUARTER):
        low, high, turn_r, turn_i = k * LANES, (HALF - k) * LANES, _HALF_TURN_REAL[k], _HALF_TURN_IMAG[k]
        for lane in range(LANES):
            ar, ai, br, bi = x[0, low + lane], x[1, low + lane], x[0, high + lane], x[1, high + lane]
            even_r, even_i = _ONE_HALF * (ar + br), _ONE_HALF * (ai - bi)
            odd_r, odd_i = _ONE_HALF * (ai + bi), _ONE_HALF * (br - ar)
            turned_r, turned_i = turn_r * odd_r - turn_i * odd_i, turn_r * odd_i + turn_i * odd_r
            spectrum[0, low + lane], spectrum[1, low + lane] = even_r + turned_r, even_i + turned_i
            spectrum[0, high + lane], spectrum[1, high + lane] = even_r - turned_r, turned_i - even_i


@_compiled
def _from_spectrum(spectrum: Any, x: Any) -> None:
    """What `_to_spectrum` undid, scaled for the transform backwards."""
    for lane in range(LANES):
        middle, end = _QUARTER * LANES + lane, HALF * LANES + lane
        x[0, lane] = _INVERSE_SCALE * (spectrum[0, lane] + spectrum[0, end])
        x[1, lane] = _INVERSE_SCALE * (spectrum[0, lane] - spectrum[0, end])
        x[0, middle] = 2 * _INVERSE_SCALE * spectrum[0, middle]
        x[1, middle] = -2 * _INVERSE_SCALE * spectrum[1, middle]
    for k in range(1, _QUARTER):
        low, high = k * LANES, (HALF - k) * LANES
        turn_r, turn_i = _INVERSE_SCALE * _HALF_TURN_REAL[k], _INVERSE_SCALE * _HALF_TURN_IMAG[k]
        for lane in range(LANES):
            ar, ai = spectrum[0, low + lane], spectrum[1, low + lane]
            br, bi = spectrum[0, high + lane], spectrum[1, high + lane]
            even_r, even_i = _INVERSE_SCALE * (ar + br), _INVERSE_SCALE * (ai - bi)
            dr, di = ar - br, ai + bi
            odd_r, odd_i = turn_r * dr + turn_i * di, turn_r * di - turn_i * dr
            x[0, low + lane], x[1, low + lane] = even_r - odd_i, even_i + odd_r
            x[0, high + lane], x[1, high + lane] = even_r + odd_i, odd_r - even_i


@_compiled
def _mel(spectrum: Any, magnitudes: Any, mel: Any) -> None:
    for i in range(BINS * LANES):
        magnitudes[i] = math.sqrt(spectrum[0, i] * spectrum[0, i] + spectrum[1, i] * spectrum[1, i])
    for i in range(MEL_BANDS * LANES):
        mel[i] = _ZERO
    for k in range(BINS):
        band, lower, upper = _FIRST[k] * LANES, _TO_LOWER[k], _TO_UPPER[k]
        for lane in range(LANES):
            magnitude = magnitudes[k * LANES + lane]
            mel[band + lane] += lower * magnitude
            mel[band + LANES + lane] += upper * magnitude


@_compiled
def _divide(target: Any, mel: Any, most: Any) -> None:
    """Replace the mel by how much of the target it lacks, at most `most`."""
    for i in range(MEL_BANDS * LANES):
        ratio = target[i] / (mel[i] if mel[i] > _FLOOR else _FLOOR)
        mel[i] = ratio if ratio < most else most


@_compiled
def _amplify(spectrum: Any, ratios: Any) -> None:
    for k in range(BINS):
        band, lower, upper = _FIRST[k] * LANES, _FROM_LOWER[k], _FROM_UPPER[k]
        for lane in range(LANES):
            gain = lower * ratios[band + lane] + upper * ratios[band + LANES + lane]
            spectrum[0, k * LANES + lane] *= gain
            spectrum[1, k * LANES + lane] *= gain


@_compiled
def iterate(signal: Any, target: Any, share: Any, free: Any, steps: Any, numbers: Any) -> None:  # noqa: PLR0917
    """Make a signal agree with a mel, in place; `consistency` says how and why.

    Parameters
    ----------
    signal : float32 [128 x HOPS]
        By place within a hop, then hop.
    target : float32 [80 x 8]
        Mel magnitudes, by band, then frame.
    share : float32 [128 x HOPS]
        What the overlap-add is multiplied by.
    free : bool [128 x HOPS]
        Which samples may change.
    steps : int
    numbers : tuple of float32
        Momentum, and the largest ratio of the first and of the other steps.
    """
    momentum, first_most, most = numbers
    size = signal.shape[0]
    x, work = np.empty((2, HALF * LANES), np.float32), np.empty((2, HALF * LANES), np.float32)
    spectrum = np.empty((2, BINS * LANES), np.float32)
    magnitudes, mel = np.empty(BINS * LANES, np.float32), np.empty(MEL_BANDS * LANES, np.float32)
    ahead, made = signal.copy(), np.empty(size, np.float32)
    for step in range(steps):
        _cut(ahead, x)
        _transform(x, work, _ONE)
        _to_spectrum(x, spectrum)
        _mel(spectrum, magnitudes, mel)
        _divide(target, mel, first_most if step == 0 else most)
        _amplify(spectrum, mel)
        _from_spectrum(spectrum, x)
        _transform(x, work, -_ONE)
        _join(x, made)
        for i in range(size):
            new = made[i] * share[i] if free[i] else signal[i]
            ahead[i] = new + momentum * (new - signal[i])
            signal[i] = new
