"""Export of listening tests: choose conditions and clips, write stimuli, pages and the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codecbench import audio
from codecbench.analysis import runs
from codecbench.errors import InvalidInput, StorageError
from codecbench.listen import pages, plan
from codecbench.listen.choice import conditions, usable
from codecbench.listen.clips import (
    ANCHORS_HZ,
    LITTLE_LOSS,
    LONGEST_S,
    MOST_GAIN_DB,
    RATE_HZ,
    Clip,
    Stimuli,
    anchor_name,
    stimuli,
)
from codecbench.listen.key import KEY, KINDS, REFERENCE, Kind, Remark, id_of, write_key
from codecbench.listen.plan import Plan, Planned
from codecbench.scratch import put, scratch

LISTENERS = "listeners"
"""The folder that listeners get; the key lies outside of it."""
TRIALS = 12
FEWEST_ABX_TRIALS = 10
"""With fewer judgements of a condition even nine right in ten say little."""


@dataclass(frozen=True)
class Exported:
    """What was written: the test's id, the page, webMUSHRA's configuration, the key; what is to be known."""

    test: str
    page: Path
    configuration: Path | None
    key: Path
    remarks: tuple[Remark, ...]


def export(
    run: Path,
    to: Path,
    kind: Kind = "mushra",
    *,
    seed: int = 0,
    points: Sequence[str] = (),
    trials: int = TRIALS,
    title: str = "Speech quality",
    anchors_hz: Sequence[float] = ANCHORS_HZ,
) -> Exported:
    """Write a listening test made from a run's kept audio, whole or not at all.

    Parameters
    ----------
    run : Path
        The run's folder; it must hold audio (``--audio``).
    to : Path
        A new or empty folder.  Beside the run's own, as ``RUN/listening/NAME``, the report finds the answers.
    kind : "mushra" or "abx"
        MUSHRA rates all points of an utterance against the reference; ABX asks of each point whether it can
        be told from the reference.
    seed : int
        Of the choice and order of trials and of X; not negative.
    points : sequence of str
        ``codec@point`` of the conditions; by default one of each codec, at rates near to each other.
    trials : int
        Number of utterances for MUSHRA; of judgements of each condition for ABX.
    title : str
        What listeners see.
    anchors_hz : sequence of float
        Cut-offs of the low-range and the mid-range anchor, the lower first.

    Raises
    ------
    InvalidInput
        If the run kept no audio of the points or none of two seconds, too many points are asked for, or the
        folder is not empty.
    StorageError
        If the folder cannot be written.
    """
    if kind not in KINDS:
        raise InvalidInput(f"unknown kind of listening test {kind!r}; known: {', '.join(KINDS)}")
    to = Path(to).absolute()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InvalidInput(f"{to}: not an empty folder; choose a new one for the listening test")
    loaded = runs.load_runs([Path(run)])
    chosen = conditions(loaded, points)
    clips, remarks = usable(loaded, chosen)
    anchors = _anchors(anchors_hz)
    told, planned = (plan.mushra if kind == "mushra" else plan.abx)(clips, chosen, trials, seed, anchors)
    bandwidth_hz = audio.load(clips[0].reference)[1] / 2
    told |= {"kind": kind, "seed": seed, "bandwidth_hz": bandwidth_hz}
    remarks += [
        *_cut_remarks([one.clip for one in planned.values()]),
        *_anchor_remarks(told["anchors"], bandwidth_hz),
        *_size_remarks(kind, trials, told),
    ]
    try:
        with scratch(to) as work:
            made = work / "test"
            remarks = _write(made, told, planned, title, remarks)
            put(made, to, work)
    except OSError as error:
        raise StorageError(
            f"cannot write {to}: {error.strerror}; free space or choose another folder"
        ) from None
    return _exported(to, told, remarks)


def _write(
    made: Path, told: Mapping[str, Any], planned: Plan, title: str, remarks: Sequence[Remark]
) -> list[Remark]:
    """Write everything, the key with all there is to know; return that."""
    test = id_of(told)
    gains: dict[str, Mapping[str, float]] = {}
    found = list(remarks)
    for trial, one in planned.items():
        heard = _heard(one, told["anchors"])
        found += _broken_remarks(heard.broken, one.clip.utterance, told["conditions"])
        gains[trial] = heard.gains_db
        for file, name in one.files.items():
            audio.save(made / LISTENERS / pages.STIMULI / test / trial / file, heard.waves[name], RATE_HZ)
    found = list(dict.fromkeys([*found, _loudness_remark(gains)]))
    pages.write(made / LISTENERS, test, told, planned, title)
    write_key(made, {**told, "notes": [remark.fact for remark in found], "gains_db": gains})
    return found


def _heard(one: Planned, anchors: Mapping[str, float]) -> Stimuli:
    """Return the stimuli that a trial's files hold."""
    needed = set(one.files.values())
    decoded = {name: source for name, source in one.clip.decoded.items() if name in needed}
    cutoffs = {name: hz for name, hz in anchors.items() if name in needed}
    return stimuli(replace(one.clip, decoded=decoded), cutoffs, REFERENCE)


