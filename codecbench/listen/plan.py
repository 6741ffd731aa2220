"""The trials of a listening test: which clip, which files, and what each file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codecbench.listen.choice import Chosen
from codecbench.listen.clips import Clip
from codecbench.listen.key import REFERENCE, TRAINING


@dataclass(frozen=True)
class Planned:
    """A trial: its clip, and what each of its files holds, by the file's name."""

    clip: Clip
    files: Mapping[str, str]


Plan = Mapping[str, Planned]
"""The trials by name, with the training."""

_SIDES = ((False, False), (False, True), (True, False), (True, True))
"""Whether A is the reference, and whether X is A.  In each half X is A once, and the reference once."""


def mushra(
    clips: Sequence[Clip], chosen: Sequence[Chosen], trials: int, seed: int, anchors: Mapping[str, float]
) -> tuple[dict[str, Any], Plan]:
    """Plan a trial an utterance; return what the key tells of it, and the trials."""
    order = np.random.default_rng(seed).permutation(len(clips))
    files = {f"{name}.wav": name for name in (REFERENCE, *(item.name for item in chosen), *anchors)}
    taken = [clips[place] for place in order[:trials]]
    spare = clips[order[trials]] if trials < len(clips) else taken[-1]
    plan = {f"trial{number:02d}": Planned(clip, files) for number, clip in enumerate(taken, start=1)}
    told = [_told(name, planned.clip) for name, planned in plan.items()]
    return _key_of(chosen, anchors, told, spare), {**plan, TRAINING: Planned(spare, files)}


def abx(
    clips: Sequence[Clip], chosen: Sequence[Chosen], trials: int, seed: int, anchors: Mapping[str, float]
) -> tuple[dict[str, Any], Plan]:
    """Plan so many trials a condition; return what the key tells of them, and the trials.

    Of each condition X is A as often as B.  X is a copy under a name of its own, so that nothing gives it
    away.  In the training the low anchor is told from the reference.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(clips))
    sides = [generator.permutation(_sides(trials, int(generator.integers(2)))) for _ in chosen]
    plan: dict[str, Planned] = {}
    told = []
    for number in range(trials * len(chosen)):
        turn, item = divmod(number, len(chosen))
        a_is_reference, x_is_a = _SIDES[sides[item][turn]]
        name, clip = f"{number + 1:03d}", clips[order[turn % len(clips)]]
        plan[name] = Planned(clip, _abx_files(chosen[item].name, a_is_reference, x_is_a))
        told.append({**_told(name, clip), "condition": chosen[item].name, "x": "a" if x_is_a else "b"})
    low, hz = next(iter(anchors.items()))
    spare = clips[order[min(trials, len(clips) - 1)]]
    training = Planned(spare, _abx_files(low, a_is_reference=True, x_is_a=False))
    return _key_of(chosen, {low: hz}, told, spare), {**plan, TRAINING: training}


def _sides(trials: int, half: int) -> list[int]:
    """Return places in `_SIDES`, all as often as another; what is left over begins with either half."""
    return [(2 * half + number) % len(_SIDES) for number in range(trials)]


def _abx_files(condition: str, a_is_reference: bool, x_is_a: bool) -> dict[str, str]:
    a, b = (REFERENCE, condition) if a_is_reference else (condition, REFERENCE)
    return {"a.flac": a, "b.flac": b, "x.flac": a if x_is_a else b}


def _key_of(
    chosen: Sequence[Chosen], anchors: Mapping[str, float], told: Sequence[Mapping[str, Any]], spare: Clip
) -> dict[str, Any]:
    return {
        "conditions": {item.name: item.told() for item in chosen}, "anchors": dict(anchors),
        "trials": list(told), TRAINING: _told(TRAINING, spare),
    }  # fmt: skip


def _told(trial: str, clip: Clip) -> dict[str, Any]:
    return {
        "trial": trial, "utterance": clip.utterance, "speaker": clip.speaker,
        "seconds": round(clip.seconds, 6),
    }  # fmt: skip
