"""Mel consistency, an iteration after Griffin and Lim: noise, corrected until its own mel is the wanted one.

In blocks of one patch (512 samples).  Samples that were given out stay as they are; the block and
`lookahead` frames after it are iterated together, eight frames in all, then the block is given out, and what
lies ahead is where the next block begins.  One step, with the window and the hop of the mel:

    S = STFT(z)                                    z: the signal, plus momentum times its last change
    r = min(M / max(mel(S), 1e-5), most)           M: wanted mel magnitudes, a ratio for each band and frame
    g = spread(r)                                  bands to bins: filters of equal sum, normalised at each bin
    y = overlap-add of inverse STFT(g S)           same window; divided by the squared windows that are there

This is Griffin and Lim's iteration (1984, IEEE TASSP 32, 236-243) with a mel in place of magnitudes; momentum
as in Perraudin et al. 2013 (WASPAA), blocks with a fixed past as in Zhu et al. 2007 (IEEE TASLP 15,
1645-1653).

Why it cannot diverge.  With `F` the mel's filters, `F'` those divided by their sums, `n_k = sum_b F'_kb` and
`M_b` at most `loudest()`, every bin of `g S` is at most

    sum_b (F'_kb / n_k) r_b |S_k|  <=  sum_b (F'_kb / n_k) (M_b / (F_kb |S_k|)) |S_k|
                                    =  sum_b M_b / (n_k sum_j F_jb)

over the bands `b` that hold bin `k`, because `mel(S)_b >= F_kb |S_k|`.  The right side does not depend on the
signal: whatever went in, what comes out of a step is bounded by the wanted mel alone, and so is the next
input, at most `1 + 2 momentum` times that.  A lower limit of `r` would break the first inequality, so there
is none.  `largest_sample` is the bound in samples; what is given out is limited to full scale besides.

Small differences of the mel grow on the way (a part in a million moves samples by a tenth), so a stream gives
the samples of the whole because its mel is the same to the last bit: `mel.exact_mel`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from codecbench_spc.model.consistency_kernel import BINS, HANN, HOPS, LANES, iterate
from codecbench_spc.model.mel import (
    HOP_LENGTH,
    LEFT_SAMPLES,
    LOG_FLOOR,
    MEL_BANDS,
    PATCH_FRAMES,
    PATCH_SAMPLES,
    SILENCE,
    WINDOW_LENGTH,
    mel_filterbank,
)
from codecbench_spc.model.synthesis import SynthesisConfig

Floats = npt.NDArray[np.float32]

START_LEVEL = 1e-2
"""Root mean square of the noise that a block starts from."""

MOST, FIRST_MOST = math.exp(1.5), 1e4
"""Largest ratio of a step; the first one also brings the noise to the level of speech."""

LEAST_WINDOWS = 0.1
"""Least sum of squared windows that is divided by, where frames end."""

SAMPLES = HOP_LENGTH * HOPS


def loudest() -> npt.NDArray[np.float64]:
    """Mel magnitudes that no wave within full scale exceeds, `[80]`: by Cauchy and Schwarz, and Parseval."""
    filters = np.sqrt(np.square(mel_filterbank(WINDOW_LENGTH, MEL_BANDS)).sum(axis=0))
    return np.asarray(filters * math.sqrt(WINDOW_LENGTH * np.square(HANN.astype(np.float64)).sum()))


def shares() -> npt.NDArray[np.float64]:
    """What an overlap-add of eight frames is multiplied by at each sample, `[1408]`."""
    windows = np.zeros(SAMPLES)
    for lane in range(LANES):
        windows[lane * HOP_LENGTH :][:WINDOW_LENGTH] += np.square(HANN.astype(np.float64))
    return 1.0 / np.maximum(windows, LEAST_WINDOWS)


def largest_sample() -> float:
    """Bound of every sample within the iteration, whatever tokens or mel made it: see the module's proof."""
    bank = mel_filterbank(WINDOW_LENGTH, MEL_BANDS)
    sums = bank.sum(axis=0)
    normal = (bank / sums).sum(axis=1)
    inside = bank > 0.0
    bins = np.where(inside, loudest() / sums, 0.0).sum(axis=1) / np.maximum(normal, 1e-12)
    sides = np.full(BINS, 2.0)
    sides[[0, -1]] = 1.0
    frame = float(sides @ bins) / WINDOW_LENGTH
    windows = np.zeros(SAMPLES)
    for lane in range(LANES):
        windows[lane * HOP_LENGTH :][:WINDOW_LENGTH] += HANN
    return frame * float((windows * shares()).max())


