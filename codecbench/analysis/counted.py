"""What a gate holds against each other besides scores: rates, codebooks, delay, failures, memory and speed.

Rates, codebook use, delay and failures are counted, not sampled: of an unchanged codec they are the same to
the last byte, so that comparing them costs no false alarm.  Memory is measured once a side.  Speed is
sampled: the ratio of two times taken in turns on one machine, utterance by utterance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codecbench.analysis.entropy import by_stream, code_kbps
from codecbench.analysis.runs import with_tokens
from codecbench.analysis.systems import Pair, Scores
from codecbench.codec import Codes
from codecbench.store.records import decode_codes

if TYPE_CHECKING:
    import pandas as pd

Both = tuple[float, float]


class NotCompared(Exception):
    """Why a quantity of two systems cannot be compared, in one line."""


@dataclass(frozen=True)
class Quantity:
    """Something counted: ``of`` gives it for both systems, NaN where it is not known, or `NotCompared`.

    ``margin`` is the loss let pass by default, in ``unit``, or a share of the old system's value.
    """

    unit: str
    margin: float
    of: Callable[[Pair], Both]
    is_share: bool = False
    higher_is_better: bool = False


def payload_kbps(pair: Pair) -> Both:
    """Return the payload over the utterances that both decoded, in kbit/s."""
    a, b = _decoded_by_both(pair)
    seconds = float(a["seconds"].sum())
    if not seconds:
        return math.nan, math.nan
    bits = [8 * float(part["payload_bytes"].sum(min_count=1)) for part in (a, b)]
    return bits[0] / seconds / 1000, bits[1] / seconds / 1000


def entropy_kbps(pair: Pair) -> Both:
    """Return the code length of the tokens on new speakers in kbit/s, see `codecbench.analysis.entropy`."""
    rates = []
    for codes, speakers, seconds in _tokens(pair):
        rates.append(code_kbps(codes, speakers, seconds))
        if codes and math.isnan(rates[-1]):
            raise NotCompared("the tokens are too few for tables of them; run more utterances")
    return rates[0], rates[1]


def codes_used(pair: Pair) -> Both:
    """Return how many codes of a stream occur at all, the mean over streams."""
    means, streams = [], []
    for codes, _, _ in _tokens(pair):
        distinct = [np.unique(stream).size for stream in by_stream(codes)]
        streams.append(len(distinct))
        means.append(float(np.mean(distinct)) if distinct else math.nan)
    if streams[0] != streams[1]:
        raise NotCompared(f"the old system has {streams[0]} token streams, the new one {streams[1]}")
    return means[0], means[1]


def delay_ms(pair: Pair) -> Both:
    """Return the codecs' own delays in ms."""
    return float(pair.a["delay_ms"].max()), float(pair.b["delay_ms"].max())


def failures(pair: Pair) -> Both:
    """Return how many utterances gave no speech."""
    return float((pair.a["status"] == "failed").sum()), float((pair.b["status"] == "failed").sum())


def peak_memory_mb(pair: Pair) -> Both:
    """Return the peak memory of a process that codes the longest utterance, in 10^6 bytes."""
    a, b = pair.a_peak, pair.b_peak
    if a is None or b is None:
        which = "neither system" if a is None and b is None else "only one system"
        raise NotCompared(f"it was measured of {which}; {ADVICE}")
    if a["where"] != b["where"]:
        raise NotCompared(f"machine, versions or device differ; {ADVICE}")
    if a["utterance"] != b["utterance"]:
        raise NotCompared(f"it was measured on different utterances; {ADVICE}")
    return float(a["mb"]), float(b["mb"])


ADVICE = "run both in one folder with codecbench run --costs"
COUNTED = {
    "payload_kbps": Quantity("kbit/s", 0.01, payload_kbps, is_share=True),
    "entropy_kbps": Quantity("kbit/s", 0.01, entropy_kbps, is_share=True),
    "codes_used": Quantity("codes", 0.05, codes_used, is_share=True, higher_is_better=True),
    "delay_ms": Quantity("ms", 0.01, delay_ms),
    "failures": Quantity("utterances", 0.0, failures),
    "peak_memory_mb": Quantity("MB", 0.05, peak_memory_mb, is_share=True),
}
SPEED = {"rtf_encode": 0.1, "rtf_decode": 0.1}
"""Real-time factors, with the share that they may grow by."""
LIMITS = {name: quantity.margin for name, quantity in COUNTED.items()} | SPEED


def log_speed(pair: Pair, name: str) -> Scores:
    """Return the logarithm of old over new time of each utterance, float64 [N], positive where new is faster.

    NaN where the two were not timed in turns in one call on one machine; raises `NotCompared` where none was.
    """
    a, b = pair.scores(name)
    with np.errstate(divide="ignore"):
        logs: Scores = np.log(a) - np.log(b)
    if not np.isfinite(logs).any():
        raise NotCompared("no time was measured of both")
    together = (pair.a["batch"].notna() & (pair.a["batch"] == pair.b["batch"])).to_numpy()
    if not together.any():
        raise NotCompared(f"the two were not timed in turns in one run on one machine; {ADVICE}")
    return np.where(together & np.isfinite(logs), logs, np.nan)


def _decoded_by_both(pair: Pair) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = ((pair.a["status"] == "ok") & (pair.b["status"] == "ok")).to_numpy()
    return pair.a[both], pair.b[both]


def _tokens(pair: Pair) -> list[tuple[list[Codes], list[str], float]]:
    """Return tokens, speakers and seconds of both, of the utterances that both decoded."""
    parts = [with_tokens(part) for part in _decoded_by_both(pair)]
    if len(parts[0]) != len(parts[1]):
        raise NotCompared("tokens are not stored of the same utterances")
    return [
        (
            [decode_codes(value) for value in part["codes"]],
            list(part["speaker"]),
            float(part["seconds"].sum()),
        )
        for part in parts
    ]
