"""Export of listening tests: choose trials, write stimuli, configuration or page, and the key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import signal

from codecbench import audio
from codecbench.analysis import runs
from codecbench.codec import Wave
from codecbench.errors import InvalidInput, StorageError
from codecbench.files import write_atomically
from codecbench.html import embed
from codecbench.store.store import Run

Kind = Literal["mushra", "abx"]
ANCHORS_HZ = {"anchor35": 3500.0, "anchor70": 7000.0}
REFERENCE = "reference"
KEY = "key.json"
RATE_HZ = 48_000
MOST_CONDITIONS = 9
"""BS.1534-3 asks for at most twelve signals in a trial: nine codecs, the hidden reference and two anchors."""


@dataclass(frozen=True)
class Trial:
    """One utterance with the clips that are judged on it."""

    utterance: str
    speaker: str
    reference: Path
    clips: Mapping[str, Path]


def export(
    run: Path,
    to: Path,
    kind: Kind = "mushra",
    *,
    seed: int = 0,
    points: Sequence[str] = (),
    trials: int = 12,
    title: str = "Speech quality",
) -> Path:
    """Write a listening test made from a run's kept audio and return its configuration or page.

    Parameters
    ----------
    run : Path
        The run's folder; it must hold audio (``--audio``).
    to : Path
        A new or empty folder.
    kind : "mushra" or "abx"
        MUSHRA rates all points of an utterance against the reference; ABX asks of each point whether it can
        be told from the reference.
    seed : int
        Of the choice and order of trials and of X.
    points : sequence of str
        ``codec@point`` of the conditions; by default one of each codec, at rates near to each other.
    trials : int
        Number of utterances for MUSHRA, of single judgements for ABX.
    title : str
        What listeners see.

    Raises
    ------
    InvalidInput
        If the run kept no audio of the points, too many are asked for, or the folder is not empty.
    StorageError
        If the folder cannot be written.
    """
    if kind not in ("mushra", "abx"):
        raise InvalidInput(f"unknown kind of listening test {kind!r}; known: mushra, abx")
    to = Path(to)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InvalidInput(f"{to}: not an empty folder; choose a new one for the listening test")
    loaded = runs.load_runs([Path(run)])
    chosen = _conditions(loaded, points)
    found = list(_trials(loaded, chosen))
    if not found:
        raise InvalidInput(f"{run}: no utterance has audio of {', '.join(chosen)}; run with --audio all")
    generator = np.random.default_rng(seed)
    order = [found[place] for place in generator.permutation(len(found))]
    try:
        if kind == "mushra":
            return _export_mushra(order[:trials], chosen, to, title, seed)
        return _export_abx(order, chosen, to, title, trials, seed)
    except OSError as error:
        raise StorageError(
            f"cannot write {to}: {error.strerror}; free space or choose another folder"
        ) from None


def low_pass(wave: Wave, rate_hz: int, cutoff_hz: float) -> Wave:
    """Return the wave without what lies above a cut-off, as BS.1534's anchors ask; no delay."""
    sections = signal.ellip(10, 0.1, 60, min(cutoff_hz, 0.49 * rate_hz), fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, wave, padlen=min(300, wave.size - 1)), dtype=np.float32)


def _conditions(run: Run, points: Sequence[str]) -> list[str]:
    known = [runs.point_label(*pair) for pair in runs.points(run) if not runs.is_ground_truth(run, pair[0])]
    for name in points:
        if name not in known:
            raise InvalidInput(f"the run has no point {name!r}; it has: {', '.join(known)}")
    near = runs.one_per_codec(run, run.records[run.records["audio"].notna()])
    chosen = list(dict.fromkeys(points)) or [*map(runs.point_label, near["codec"], near["point"])]
    if not chosen:
        raise InvalidInput(f"{run.out}: no audio was kept; run with --audio all")
    if len(chosen) > MOST_CONDITIONS:
        raise InvalidInput(f"{len(chosen)} points are too many for listeners; name at most {MOST_CONDITIONS}")
    return chosen


def _trials(run: Run, chosen: Sequence[str]) -> Iterator[Trial]:
    """Yield the utterances of which the reference and every chosen point were kept."""
    kept: dict[str, dict[str, Path]] = {}
    records = run.records[run.records["audio"].notna()]
    for utterance, codec, point, path in zip(
        records["utterance"], records["codec"], records["point"], records["audio"], strict=True
    ):
        kept.setdefault(utterance, {})[runs.point_label(codec, point)] = Path(path)
    for item in run.manifest["utterances"]:
        clips = kept.get(item["id"], {})
        if item["audio"] and all(name in clips for name in chosen):
            yield Trial(item["id"], str(item["speaker"]), Path(item["audio"]), {n: clips[n] for n in chosen})