def _anchors(anchors_hz: Sequence[float]) -> dict[str, float]:
    if len(anchors_hz) != 2 or not 100 <= anchors_hz[0] < anchors_hz[1] <= RATE_HZ / 2:
        raise InvalidInput(
            f"{', '.join(f'{hz:g}' for hz in anchors_hz)} are no anchors; give two cut-offs in Hz, the lower "
            "first, such as 3500,7000"
        )
    return {anchor_name(hz): float(hz) for hz in anchors_hz}


def _cut_remarks(clips: Sequence[Clip]) -> list[Remark]:
    cut = sum(clip.is_cut for clip in {clip.utterance: clip for clip in clips}.values())
    return (
        [Remark(f"{cut} clips end in a pause: their utterances are over {LONGEST_S:g} s long")] if cut else []
    )


def _broken_remarks(broken: Sequence[str], utterance: str, told: Mapping[str, Any]) -> list[Remark]:
    labels = [told[name]["label"] for name in broken if name in told]
    return [
        Remark(
            f"{label} is over {MOST_GAIN_DB:g} LU softer or louder than the reference in {utterance}, left so"
        )
        for label in labels
    ]


def _anchor_remarks(anchors: Mapping[str, float], bandwidth_hz: float) -> list[Remark]:
    return [
        Remark(
            f"the audio ends at {bandwidth_hz / 1e3:g} kHz, so the anchor at {hz / 1e3:g} kHz is hardly one",
            "--anchors 2000,3500 fits this bandwidth better",
        )
        for hz in anchors.values()
        if hz > LITTLE_LOSS * bandwidth_hz
    ]


def _size_remarks(kind: Kind, trials: int, told: Mapping[str, Any]) -> list[Remark]:
    count = len(told["trials"])
    if kind == "mushra" and count < trials:
        asked = f"{trials} were asked for"
        return [Remark(f"{count} utterances of two seconds have kept audio of all conditions", asked)]
    if kind == "abx" and trials < FEWEST_ABX_TRIALS:
        return [
            Remark(f"{trials} trials a condition are few", f"--trials {FEWEST_ABX_TRIALS} or more tell more")
        ]
    return []


def _loudness_remark(gains: Mapping[str, Mapping[str, float]]) -> Remark:
    largest = max((abs(gain) for trial in gains.values() for gain in trial.values()), default=0.0)
    return Remark(
        f"loudness was aligned to each reference (ITU-R BS.1770) by gains of at most {largest:.1f} dB"
    )


def _exported(to: Path, told: Mapping[str, Any], remarks: Sequence[Remark]) -> Exported:
    test, kind = id_of(told), told["kind"]
    configuration = to / LISTENERS / pages.configuration(test) if kind == "mushra" else None
    return Exported(test, to / LISTENERS / pages.page(kind), configuration, to / KEY, tuple(remarks))
