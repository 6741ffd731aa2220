"""The context model in training: the network of `context` in float32, with the rounding of its integers.

Weights and activations are rounded in the forward pass as the integer network rounds them, and the gradient
passes as if they were not (straight-through), so that `export` gives tables with the very same scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codecbench_spc.bits.context import EMBEDDING_BITS, HIDDEN_BITS, WEIGHT_BITS
from codecbench_spc.bits.context_tables import NEIGHBOURS, RATES, Tables
from codecbench_spc.bits.layout import Layout

LARGEST = 127


def rounded(x: Tensor, binary_digits: int, low: int = -LARGEST) -> Tensor:
    """Round to multiples of 2**-binary_digits, from `low` to 127 of them; straight-through if not clipped."""
    scale = float(1 << binary_digits)
    clipped = x.clamp(low / scale, LARGEST / scale)
    return clipped + (torch.floor(clipped * scale + 0.5) / scale - clipped).detach()


class ContextNetwork(nn.Module):
    """Trainable twin of `context.IntegerNetwork`.

    Parameters
    ----------
    rows, codebook_size : int
        Of the grid.
    dimension, hidden, last : int
        Sizes of a neighbour's vector, of the two hidden layers, and of what meets the codes' vectors.
    """

    def __init__(self, rows: int, codebook_size: int, dimension: int, hidden: int, last: int) -> None:
        super().__init__()
        inputs = len(NEIGHBOURS) * dimension

        def normal(*shape: int, deviation: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * deviation)

        self.embedding = normal(codebook_size + 1, dimension, deviation=0.7)
        self.hidden = normal(inputs, hidden, deviation=inputs**-0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(len(RATES), rows, hidden))
        self.middle = normal(hidden, hidden, deviation=(2 / hidden) ** 0.5)
        self.middle_bias = nn.Parameter(torch.zeros(hidden))
        self.last = normal(hidden, last, deviation=(1 / hidden) ** 0.5)
        self.last_bias = nn.Parameter(torch.zeros(last))
        self.codes = normal(last, codebook_size, deviation=0.15)
        self.codes_bias = nn.Parameter(torch.zeros(len(RATES), codebook_size))

    @torch.no_grad()
    def start(self, book: Tensor, counts: dict[int, Tensor]) -> None:
        """Begin where codes that lie close in the codebook count as alike, at the frequencies of the codes.

        Parameters
        ----------
        book : Tensor
            Vectors of the codes, [K, W]; as many of their dimensions are used as fit.
        counts : dict
            How often each code occurs, [K] by bits a patch.
        """
        even = (book - book.mean(dim=0)) / book.std(dim=0).clamp(min=1e-6)
        width = min(even.shape[1], self.embedding.shape[1])
        self.embedding[:-1, :width] = 0.7 * even[:, :width]
        mixing = torch.randn(even.shape[1], self.codes.shape[0]) * (0.15 / even.shape[1] ** 0.5)
        self.codes.copy_((even @ mixing).t())
        for bits, seen in counts.items():
            log_shares = ((seen + 0.1) / (seen + 0.1).sum()).log()
            self.codes_bias[RATES.index(bits), : len(seen)] = log_shares - log_shares.mean()

    def forward(self, neighbours: Tensor, rows: Tensor, layout: Layout) -> Tensor:
        """Scores `[n, 2**code_bits]` in nats, but for a constant, of `neighbours [n, 15]` in `rows [n]`."""
        rate, size = layout.rate, 1 << layout.code_bits
        x = functional.embedding(neighbours, rounded(self.embedding, EMBEDDING_BITS)).flatten(1)
        x = x @ self._weight("hidden") + self.hidden_bias[rate][rows]
        x = rounded(x, HIDDEN_BITS, low=0)
        x = rounded(x @ self._weight("middle") + self.middle_bias, HIDDEN_BITS, low=0)
        x = rounded(x @ self._weight("last") + self.last_bias, HIDDEN_BITS)
        return x @ self._weight("codes")[:, :size] + self.codes_bias[rate, :size]

    def export(self) -> Tables:
        """Return the integers."""
        digits = {
            "hidden_bias": EMBEDDING_BITS + WEIGHT_BITS["hidden"],
            "middle_bias": HIDDEN_BITS + WEIGHT_BITS["middle"],
            "last_bias": HIDDEN_BITS + WEIGHT_BITS["last"],
            "codes_bias": HIDDEN_BITS + WEIGHT_BITS["codes"],
        }
        arrays: dict[str, Any] = {}
        for name, parameter in self.named_parameters():
            if name in digits:
                arrays[name] = _integers(parameter, digits[name]).astype(np.int32)
            else:
                weight = rounded(parameter, WEIGHT_BITS.get(name, EMBEDDING_BITS))
                arrays[name] = _integers(weight, WEIGHT_BITS.get(name, EMBEDDING_BITS)).astype(np.int8)
        return Tables(**arrays)

    def _weight(self, name: str) -> Tensor:
        return rounded(self.get_parameter(name), WEIGHT_BITS[name])


def _integers(values: Tensor, binary_digits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    scaled = values.detach().double().mul(float(1 << binary_digits)).round()
    return np.asarray(scaled.numpy())
