"""Quantizers: one nested codebook for patches (`PatchVQ`), or residual codebooks for columns (`ResidualVQ`).

Codebooks learn by exponential moving averages of what is assigned to them (van den Oord et al. 2017,
arXiv:1711.00937, appendix A.1), start from data, and codes that fall out of use restart from data (Dhariwal
et al. 2020, arXiv:2005.00341).  Both quantizers take the number of bits a token, which sets the bitrate: the
first `2^bits` codes of the one codebook, or as many of the other's codebooks as cost the same, are a
quantizer of their own because training draws `bits` at random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from codecbench.errors import InvalidInput

TOKEN_BITS = (12, 10, 8, 6)
"""Bits a patch token that training prepares for: 7.5, 6.25, 5.0 and 3.75 kbit/s."""


ASSIGN_AT_ONCE = 32


class Codebook(nn.Module):
    """Vectors that follow the data assigned to them.

    Parameters
    ----------
    size, width : int
        Number of codes and their dimension.
    decay : float
        Of the moving averages.
    restart_below : float
        Codes assigned less often than this share of the mean restart at a vector of the batch.
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, size: int, width: int, decay: float = 0.97, restart_below: float = 0.3) -> None:
        super().__init__()
        self.size, self.decay, self.restart_below = size, decay, restart_below
        self.register_buffer("codes", torch.zeros(size, width))
        self.register_buffer("counts", torch.zeros(size), persistent=False)
        self.register_buffer("sums", torch.zeros(size, width), persistent=False)

    def assign(self, vectors: Tensor, size: int | None = None) -> Tensor:
        """Index of the nearest of the first `size` codes, for `vectors [N, D]`; the lower one of equals."""
        codes = self.codes[:size]
        half_norms = 0.5 * torch.linalg.vecdot(codes, codes)
        # Distances of some vectors at a time, in one place: they stay in the processor's cache.
        parts = torch.split(vectors.detach(), ASSIGN_AT_ONCE)
        room = vectors.new_empty(len(parts[0]), len(codes))
        chosen = []
        for part in parts:
            distances = torch.addmm(half_norms, part, codes.t(), alpha=-1.0, out=room[: len(part)])
            chosen.append(lowest(distances))
        return torch.cat(chosen)

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes `[..., D]` of `indices [...]`."""
        return functional.embedding(indices, self.codes)

    @torch.no_grad()
    def start(self, vectors: Tensor) -> None:
        """Begin at vectors of the first batch, or at a checkpoint's codes; once begun, do nothing."""
        if bool(self.counts.any()):
            return
        if not bool(self.codes.any()):
            drawn = torch.randint(len(vectors), (self.size,), device=vectors.device)
            self.codes.copy_(broadcast(vectors[drawn] + 1e-3 * torch.randn_like(self.codes)))
        self.counts.fill_(1.0)
        self.sums.copy_(self.codes)

    @torch.no_grad()
    def learn(self, vectors: Tensor, indices: Tensor) -> None:
        """Move each code to the mean of what it was assigned, and restart the dead ones."""
        counts = torch.zeros_like(self.counts).index_add_(
            0, indices, torch.ones_like(indices, dtype=vectors.dtype)
        )
        sums = torch.zeros_like(self.sums).index_add_(0, indices, vectors)
        self.counts.lerp_(over_processes(counts), 1.0 - self.decay)
        self.sums.lerp_(over_processes(sums), 1.0 - self.decay)
        expected = self.counts.mean()
        dead = self.counts < self.restart_below * expected
        drawn = torch.randint(len(vectors), (self.size,), device=vectors.device)
        fresh = broadcast(vectors[drawn])
        # A restarted code counts as busy as the mean; without any assignment it restarts after some 40 steps.
        self.counts.copy_(torch.where(dead, expected, self.counts))
        self.sums.copy_(torch.where(dead[:, None], expected * fresh, self.sums))
        self.codes.copy_(self.sums / self.counts.clamp(min=1e-6)[:, None])


def lowest(distances: Tensor) -> Tensor:
    """Index of the lowest value of each row, the first of equals; by numpy on a CPU, six times as fast."""
    if distances.device.type != "cpu":
        return distances.argmin(dim=1)
    return torch.from_numpy(distances.detach().numpy().argmin(axis=1))


def over_processes(values: Tensor) -> Tensor:
    """Sum over the processes of distributed training."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
    return values


def broadcast(values: Tensor) -> Tensor:
    """The first process' values, in all processes of distributed training."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast(values, 0)
    return values


