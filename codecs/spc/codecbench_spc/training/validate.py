"""Scores on the held-out utterances: STOI and wide-band PESQ of waves, distance of mels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from codecbench.errors import Unavailable
from codecbench_spc.model.mel import SAMPLE_RATE_HZ, log_mel

Wave = npt.NDArray[np.float32]


def score_waves(refs: Sequence[Wave], degs: Sequence[Wave]) -> dict[str, float]:
    """Mean STOI and PESQ-WB of pairs of equal length.

    Raises
    ------
    Unavailable
        If `pystoi` or `pesq` is not installed.
    """
    try:
        from pesq import PesqError, pesq
        from pystoi import stoi
    except ImportError as error:
        raise Unavailable(
            "validation needs pystoi and pesq", "run: pip install 'codecbench[pesq]'"
        ) from error
    stois, pesqs = [], []
    for ref, deg in zip(refs, degs, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stois.append(float(stoi(ref, deg, SAMPLE_RATE_HZ)))
        # An utterance in which PESQ finds no speech counts as the worst one, so that means stay comparable.
        value = float(pesq(SAMPLE_RATE_HZ, ref, deg, "wb", on_error=PesqError.RETURN_VALUES))
        pesqs.append(max(value, 1.0))
    return {"stoi": float(np.mean(stois)), "pesq_wb": float(np.mean(pesqs))}


@torch.no_grad()
def resynthesise(
    waves: Sequence[Wave],
    vocoder: Callable[[Tensor], Tensor],
    transform: Callable[[Tensor], Tensor],
    device: torch.device,
) -> list[Wave]:
    """Waves through mel, `transform` (a codec or the identity) and a vocoder; lengths are kept."""
    out = []
    for wave in waves:
        mel = transform(log_mel(torch.from_numpy(wave)[None].to(device)))
        out.append(vocoder(mel)[0, : len(wave)].float().cpu().numpy())
    return out


@torch.no_grad()
def mel_distance(waves: Sequence[Wave], transform: Callable[[Tensor], Tensor], device: torch.device) -> float:
    """Mean over utterances of the mean absolute log-mel difference (natural logarithm)."""
    distances = []
    for wave in waves:
        mel = log_mel(torch.from_numpy(wave)[None].to(device))
        distances.append(float((transform(mel) - mel).abs().mean()))
    return float(np.mean(distances))
