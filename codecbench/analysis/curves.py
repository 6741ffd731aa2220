"""Many curves at once, a row each: their common range, and the mean distance of two over it.

A curve is interpolated by a monotone piecewise cubic (pchip), see [1]_.

References
----------
.. [1] F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic interpolants",
   SIAM Journal on Scientific and Statistical Computing 5(2), 1984.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from codecbench.analysis.bootstrap import Floats

LEAST_OVERLAP = 0.25
"""Share of the shorter curve's range that must lie within the other's."""


def rows(rates: Floats, quality: Floats) -> tuple[Floats, Floats]:
    """Return log10 rates (NaN for none) and quality with every row sorted by rate, [R, K]."""
    order = np.argsort(rates, axis=1, kind="stable")
    positive = np.where(rates > 0, rates, math.nan)
    return np.log10(np.take_along_axis(positive, order, axis=1)), np.take_along_axis(quality, order, axis=1)


def rising(log_rate: Floats, quality: Floats) -> NDArray[np.bool_]:
    """Say of each row whether both rise strictly, [R]."""
    rising = (np.diff(log_rate) > 0) & (np.diff(quality) > 0)
    # Column by column: numpy is slow at reducing many short rows.
    return functools.reduce(np.logical_and, rising.T, np.ones(rising.shape[0], dtype=np.bool_))


def mean_distance(x_a: Floats, y_a: Floats, x_t: Floats, y_t: Floats) -> Floats:
    """Return the mean of curve t less curve a over their common range of x, row by row, [R]."""
    result = np.full(x_a.shape[0], math.nan)
    good = np.flatnonzero(rising(x_a, y_a) & rising(x_t, y_t))
    # What rises begins with its least and ends with its largest.
    ends = x_a[good, 0], x_a[good, -1], x_t[good, 0], x_t[good, -1]
    enough = _share(*ends) >= LEAST_OVERLAP
    good = good[enough]
    if good.size:
        low = np.maximum(ends[0], ends[2])[enough]
        high = np.minimum(ends[1], ends[3])[enough]
        areas = [_pchip_area(x[good], y[good], low, high) for x, y in ((x_a, y_a), (x_t, y_t))]
        result[good] = (areas[1] - areas[0]) / (high - low)
    return result


def overlap(x_a: Floats, x_t: Floats) -> Floats:
    """Return the common range of each row's curves as a share of the shorter one's, [R], 0 for none."""
    return _share(x_a.min(axis=1), x_a.max(axis=1), x_t.min(axis=1), x_t.max(axis=1))


def _share(low_a: Floats, high_a: Floats, low_t: Floats, high_t: Floats) -> Floats:
    common = np.minimum(high_a, high_t) - np.maximum(low_a, low_t)
    shorter = np.minimum(high_a - low_a, high_t - low_t)
    share: Floats = np.clip(common, 0.0, None) / np.where(shorter > 0, shorter, math.inf)
    return share


def _pchip_area(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """Integrate each row's pchip interpolant of (x, y), [R, K], from low to high, [R]."""
    slopes = _pchip_slopes(x, y)
    step = np.diff(x)
    left = np.clip(x[:, :-1], low[:, None], high[:, None])
    right = np.clip(x[:, 1:], low[:, None], high[:, None])
    area = np.zeros_like(step)
    # Two Gauss-Legendre nodes integrate a cubic exactly.
    for node in (-1.0 / math.sqrt(3.0), 1.0 / math.sqrt(3.0)):
        at = ((left + right) / 2 + node * (right - left) / 2 - x[:, :-1]) / step
        area += (right - left) / 2 * _hermite(at, y, slopes, step)
    total: Floats = area.sum(axis=1)
    return total


def _hermite(at: Floats, y: Floats, slopes: Floats, step: Floats) -> Floats:
    """Evaluate every interval's cubic at `at` in [0, 1] of the interval, [R, K-1]."""
    rest = 1 - at
    value: Floats = (
        (1 + 2 * at) * rest**2 * y[:, :-1]
        + at * rest**2 * step * slopes[:, :-1]
        + at**2 * (3 - 2 * at) * y[:, 1:]
        - at**2 * rest * step * slopes[:, 1:]
    )
    return value


def _pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Return the slopes of Fritsch and Butland ([1]_) for strictly rising rows, [R, K]."""
    step = np.diff(x)
    rise = np.diff(y) / step
    slopes = np.empty_like(y)
    before, after = step[:, :-1], step[:, 1:]
    weight_before, weight_after = 2 * after + before, after + 2 * before
    total = weight_before + weight_after
    slopes[:, 1:-1] = total / (weight_before / rise[:, :-1] + weight_after / rise[:, 1:])
    slopes[:, 0] = _end_slope(step[:, 0], step[:, 1], rise[:, 0], rise[:, 1])
    slopes[:, -1] = _end_slope(step[:, -1], step[:, -2], rise[:, -1], rise[:, -2])
    return slopes


def _end_slope(step: Floats, next_step: Floats, rise: Floats, next_rise: Floats) -> Floats:
    """Return the one-sided three-point slope, cut so that the end stays monotone, [R]."""
    slope = ((2 * step + next_step) * rise - step * next_rise) / (step + next_step)
    return np.clip(slope, 0.0, 3 * rise)