def check_bits(bits: int) -> None:
    """Refuse a number of bits that no quantizer here was trained for."""
    if bits not in TOKEN_BITS:
        raise InvalidInput(
            f"{bits} bits a token are not offered; choose one of {', '.join(map(str, TOKEN_BITS))}"
        )


class PatchVQ(nn.Module):
    """One token for each patch from one codebook, shared by all places.

    Parameters
    ----------
    channels : int
        Of the encoder's map.
    width : int
        Dimension in which codes are compared (factorised codes: a linear map leads there and back).
    size : int
        Codes in all, `2^12`.
    nested : bool
        Whether the lower rates use the first codes of the one codebook, or codebooks of their own.
    paired : bool
        Whether two neighbouring rows share a token at the lowest rate, of twice the bits: `[B, F / 2, T]`.
    """

    def __init__(
        self, channels: int, width: int, size: int, nested: bool = True, paired: bool = False
    ) -> None:
        super().__init__()
        self.nested = nested
        self.paired = paired
        self.inward = nn.Linear(channels, width)
        self.outward = nn.Linear(width, channels)
        self.codebook = Codebook(size, width)
        self.lower_bits = [bits for bits in TOKEN_BITS if not nested and 1 << bits < size]
        self.lower = nn.ModuleList(
            Codebook(1 << bits * self.rows_a_token(bits), width * self.rows_a_token(bits))
            for bits in self.lower_bits
        )

    def rows_a_token(self, bits: int) -> int:
        """How many neighbouring rows one token stands for."""
        return 2 if self.paired and bits == TOKEN_BITS[-1] else 1

    def joined(self, vectors: Tensor, bits: int) -> Tensor:
        """Vectors of rows `[B, F, T, D]` as vectors of tokens, `[B, F / n, T, n D]`."""
        batch, rows, columns, _ = vectors.shape
        each = self.rows_a_token(bits)
        return vectors.view(batch, rows // each, each, columns, -1).transpose(2, 3).flatten(3)

    def parted(self, vectors: Tensor, bits: int) -> Tensor:
        """Vectors of tokens `[B, F / n, T, n D]` as vectors of rows, `[B, F, T, D]`."""
        each = self.rows_a_token(bits)
        return vectors.view(*vectors.shape[:3], each, -1).transpose(2, 3).flatten(1, 2)

    def book(self, bits: int) -> Codebook:
        """The codebook of a rate."""
        book = self.lower[self.lower_bits.index(bits)] if bits in self.lower_bits else self.codebook
        assert isinstance(book, Codebook)
        return book

    def encode(self, z: Tensor, bits: int) -> Tensor:
        """`[B, C, F, T]` -> codes `[B, F, T]`."""
        vectors = self.joined(self.inward(z.permute(0, 2, 3, 1)), bits)
        size = 1 << bits * self.rows_a_token(bits)
        return self.book(bits).assign(vectors.flatten(0, 2), size).view(vectors.shape[:3])

    def decode(self, codes: Tensor, bits: int) -> Tensor:
        """Codes `[B, F, T]` -> `[B, C, F, T]`."""
        vectors = self.parted(self.book(bits).lookup(codes), bits)
        out: Tensor = self.outward(vectors).permute(0, 3, 1, 2)
        return out

    def bypass(self, z: Tensor) -> Tensor:
        """`z [B, C, F, T]` without quantization, for the first steps."""
        out: Tensor = self.outward(self.inward(z.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return out

    def forward(self, z: Tensor, bits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantize `z [B, C, F, T]` with `bits [B]`, learning in training mode; result, codes, commitment."""
        vectors = self.inward(z.permute(0, 2, 3, 1))
        flat = vectors.detach()
        if self.training:
            for value in TOKEN_BITS:
                self.book(value).start(self.joined(flat, value).flatten(0, 2))
        codes = torch.empty(vectors.shape[:3], dtype=torch.long, device=z.device)
        quantized = torch.empty_like(flat)
        for value in TOKEN_BITS:
            rows = bits == value
            if bool(rows.any()):
                book, joined = self.book(value), self.joined(flat[rows], value)
                assigned = joined.flatten(0, 2)
                chosen = book.assign(assigned, 1 << value * self.rows_a_token(value))
                tokens = chosen.view(joined.shape[:3])
                codes[rows] = tokens.repeat_interleave(self.rows_a_token(value), dim=1)
                quantized[rows] = self.parted(book.lookup(tokens), value)
                if self.training and not self.nested:
                    book.learn(assigned, chosen)
        commitment = (vectors - quantized).square().mean()
        if self.training and self.nested:
            self.codebook.learn(flat.flatten(0, 2), codes.flatten())
        out: Tensor = self.outward(vectors + (quantized - vectors).detach()).permute(0, 3, 1, 2)
        return out, codes, commitment


class ResidualVQ(nn.Module):
    """A stack of codebooks for each column of the map: the control for the paper's thesis.

    All frequencies of a column become one vector, and each codebook codes what the ones before it left
    (Zeghidour et al. 2021, arXiv:2107.03312).  As many books are used as give the bits that the patches of a
    column would have: 30 books of 256 codes at 31.25 columns/s make 7.5 kbit/s.

    Parameters
    ----------
    channels, rows : int
        Of the encoder's map.
    width : int
        Dimension of a column.
    books, size : int
        Codebooks and codes in each.
    """

    narrow = 16

    def __init__(self, channels: int, rows: int, width: int, *, books: int, size: int) -> None:
        super().__init__()
        self.rows = rows
        self.code_bits = size.bit_length() - 1
        self.inward = nn.ModuleList([nn.Linear(channels, self.narrow), nn.Linear(rows * self.narrow, width)])
        self.outward = nn.ModuleList([nn.Linear(width, rows * self.narrow), nn.Linear(self.narrow, channels)])
        for layer in (*self.inward, *self.outward):
            # A bottleneck learns ten times faster from lengths and angles that it keeps.
            nn.init.orthogonal_(layer.get_parameter("weight"))
        self.books = nn.ModuleList(Codebook(size, width) for _ in range(books))

    def books_at(self, bits: int) -> int:
        """Number of books that cost as much as `bits` for each patch of a column."""
        return self.rows * bits // self.code_bits

    def stack(self, count: int) -> list[Codebook]:
        """The first `count` books."""
        return [book for book in self.books[:count] if isinstance(book, Codebook)]

    def column(self, z: Tensor) -> Tensor:
        """`[B, C, F, T]` -> `[B, T, D]`."""
        out: Tensor = self.inward[1](self.inward[0](z.permute(0, 3, 2, 1)).flatten(2))
        return out

    def map(self, column: Tensor) -> Tensor:
        """`[B, T, D]` -> `[B, C, F, T]`."""
        rows: Tensor = self.outward[0](column).unflatten(2, (self.rows, -1))
        out: Tensor = self.outward[1](rows)
        return out.permute(0, 3, 2, 1)

    def encode(self, z: Tensor, bits: int) -> Tensor:
        """`[B, C, F, T]` -> codes `[B, N, T]` with `N = books_at(bits)`."""
        residual = self.column(z)
        codes = []
        for book in self.stack(self.books_at(bits)):
            codes.append(book.assign(residual.flatten(0, 1)).view(residual.shape[:2]))
            residual = residual - book.lookup(codes[-1])
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor, bits: int) -> Tensor:
        """Codes `[B, N, T]` -> `[B, C, F, T]`, with `N = books_at(bits)`."""
        books = self.stack(self.books_at(bits))
        parts = [book.lookup(index) for book, index in zip(books, codes.unbind(1), strict=True)]
        return self.map(torch.stack(parts).sum(dim=0))

    def bypass(self, z: Tensor) -> Tensor:
        """`z [B, C, F, T]` without quantization, for the first steps."""
        return self.map(self.column(z))

    def forward(self, z: Tensor, bits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantize `z [B, C, F, T]` with `bits [B]`, learning in training mode; result, codes, commitment."""
        column = self.column(z)
        residual = column.detach().clone()
        codes = torch.zeros(len(z), len(self.books), z.shape[3], dtype=torch.long, device=z.device)
        counts = [self.books_at(value) for value in bits.tolist()]
        for number, book in enumerate(self.stack(max(counts))):
            used = torch.tensor([number < count for count in counts], device=z.device)
            vectors = residual[used].flatten(0, 1)
            if self.training:
                book.start(vectors)
            chosen = book.assign(vectors)
            residual[used] -= book.lookup(chosen).view(-1, *column.shape[1:])
            codes[used, number] = chosen.view(-1, z.shape[3])
            if self.training:
                book.learn(vectors, chosen)
        quantized = column.detach() - residual
        commitment = (column - quantized).square().mean()
        return self.map(column + (quantized - column).detach()), codes, commitment
