"""Context model: how likely each code is, given what is already coded, in integers only.

A decoder on another machine must arrive at exactly the probabilities of the encoder.  So the network that
gives them has int8 weights and activations, and everything in it is an integer: a float32 matrix product
whose partial sums all stay below 2**24 in magnitude is exact whatever the order of summation, the number of
threads or the library, and `IntegerNetwork` refuses tables for which that is not proven.  Probabilities are
integers as well, parts of 2**24 that sum to exactly 2**24.

The grid `codes [F, T]` is coded column by column (one column a patch of 4 frames) and a column in three
groups of rows, each evaluated at once: rows 0, 4, 8, ... then 2, 6, 10, ... then the odd ones.  A row sees 15
neighbours: the columns before it and the groups of its own column that are already coded.  Training is in
`training.context_train`, the range coder in `rangecoder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codecbench.codec import Codes
from codecbench.errors import InvalidInput, Unavailable
from codecbench_spc.bits.context_tables import NEIGHBOURS, Tables, check_shapes, read
from codecbench_spc.bits.layout import Layout

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

PRECISION = 24
"""Probabilities are multiples of 2**-24, as in `constriction`."""

ROW_MARGIN = 3
COLUMN_MARGIN = 3

EMBEDDING_BITS, HIDDEN_BITS, LOGIT_BITS = 5, 4, 6
"""Binary digits after the point: neighbours' vectors, activations, and log-probabilities (1/64 nat)."""

WEIGHT_BITS = {"hidden": 8, "middle": 7, "last": 7, "codes": 6}
"""Binary digits after the point of each layer's weights."""

EXACT = 1 << 24
"""Every integer up to here is a float32."""

ROUNDING_BITS = 12
"""What rounding adds to a sum is below two to this power."""


def groups(rows: int) -> tuple[NDArray[np.int64], ...]:
    """Return the rows of a column that are coded together, in the order of coding."""
    every = np.arange(rows)
    return tuple(part for part in (every[::4], every[2::4], every[1::2]) if part.size)


def coding_order(rows: int) -> NDArray[np.int64]:
    """Return the rows of one column in the order in which they are coded, int64 [rows]."""
    return np.concatenate(groups(rows))


@cache
def visible(rows: int) -> NDArray[np.bool_]:
    """Return which neighbours of each row are coded before it, bool [rows, 15]."""
    turn = np.empty(rows, dtype=np.int64)
    for number, members in enumerate(groups(rows)):
        turn[members] = number
    seen = np.zeros((rows, len(NEIGHBOURS)), dtype=np.bool_)
    for row in range(rows):
        for slot, (down, across) in enumerate(NEIGHBOURS):
            inside = 0 <= row + down < rows
            seen[row, slot] = inside and (across < 0 or turn[row + down] < turn[row])
    return seen


@cache
def exponentials() -> NDArray[np.float64]:
    """Return ``round(2**22 exp(-i / 64))`` for i = 0 ... 1023, exact integers, the same on every machine."""
    with localcontext() as context:
        context.prec = 40
        step = Decimal(-1) / (1 << LOGIT_BITS)
        table = [int((Decimal(1 << 22) * (step * i).exp()).to_integral_value()) for i in range(1024)]
    return np.array(table, dtype=np.float64)


def integer_probabilities(scores: Floats, score_bits: int) -> Floats:
    """Turn the network's scores into integer probabilities.

    Parameters
    ----------
    scores : Floats
        Integers below 2**24 in magnitude, float32 [n, K]: log-probabilities but for a constant of each row,
        with `score_bits` binary digits after the point.

    Returns
    -------
    Floats
        Integers, float32 [n, K], with each row's sum 2**24 - K: one less than the probability of each code in
        parts of 2**24.  `constriction` adds that one itself, so that every code can be coded.
    """
    codes = scores.shape[1]
    below = scores.max(axis=1, keepdims=True) - scores
    steps = np.minimum(below * np.float32(2.0 ** (LOGIT_BITS - score_bits)), 1023.0)
    weights = exponentials()[steps.astype(np.int64)]
    free = float((1 << PRECISION) - codes)
    # Products stay below 2**46 and sums below 2**34, so in float64 the quotient's floor is that of the
    # integers.
    parts = np.floor(weights * free / weights.sum(axis=1, keepdims=True))
    parts[np.arange(len(parts)), parts.argmax(axis=1)] += free - parts.sum(axis=1)
    out: Floats = parts.astype(np.float32)
    return out


