"""Just-in-time compilation: the only door to numba here, so that its code is kept where one can write."""

from __future__ import annotations

from codecbench.compiled import prepare_numba

prepare_numba()

from numba import njit  # noqa: E402 - numba reads its folder when it is imported

__all__ = ["njit"]
