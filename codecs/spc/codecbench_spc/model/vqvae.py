"""The VQ-VAE on log-mel pictures: one token for each 4x4 patch, causal in time at the grain of a patch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from codecbench.errors import InvalidInput
from codecbench_spc.model.layers import CausalConv2d, ConvNextBlock, StreamState, channels_last
from codecbench_spc.model.mel import MEL_BANDS, PATCH_FRAMES, SILENCE
from codecbench_spc.model.quantizer import TOKEN_BITS, PatchVQ, ResidualVQ, check_bits
from codecbench_spc.model.vocoder import MEL_MEAN, MEL_SCALE, normalised

ROWS = 20
"""Tokens of a column."""

ENCODE_AT_ONCE = 128
"""Mel frames that `VQVAE.encode` takes at a time, whole patches."""

DECODE_AT_ONCE = 32
"""Columns of tokens that `VQVAE.decode` takes at a time."""


@dataclass(frozen=True)
class VqvaeConfig:
    """Sizes of the VQ-VAE.

    Attributes
    ----------
    quantizer : str
        `patch` (the paper's) or `residual` (the control).
    channels, expansion : int
        Width of the map, and of the blocks' perceptrons in widths.
    encoder_blocks, decoder_blocks : int
        ConvNeXt blocks on the token grid.
    encoder_kernel, decoder_kernel : tuple of int
        In rows of the grid (frequency) and columns (time, past only).
    codebook_size, code_width : int
        Codes of the one codebook and the dimension in which they are compared.
    books, book_size, column_width : int
        Of the residual quantizer.
    mixing : int
        Channels over which a perceptron mixes all rows of a column after each block; 0: none.
    patch_bands : tuple of pairs of int
        Height of a patch in mel bands, and how many rows have it, from the lowest band up: 20 rows and 80
        bands in all.
    nested : bool
        Whether the lower rates use the first codes of the one codebook.  If not, each rate has a codebook,
        and vectors of its own that tell encoder and decoder the rate.
    """

    quantizer: str = "patch"
    channels: int = 128
    expansion: int = 2
    encoder_blocks: int = 3
    decoder_blocks: int = 4
    encoder_kernel: tuple[int, int] = (5, 3)
    decoder_kernel: tuple[int, int] = (5, 5)
    codebook_size: int = 4096
    code_width: int = 16
    books: int = 30
    book_size: int = 256
    column_width: int = 128
    mixing: int = 0
    patch_bands: tuple[tuple[int, int], ...] = ((4, 20),)
    nested: bool = True
    paired: bool = False

    def __post_init__(self) -> None:
        rows = sum(count for _, count in self.patch_bands)
        bands = sum(height * count for height, count in self.patch_bands)
        if (rows, bands) != (ROWS, MEL_BANDS):
            raise InvalidInput(
                f"vqvae: patch_bands {self.patch_bands} make {rows} rows of {bands} bands, "
                f"not {ROWS} of {MEL_BANDS}"
            )
        if self.paired and (self.nested or self.codebook_size < 1 << 2 * TOKEN_BITS[-1]):
            raise InvalidInput(
                "vqvae: paired rows need codebooks of their own (nested = false) and 4096 codes or more"
            )


class RowMixing(nn.Module):
    """Lets the rows of a column see one another: a perceptron over few channels of all of them.

    What it adds to the map is nothing at first, so that a model can grow by it.
    """

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.inward = nn.Linear(channels, narrow)
        self.mix = nn.Linear(ROWS * narrow, ROWS * narrow)
        self.outward = nn.Linear(narrow, channels)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, 20, T]` -> `[B, C, 20, T]`."""
        # Only the few channels change their order in memory.
        last = x.permute(0, 2, 3, 1)
        columns: Tensor = self.inward(self.norm(last)).transpose(1, 2).flatten(2)
        mixed: Tensor = functional.gelu(self.mix(columns))
        rows = mixed.reshape(*mixed.shape[:2], ROWS, -1).transpose(1, 2)
        out: Tensor = last + self.outward(rows)
        return out.permute(0, 3, 1, 2)


class Grid(nn.Module):
    """ConvNeXt blocks on the token grid; each row has a learned vector, so that it knows its frequency."""

    def __init__(self, config: VqvaeConfig, blocks: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.zeros(config.channels, ROWS, 1))
        self.rates: nn.Parameter | None = None
        if not config.nested:
            self.rates = nn.Parameter(torch.zeros(len(TOKEN_BITS), config.channels, ROWS, 1))
        self.blocks = nn.ModuleList(
            ConvNextBlock(config.channels, config.expansion * config.channels, kernel, 1.0 / blocks)
            for _ in range(blocks)
        )
        self.mixers = nn.ModuleList(
            RowMixing(config.channels, config.mixing) for _ in range(blocks if config.mixing else 0)
        )

    def forward(self, x: Tensor, rate: Tensor | int, state: StreamState | None = None) -> Tensor:
        """`[B, C, 20, T/4]` -> `[B, C, 20, T/4]`; `rate` is an index of `TOKEN_BITS`, or one an item."""
        x = x + self.row
        if self.rates is not None:
            x = x + self.rates[rate]
        for number, block in enumerate(self.blocks):
            x = block(x, state)
            if self.mixers:
                x = self.mixers[number](x)
        return x


class VQVAE(nn.Module):
    """Encoder, quantizer and decoder.

    Parameters
    ----------
    config : VqvaeConfig

    Notes
    -----
    Patch `p` is encoded from frames up to `4 p + 3` and decoded from tokens up to `p`.  With a `StreamState`
    (one for each direction) chunks of whole patches give what the whole does.  `model.double()` makes tokens,
    and mels rounded by `mel.exact_mel`, that do not depend on how the input is cut or on the machine's order
    of summation.
    """

    def __init__(self, config: VqvaeConfig) -> None:
        super().__init__()
        self.config = config
        channels, heights = config.channels, [height for height, _ in config.patch_bands]
        patches = [(height, PATCH_FRAMES) for height in heights]
        self.embed = nn.ModuleList(CausalConv2d(1, channels, patch, stride=patch) for patch in patches)
        self.encoder = Grid(config, config.encoder_blocks, config.encoder_kernel)
        self.encoder_norm = nn.LayerNorm(channels, eps=1e-6)
        self.quantizer: PatchVQ | ResidualVQ = build_quantizer(config)
        self.decoder = Grid(config, config.decoder_blocks, config.decoder_kernel)
        self.decoder_norm = nn.LayerNorm(channels, eps=1e-6)
        self.last = nn.ModuleList(nn.Linear(channels, height * PATCH_FRAMES) for height in heights)
        channels_last(self)

    def analyse(self, mel: Tensor, rate: Tensor | int, state: StreamState | None = None) -> Tensor:
        """Map before quantization: `[B, 80, T]` -> `[B, C, 20, T/4]`; `rate` as in `Grid`."""
        if mel.shape[1] != MEL_BANDS or mel.shape[2] % PATCH_FRAMES:
            raise InvalidInput(
                f"log-mel frames [B, 80, T] with T a multiple of 4 are needed, not {list(mel.shape)}"
            )
        bands = [height * rows for height, rows in self.config.patch_bands]
        parts = torch.split(normalised(mel)[:, None], bands, dim=2)
        x = torch.cat([embed(part, state) for embed, part in zip(self.embed, parts, strict=True)], dim=2)
        x = self.encoder(x, rate, state)
        normal: Tensor = self.encoder_norm(x.permute(0, 2, 3, 1))
        return normal.permute(0, 3, 1, 2)

    def synthesise(self, z: Tensor, rate: Tensor | int, state: StreamState | None = None) -> Tensor:
        """Log-mel of a quantized map: `[B, C, 20, T/4]` -> `[B, 80, T]`; `rate` as in `Grid`."""
        x = self.decoder_norm(self.decoder(z, rate, state).permute(0, 2, 3, 1))
        parts = torch.split(x, [rows for _, rows in self.config.patch_bands], dim=1)
        mels = []
        for last, part in zip(self.last, parts, strict=True):
            patches: Tensor = last(part).unflatten(3, (-1, PATCH_FRAMES))
            mels.append(patches.permute(0, 1, 3, 2, 4).flatten(3).flatten(1, 2))
        return torch.cat(mels, dim=1) * MEL_SCALE + MEL_MEAN

    def encode(self, mel: Tensor, bits: int = 12, state: StreamState | None = None) -> Tensor:
        """Tokens of a log-mel spectrogram.

        Parameters
        ----------
        mel : Tensor
            `[B, 80, T]`, T a multiple of 4, of the model's own type.
        bits : int
            12, 10, 8 or 6 a patch (7.5, 6.25, 5.0 or 3.75 kbit/s).
        state : StreamState, optional

        Returns
        -------
        Tensor
            int64 `[B, 20, T/4]` below `2^bits`, or at the lowest rate of paired rows `[B, 10, T/4]` below
            `2^12`; of the residual quantizer `[B, N, T/4]` below its book size,
            with as many bits a column.
        """
        check_bits(bits)
        # A second at a time stays in the processor's cache: twice as fast, and memory stays bounded.
        state = StreamState() if state is None else state
        parts = torch.split(mel, ENCODE_AT_ONCE, dim=2)
        rate = TOKEN_BITS.index(bits)
        codes = [self.quantizer.encode(self.analyse(part, rate, state), bits) for part in parts]
        return torch.cat(codes, dim=2)

    def decode(self, codes: Tensor, bits: int = 12, state: StreamState | None = None) -> Tensor:
        """Log-mel spectrogram `[B, 80, T]` of tokens as `encode` gives them, not below silence."""
        check_bits(bits)
        rate = TOKEN_BITS.index(bits)
        state = StreamState() if state is None else state
        parts = torch.split(codes, DECODE_AT_ONCE, dim=2)
        return torch.cat(
            [self.synthesise(self.quantizer.decode(part, bits), rate, state) for part in parts], dim=2
        ).clamp(min=SILENCE)

    def forward(
        self, mel: Tensor, bits: Tensor | int = 12, quantize: bool = True
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Reconstruction `[B, 80, T]`, codes and the losses of the reconstruction, for training.

        `bits` may be a tensor `[B]`: each item of the batch is then coded with its own.  Without `quantize`
        (the first steps, before the codebooks start from data) codes are empty and the commitment is 0.
        """
        each = torch.as_tensor(bits, device=mel.device).expand(len(mel))
        rate = torch.stack([each == value for value in TOKEN_BITS]).long().argmax(dim=0)
        z = self.analyse(mel, rate)
        codes, commitment = mel.new_zeros(0, dtype=torch.long), mel.new_zeros(())
        if quantize:
            z, codes, commitment = self.quantizer(z, each)
        else:
            z = self.quantizer.bypass(z)
        mel_hat = self.synthesise(z, rate)
        error = mel_hat - mel
        return (
            mel_hat,
            codes,
            {"l1": error.abs().mean(), "l2": error.square().mean(), "commitment": commitment},
        )


def build_quantizer(config: VqvaeConfig) -> PatchVQ | ResidualVQ:
    """The quantizer that the recipe names."""
    if config.quantizer == "patch":
        return PatchVQ(config.channels, config.code_width, config.codebook_size, config.nested, config.paired)
    if config.quantizer == "residual":
        return ResidualVQ(
            config.channels,
            ROWS,
            config.column_width,
            books=config.books,
            size=config.book_size,
        )
    raise InvalidInput(f"unknown quantizer {config.quantizer!r}; choose patch or residual")
