"""Layout of the token grid at each rate: how many tokens a column has, of how many bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codecbench.errors import InvalidInput
from codecbench_spc.bits.context_tables import RATES

PATCH_ROWS = 20
"""Rows of patches in a column."""


@dataclass(frozen=True)
class Layout:
    """Tokens of one column.

    Parameters
    ----------
    rows : int
        Tokens in a column (F).
    code_bits : int
        Bits of each.
    patches : int
        Neighbouring patches that share a token.
    """

    rows: int
    code_bits: int
    patches: int = 1

    @property
    def column_bytes(self) -> int:
        """Bytes of a column of fixed length, whole ones."""
        return math.ceil(self.rows * self.code_bits / 8)

    @property
    def rate(self) -> int:
        """Place in `RATES` of the bits a patch."""
        return RATES.index(self.code_bits // self.patches)


def layouts_of(vqvae: dict[str, Any], path: Path) -> dict[int, Layout]:
    """Return the layout of each rate that a quantizer can run at, by bits a patch.

    Parameters
    ----------
    vqvae : dict
        The table of that name in a checkpoint's configuration.
    path : Path
        The checkpoint, for errors.

    Raises
    ------
    InvalidInput
        If a codebook's size is no power of two.
    """
    residual = vqvae.get("quantizer") == "residual"
    size = vqvae.get("book_size" if residual else "codebook_size")
    if not isinstance(size, int) or size < 2 or size & (size - 1):
        raise InvalidInput(f"{path}: the codebook has {size} codes, not a power of two; the file is damaged")
    if residual:
        code_bits = size.bit_length() - 1
        books = {bits: PATCH_ROWS * bits // code_bits for bits in RATES}
        return {bits: Layout(used, code_bits) for bits, used in books.items() if used <= int(vqvae["books"])}
    found = {bits: Layout(PATCH_ROWS, bits) for bits in RATES if 1 << bits <= size}
    if vqvae.get("paired"):
        found[RATES[-1]] = Layout(PATCH_ROWS // 2, 2 * RATES[-1], 2)
    return found
