"""Streaming, coding while the speech arrives: chunks of any size in, tokens out; tokens in, samples out.

Tokens and mels are those of the whole wave at once, bit for bit: the VQ-VAE runs in float64, where a
different order of summation never reaches a decision, and its mels are rounded.  So are samples made by
consistency; a vocoder's agree to 1e-4.  The codec's offline path is this one with large chunks, so memory
stays bounded there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from codecbench.codec import Codes, Wave
from codecbench_spc.model.layers import StreamState
from codecbench_spc.model.mel import (
    HOP_LENGTH,
    LEFT_SAMPLES,
    MEL_BANDS,
    PATCH_SAMPLES,
    SILENCE,
    WINDOW_LENGTH,
    exact_mel,
    mel_of_padded,
)

if TYPE_CHECKING:
    from codecbench_spc.model.vocoder import Vocoder
    from codecbench_spc.model.vqvae import VQVAE

FRAMES_A_COLUMN = PATCH_SAMPLES // HOP_LENGTH
CONTEXT_SAMPLES = WINDOW_LENGTH - HOP_LENGTH
"""Samples around its own that a patch needs, on both sides together."""


def delay_samples(lookahead: int) -> int:
    """Return the algorithmic delay in samples at 16 kHz for a synthesis that looks so many frames ahead.

    The first sample of a patch leaves the decoder when the samples of the patch, of the windows of its last
    frame, and of the lookahead have arrived.
    """
    return PATCH_SAMPLES + CONTEXT_SAMPLES - LEFT_SAMPLES + HOP_LENGTH * lookahead


class StreamEncoder:
    """Waves to tokens, chunk by chunk.

    Parameters
    ----------
    vqvae : VQVAE
        In evaluation mode and float64.
    bits : int
        Bits a patch: 12, 10, 8 or 6.
    """

    def __init__(self, vqvae: VQVAE, bits: int) -> None:
        self._vqvae = vqvae
        self._bits = bits
        self._state = StreamState()
        self._pending = np.zeros(LEFT_SAMPLES, dtype=np.float32)
        self._samples = 0
        self._columns = 0
        self._rows = self._encode(np.full(PATCH_SAMPLES + CONTEXT_SAMPLES, 0.0), StreamState()).shape[0]

    def push(self, chunk: Wave) -> Codes:
        """Take samples, float32 [n] at 16 kHz, any n; return the columns that are complete, int64 [F, k]."""
        self._samples += len(chunk)
        self._pending = np.concatenate([self._pending, chunk.astype(np.float32, copy=False)])
        return self._take((len(self._pending) - CONTEXT_SAMPLES) // PATCH_SAMPLES)

    def flush(self) -> Codes:
        """End the stream: return the columns that remain, int64 [F, k]; silence follows the last sample."""
        remaining = -(-self._samples // PATCH_SAMPLES) - self._columns
        needed = remaining * PATCH_SAMPLES + CONTEXT_SAMPLES - len(self._pending)
        self._pending = np.concatenate([self._pending, np.zeros(max(0, needed), dtype=np.float32)])
        return self._take(remaining)

    def _take(self, columns: int) -> Codes:
        if columns <= 0:
            return np.empty((self._rows, 0), dtype=np.int64)
        used = columns * PATCH_SAMPLES
        codes = self._encode(self._pending[: used + CONTEXT_SAMPLES], self._state)
        self._pending = self._pending[used:]
        self._columns += columns
        return codes

    @torch.inference_mode()
    def _encode(
        self, padded: Wave | np.ndarray[tuple[int, ...], np.dtype[np.float64]], state: StreamState
    ) -> Codes:
        device = next(self._vqvae.parameters()).device
        wave = torch.from_numpy(padded.astype(np.float64)).to(device)
        codes = self._vqvae.encode(mel_of_padded(wave[None]), self._bits, state)
        return np.asarray(codes[0].cpu().numpy())


@torch.inference_mode()
def encode_together(vqvae: VQVAE, waves: Sequence[Wave], bits: int, columns: int) -> list[Codes]:
    """Return the tokens of several waves at once, each int64 [F, k] as a `StreamEncoder` gives them.

    Shorter waves are followed by silence, as at the end of a stream, and their tokens cut back: a column
    knows nothing of later ones.  So many ``columns`` are worked on at a time.
    """
    lengths = [-(-len(wave) // PATCH_SAMPLES) for wave in waves]
    padded = np.zeros((len(waves), max([1, *lengths]) * PATCH_SAMPLES + CONTEXT_SAMPLES))
    for row, wave in zip(padded, waves, strict=True):
        row[LEFT_SAMPLES : LEFT_SAMPLES + len(wave)] = wave.astype(np.float32, copy=False)
    device, state, parts = next(vqvae.parameters()).device, StreamState(), []
    step = columns * PATCH_SAMPLES
    for start in range(0, padded.shape[1] - CONTEXT_SAMPLES, step):
        part = torch.from_numpy(padded[:, start : start + step + CONTEXT_SAMPLES]).to(device)
        parts.append(vqvae.encode(mel_of_padded(part), bits, state).cpu().numpy())
    codes = np.concatenate(parts, axis=2)
    return [each[:, :length].astype(np.int64) for each, length in zip(codes, lengths, strict=True)]


class Synthesiser(Protocol):
    """What makes samples of log-mel frames, chunk by chunk: `ConsistencyStream` or `VocoderStream`."""

    def push(self, mel: torch.Tensor) -> Wave:
        """Take log-mel frames `[80, 4 k]`; return the samples that they complete, float32 [n]."""

    def flush(self) -> Wave:
        """End the stream: return the samples that waited for a lookahead, float32 [n]."""


class StreamDecoder:
    """Tokens to waves, chunk by chunk.

    Parameters
    ----------
    vqvae : VQVAE
        In evaluation mode and float64.
    bits : int
        Bits a patch: 12, 10, 8 or 6.
    synthesiser : Synthesiser
        A new one.
    """

    def __init__(self, vqvae: VQVAE, bits: int, synthesiser: Synthesiser) -> None:
        self._vqvae = vqvae
        self._bits = bits
        self._synthesiser = synthesiser
        self._device = next(vqvae.parameters()).device
        self._state = StreamState()

    @torch.inference_mode()
    def push(self, columns: Codes) -> Wave:
        """Take columns of tokens, int64 [F, k], any k; return the samples that they complete, float32 [n]."""
        if columns.shape[1] == 0:
            return np.empty(0, dtype=np.float32)
        codes = torch.from_numpy(columns).to(self._device)
        return self._synthesiser.push(exact_mel(self._vqvae.decode(codes[None], self._bits, self._state)[0]))

    def flush(self) -> Wave:
        """End the stream: return the samples that waited for the lookahead, float32 [n]."""
        return self._synthesiser.flush()


@torch.inference_mode()
def decode_together(
    vqvae: VQVAE, codes: Sequence[Codes], bits: int, synthesisers: Sequence[Synthesiser], columns: int
) -> list[Wave]:
    """Return the samples of several utterances' tokens, float32 [n] each as a `StreamDecoder` gives them.

    Their mels are made at once, so many ``columns`` at a time, the samples of each by a new synthesiser.
    """
    longest = max((each.shape[1] for each in codes), default=0)
    padded = np.stack([np.pad(each, ((0, 0), (0, longest - each.shape[1]))) for each in codes])
    device, state = next(vqvae.parameters()).device, StreamState()
    made: list[list[Wave]] = [[] for _ in codes]
    for start in range(0, longest, columns):
        part = torch.from_numpy(padded[:, :, start : start + columns]).to(device)
        mels = exact_mel(vqvae.decode(part, bits, state))
        for mel, each, synthesiser, waves in zip(mels, codes, synthesisers, made, strict=True):
            frames = FRAMES_A_COLUMN * max(0, min(columns, each.shape[1] - start))
            if frames:
                waves.append(synthesiser.push(mel[:, :frames]))
    return [
        np.concatenate([*waves, synthesiser.flush()])
        for waves, synthesiser in zip(made, synthesisers, strict=True)
    ]


class VocoderStream:
    """Log-mel frames to samples by a vocoder in evaluation mode; a `Synthesiser`."""

    def __init__(self, vocoder: Vocoder) -> None:
        self._vocoder = vocoder
        self._weight = next(vocoder.parameters())
        self._state = StreamState()
        self._surplus = HOP_LENGTH * vocoder.lookahead

    @torch.inference_mode()
    def push(self, mel: torch.Tensor) -> Wave:
        """See `Synthesiser.push`."""
        mel = mel.to(self._weight.dtype).to(self._weight.device)
        wave = self._vocoder(mel[None], self._state)[0].cpu().numpy()
        dropped = min(self._surplus, len(wave))
        self._surplus -= dropped
        return np.ascontiguousarray(wave[dropped:], dtype=np.float32)

    def flush(self) -> Wave:
        """See `Synthesiser.flush`."""
        if self._vocoder.lookahead == 0:
            return np.empty(0, dtype=np.float32)
        return self.push(torch.full((MEL_BANDS, self._vocoder.lookahead), SILENCE))
