"""The VQ-VAE on log-mel pictures: one token for each 4x4 patch, causal in time at the grain of a patch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from codecbench.errors import InvalidInput
from codecbench_spc.model.layers import CausalConv2d, ConvNextBlock, StreamState, channels_last
from codecbench_spc.model.mel import MEL_BANDS, PATCH_FRAMES, SILENCE
from codecbench_spc.model.quantizer import PatchVQ, ResidualVQ, check_bits
from codecbench_spc.model.vocoder import MEL_MEAN, MEL_SCALE

PATCH_BANDS = 4
ROWS = MEL_BANDS // PATCH_BANDS
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


class Grid(nn.Module):
    """ConvNeXt blocks on the token grid; each row has a learned vector, so that it knows its frequency."""

    def __init__(self, config: VqvaeConfig, blocks: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.zeros(config.channels, ROWS, 1))
        self.blocks = nn.ModuleList(
            ConvNextBlock(config.channels, config.expansion * config.channels, kernel, 1.0 / blocks)
            for _ in range(blocks)
        )

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """`[B, C, 20, T/4]` -> `[B, C, 20, T/4]`."""
        x = x + self.row
        for block in self.blocks:
            x = block(x, state)
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
        channels, patch = config.channels, (PATCH_BANDS, PATCH_FRAMES)
        self.embed = CausalConv2d(1, channels, patch, stride=patch)
        self.encoder = Grid(config, config.encoder_blocks, config.encoder_kernel)
        self.encoder_norm = nn.LayerNorm(channels, eps=1e-6)
        self.quantizer: PatchVQ | ResidualVQ = build_quantizer(config)
        self.decoder = Grid(config, config.decoder_blocks, config.decoder_kernel)
        self.decoder_norm = nn.LayerNorm(channels, eps=1e-6)
        self.last = nn.Linear(channels, PATCH_BANDS * PATCH_FRAMES)
        channels_last(self)

    def analyse(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """Map before quantization: `[B, 80, T]` -> `[B, C, 20, T/4]`."""
        if mel.shape[1] != MEL_BANDS or mel.shape[2] % PATCH_FRAMES:
            raise InvalidInput(
                f"log-mel frames [B, 80, T] with T a multiple of 4 are needed, not {list(mel.shape)}"
            )
        x = self.embed(((mel - MEL_MEAN) / MEL_SCALE)[:, None], state)
        x = self.encoder(x, state)
        normal: Tensor = self.encoder_norm(x.permute(0, 2, 3, 1))
        return normal.permute(0, 3, 1, 2)

    def synthesise(self, z: Tensor, state: StreamState | None = None) -> Tensor:
        """Log-mel of a quantized map: `[B, C, 20, T/4]` -> `[B, 80, T]`."""
        x = self.decoder(z, state).permute(0, 2, 3, 1)
        patches: Tensor = self.last(self.decoder_norm(x)).unflatten(3, (PATCH_BANDS, PATCH_FRAMES))
        mel = patches.permute(0, 1, 3, 2, 4).flatten(3).flatten(1, 2)
        return mel * MEL_SCALE + MEL_MEAN

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
            int64 `[B, 20, T/4]` below `2^bits`; of the residual quantizer `[B, N, T/4]` below its book size,
            with as many bits a column.
        """
        check_bits(bits)
        # A second at a time stays in the processor's cache: twice as fast, and memory stays bounded.
        state = StreamState() if state is None else state
        parts = torch.split(mel, ENCODE_AT_ONCE, dim=2)
        return torch.cat([self.quantizer.encode(self.analyse(part, state), bits) for part in parts], dim=2)

    def decode(self, codes: Tensor, state: StreamState | None = None) -> Tensor:
        """Log-mel spectrogram `[B, 80, T]` of tokens as `encode` gives them, not below silence."""
        state = StreamState() if state is None else state
        parts = torch.split(codes, DECODE_AT_ONCE, dim=2)
        return torch.cat(
            [self.synthesise(self.quantizer.decode(part), state) for part in parts], dim=2
        ).clamp(min=SILENCE)

    def forward(
        self, mel: Tensor, bits: Tensor | int = 12, quantize: bool = True
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Reconstruction `[B, 80, T]`, codes and the losses of the reconstruction, for training.

        `bits` may be a tensor `[B]`: each item of the batch is then coded with its own.  Without `quantize`
        (the first steps, before the codebooks start from data) codes are empty and the commitment is 0.
        """
        z = self.analyse(mel)
        codes, commitment = mel.new_zeros(0, dtype=torch.long), mel.new_zeros(())
        if quantize:
            z, codes, commitment = self.quantizer(
                z, torch.as_tensor(bits, device=mel.device).expand(len(mel))
            )
        else:
            z = self.quantizer.bypass(z)
        mel_hat = self.synthesise(z)
        error = mel_hat - mel
        return (
            mel_hat,
            codes,
            {"l1": error.abs().mean(), "l2": error.square().mean(), "commitment": commitment},
        )


def build_quantizer(config: VqvaeConfig) -> PatchVQ | ResidualVQ:
    """The quantizer that the recipe names."""
    if config.quantizer == "patch":
        return PatchVQ(config.channels, config.code_width, config.codebook_size)
    if config.quantizer == "residual":
        return ResidualVQ(
            config.channels,
            ROWS,
            config.column_width,
            books=config.books,
            size=config.book_size,
        )
    raise InvalidInput(f"unknown quantizer {config.quantizer!r}; choose patch or residual")