def _wave(path: Path) -> Wave:
    wave, rate_hz = audio.load(path)
    return audio.resample(wave, rate_hz, RATE_HZ)


def _export_mushra(trials: Sequence[Trial], chosen: Sequence[str], to: Path, title: str, seed: int) -> Path:
    """Write stimuli and configuration; conditions are c1, c2, ... so that no page gives a codec away."""
    names = {f"c{number}": label for number, label in enumerate(chosen, start=1)}
    pages: list[dict[str, Any]] = []
    told = []
    for number, trial in enumerate(trials, start=1):
        name = f"trial{number:02d}"
        folder = to / "stimuli" / name
        reference = _wave(trial.reference)
        audio.save(folder / f"{REFERENCE}.wav", reference, RATE_HZ)
        for anchor, cutoff_hz in ANCHORS_HZ.items():
            audio.save(folder / f"{anchor}.wav", low_pass(reference, RATE_HZ, cutoff_hz), RATE_HZ)
        for condition, label in names.items():
            audio.save(
                folder / f"{condition}.wav", audio.fit(_wave(trial.clips[label]), reference.size), RATE_HZ
            )
        pages.append({
            "type": "mushra", "id": name, "name": f"Utterance {number}",
            "content": "Rate each version against the reference.", "showWaveform": False,
            "enableLooping": True,
            "reference": f"stimuli/{name}/{REFERENCE}.wav", "createAnchor35": False, "createAnchor70": False,
            "stimuli": {c: f"stimuli/{name}/{c}.wav" for c in (*names, *ANCHORS_HZ)},
        })  # fmt: skip
        told.append({"trial": name, "utterance": trial.utterance, "speaker": trial.speaker})
    config = _mushra_config(pages, title, seed)
    path = to / "configs" / "codecbench.yaml"
    # JSON is YAML too, and needs no writer that could quote a name wrongly.
    write_atomically(path, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    _write_key(to, {"kind": "mushra", "seed": seed, "conditions": names, "trials": told})
    return path


def _mushra_config(pages: Sequence[Mapping[str, Any]], title: str, seed: int) -> dict[str, Any]:
    welcome = (
        "Please use headphones. You will rate versions of short utterances from 0 (bad) to 100 (excellent)."
    )
    finish = {
        "type": "finish", "name": "Thank you", "content": "Your answers are sent when you press the button.",
        "showResults": False, "writeResults": True,
        "questionnaire": [{"type": "text", "label": "Name or number", "name": "listener"}],
    }  # fmt: skip
    return {
        "testname": title, "testId": f"codecbench_{seed}", "bufferSize": 2048, "stopOnErrors": True,
        "showButtonPreviousPage": False, "remoteService": "service/write.php",
        "pages": [
            {"type": "generic", "id": "welcome", "name": title, "content": welcome},
            {"type": "volume", "id": "volume", "name": "Volume", "content": "Set a comfortable volume.",
             "stimulus": pages[0]["reference"], "defaultVolume": 0.5},
            ["random", *pages],
            finish,
        ],
    }  # fmt: skip


def _export_abx(  # noqa: PLR0917 (a private step of export)
    trials: Sequence[Trial], chosen: Sequence[str], to: Path, title: str, count: int, seed: int
) -> Path:
    """Write the page and its clips; X is a copy under a name of its own, so that nothing gives it away."""
    generator = np.random.default_rng([seed, 1])
    told, shown = [], []
    for number in range(count):
        trial, label = trials[number // len(chosen) % len(trials)], chosen[number % len(chosen)]
        folder = to / "stimuli" / f"{number + 1:03d}"
        reference = _wave(trial.reference)
        coded = audio.fit(_wave(trial.clips[label]), reference.size)
        a_is_reference, x_is_a = (bool(bit) for bit in generator.integers(0, 2, 2))
        first, second = (reference, coded) if a_is_reference else (coded, reference)
        for name, wave in (("a", first), ("b", second), ("x", first if x_is_a else second)):
            audio.save(folder / f"{name}.flac", wave, RATE_HZ)
        told.append({
            "trial": f"{number + 1:03d}", "condition": label, "utterance": trial.utterance,
            "speaker": trial.speaker, "x": "a" if x_is_a else "b",
        })  # fmt: skip
        shown.append(f"{number + 1:03d}")
    shown = [shown[place] for place in generator.permutation(len(shown))]
    template = (files("codecbench.listen") / "abx.html").read_text(encoding="utf-8")
    page = template.replace("{{ title }}", escape(title)).replace("{{ trials }}", str(embed(shown)))
    write_atomically(to / "index.html", page)
    _write_key(to, {"kind": "abx", "seed": seed, "trials": told})
    return to / "index.html"


def _write_key(to: Path, told: Mapping[str, Any]) -> None:
    write_atomically(to / KEY, json.dumps({"format": 1, **told}, indent=1, ensure_ascii=False) + "\n")