class ConsistencyStream:
    """Log-mel frames to samples, patch by patch; whole files are one long chunk.

    Parameters
    ----------
    config : SynthesisConfig
    """

    def __init__(self, config: SynthesisConfig) -> None:
        self._config = config
        self._noise = np.random.default_rng(config.seed)
        self._signal = np.zeros((HOP_LENGTH, HOPS), dtype=np.float32)
        self._target = np.full((MEL_BANDS, LANES), LOG_FLOOR, dtype=np.float32)
        self._ahead = HOP_LENGTH * config.lookahead
        self._surplus = self._ahead
        # The frames of the newest patch end the window on the signal; given-out samples stand before its end.
        self._given = SAMPLES - (WINDOW_LENGTH - LEFT_SAMPLES - HOP_LENGTH) - PATCH_SAMPLES - self._ahead
        self._free = _by_place(np.arange(SAMPLES) >= self._given)
        self._share = _by_place(shares().astype(np.float32))
        self._loudest = loudest()[:, None]

    def push(self, mel: Tensor) -> Floats:
        """Take log-mel frames `[80, 4 k]`; return the samples that they complete, float32 [n]."""
        magnitudes = np.exp(mel.double().cpu().numpy())
        wanted = np.clip(magnitudes, LOG_FLOOR, self._loudest).astype(np.float32)
        starts = range(0, wanted.shape[1], PATCH_FRAMES)
        blocks = [self._block(wanted[:, start : start + PATCH_FRAMES]) for start in starts]
        return self._give(np.concatenate([np.empty(0, dtype=np.float32), *blocks]))

    def flush(self) -> Floats:
        """End the stream: return the samples that waited for the lookahead, float32 [n]."""
        rest = self.push(torch.full((MEL_BANDS, PATCH_FRAMES), SILENCE, dtype=torch.float64))
        return rest[: self._ahead]

    def _give(self, samples: Floats) -> Floats:
        dropped = min(self._surplus, len(samples))
        self._surplus -= dropped
        return np.clip(samples[dropped:], -1.0, 1.0)

    def _block(self, wanted: Floats) -> Floats:
        self._target[:, :-PATCH_FRAMES] = self._target[:, PATCH_FRAMES:]
        self._target[:, -PATCH_FRAMES:] = wanted
        self._signal[:, :-PATCH_FRAMES] = self._signal[:, PATCH_FRAMES:]
        noise = self._noise.standard_normal((PATCH_FRAMES, HOP_LENGTH), dtype=np.float32)
        self._signal[:, -PATCH_FRAMES:] = START_LEVEL * noise.T
        iterate(
            self._signal.reshape(-1),
            self._target.reshape(-1),
            self._share,
            self._free,
            self._config.steps,
            (np.float32(self._config.momentum), np.float32(FIRST_MOST), np.float32(MOST)),
        )
        samples = self._signal.T.reshape(-1)
        return samples[self._given : self._given + PATCH_SAMPLES].copy()


def _by_place(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`[1408]` in time to the kernel's order."""
    return np.ascontiguousarray(values.reshape(HOPS, HOP_LENGTH).T).reshape(-1)


def prepare() -> None:
    """Compile the kernel, or read it from the cache, so that the first block of a stream is not late."""
    ConsistencyStream(SynthesisConfig(steps=1)).flush()


def synthesise(mel: Tensor, config: SynthesisConfig) -> Floats:
    """Samples `[128 T]` of whole log-mel frames `[80, T]`, T a multiple of 4."""
    stream = ConsistencyStream(config)
    return np.concatenate([stream.push(mel), stream.flush()])