class IntegerNetwork:
    """The context model: 15 neighbouring codes and the row give integer probabilities of all codes.

    Parameters
    ----------
    tables : Tables
        Learned integers.

    Raises
    ------
    InvalidInput
        If shapes do not fit each other or a sum could leave the integers that float32 holds exactly.
    """

    def __init__(self, tables: Tables) -> None:
        check_shapes(tables)
        self.codebook_size = tables.codes.shape[1]
        self.rows = tables.hidden_bias.shape[1]
        self.absent = self.codebook_size
        self._embedding = tables.embedding.astype(np.float32)
        self._hidden = _exact_layer("hidden", tables.hidden, tables.hidden_bias)
        self._middle = _exact_layer("middle", tables.middle, tables.middle_bias)
        self._last = _exact_layer("last", tables.last, tables.last_bias)
        self._codes = _exact_layer("codes", tables.codes, tables.codes_bias)

    def probabilities(self, neighbours: Integers, rows: NDArray[np.int64], layout: Layout) -> Floats:
        """Return the integer probabilities of the codes at n places.

        Parameters
        ----------
        neighbours : Integers
            Codes at `NEIGHBOURS`, int64 [n, 15]; `absent` where there is none.
        rows : Integers
            Row of each place, int64 [n].
        layout : Layout
            Of the grid; only the first 2**code_bits codes occur.

        Returns
        -------
        Floats
            As `integer_probabilities`, float32 [n, 2**code_bits].
        """
        rate, size = layout.rate, 1 << layout.code_bits
        x = self._embedding[neighbours].reshape(len(neighbours), -1)
        weight, bias = self._hidden
        x = _requantise(x @ weight + bias[rate, rows], EMBEDDING_BITS + WEIGHT_BITS["hidden"], low=0)
        weight, bias = self._middle
        x = _requantise(x @ weight + bias, HIDDEN_BITS + WEIGHT_BITS["middle"], low=0)
        weight, bias = self._last
        x = _requantise(x @ weight + bias, HIDDEN_BITS + WEIGHT_BITS["last"], low=-127)
        weight, bias = self._codes
        scores = x @ weight[:, :size] + bias[rate, :size]
        return integer_probabilities(scores, HIDDEN_BITS + WEIGHT_BITS["codes"])


class ContextModel:
    """A context network bound to the model whose tokens it knows.

    Parameters
    ----------
    network : IntegerNetwork
        The network.
    model_id : str
        SHA-256 (hexadecimal) of the checkpoint that made the tokens it was trained on.
    bits_per_token : Mapping
        Measured on held-out speech, by operating mode (``"12-ec"``, ``"12-ecp"``, ...).
    """

    def __init__(self, network: IntegerNetwork, model_id: str, bits_per_token: Mapping[str, float]) -> None:
        self.network = network
        self.model_id = model_id
        self.bits_per_token = dict(bits_per_token)

    def empty_window(self, rows: int, columns: int) -> Integers:
        """Return an empty window of the grid, int64 [F + 6, columns], `ROW_MARGIN` more rows each side."""
        return np.full((rows + 2 * ROW_MARGIN, columns), self.network.absent, dtype=np.int64)

    def at(self, window: Integers, rows: Integers, columns: Integers, layout: Layout) -> Floats:
        """Return the integer probabilities of the codes at some places of a window.

        Parameters
        ----------
        window : Integers
            As `empty_window` gives it, filled with codes; at least `COLUMN_MARGIN` columns before each place.
        rows, columns : Integers
            The places, int64 [n]; rows of the grid, columns of the window.
        layout : Layout
            Of the grid.

        Returns
        -------
        Floats
            float32 [n, 2**code_bits].
        """
        neighbours = np.empty((len(rows), len(NEIGHBOURS)), dtype=np.int64)
        for slot, (down, across) in enumerate(NEIGHBOURS):
            neighbours[:, slot] = window[rows + down + ROW_MARGIN, columns + across]
        neighbours[~visible(layout.rows)[rows]] = self.network.absent
        return self.network.probabilities(neighbours, rows, layout)

    def of_columns(self, codes: Codes, layout: Layout, start: int, stop: int) -> Floats:
        """Return the probabilities of all places of some columns of a known grid, in the order of coding.

        Parameters
        ----------
        codes : Codes
            Whole grid, int64 [F, T]; what lies before it is absent.
        start, stop : int
            First column and the one after the last.

        Returns
        -------
        Floats
            float32 [(stop - start) F, 2**code_bits].
        """
        window = self.empty_window(layout.rows, stop - start + COLUMN_MARGIN)
        known = max(0, start - COLUMN_MARGIN)
        window[ROW_MARGIN:-ROW_MARGIN, known - start + COLUMN_MARGIN :] = codes[:, known:stop]
        order = coding_order(layout.rows)
        columns = np.repeat(np.arange(COLUMN_MARGIN, window.shape[1]), len(order))
        return self.at(window, np.tile(order, stop - start), columns, layout)


def _exact_layer(name: str, weight: NDArray[np.int8], bias: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return a layer as float32 after proving that inputs up to 127 (or 128) keep all its sums exact."""
    largest = 128 * np.abs(weight.astype(np.int64)).sum(axis=0) + np.abs(bias.astype(np.int64))
    if int(largest.max()) + (1 << ROUNDING_BITS) > EXACT:
        raise InvalidInput(f"sums of the context table {name!r} may leave the exact integers; train it again")
    return weight.astype(np.float32), bias.astype(np.float32)


def _requantise(sums: Floats, binary_digits: int, low: int) -> Floats:
    """Round sums with that many binary digits to activations with `HIDDEN_BITS`, clipped to [low, 127]."""
    shift = binary_digits - HIDDEN_BITS
    rounded = np.floor((sums + np.float32(1 << (shift - 1))) * np.float32(2.0**-shift))
    out: Floats = np.clip(rounded, low, 127.0)
    return out


def load(path: Path, model_id: str) -> ContextModel:
    """Read a table file for a model.

    Parameters
    ----------
    path : Path
        The file.
    model_id : str
        SHA-256 of the checkpoint in use.

    Raises
    ------
    InvalidInput
        If the file is damaged or its numbers are out of bounds.
    Unavailable
        If it belongs to another checkpoint.
    """
    metadata, bits_per_token, arrays = read(path)
    if metadata.get("model_id") != model_id:
        raise Unavailable(
            f"{path.name} belongs to another checkpoint than the one in use",
            "run codecbench train-context on this checkpoint, or use a point without entropy coding",
        )
    return ContextModel(IntegerNetwork(Tables(**arrays)), model_id, bits_per_token)
