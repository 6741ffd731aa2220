"""What the page loads only when it is looked at: the utterances with their clips, the scores of each metric.

A small page holds these parts inside; those of a large one lie in files beside it.  They are scripts that
hand over what they hold, because a page opened from a file may load scripts, but no data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from codecbench.analysis import comparisons
from codecbench.analysis.runs import is_ground_truth, point_label, points
from codecbench.html import embed
from codecbench.report import spectra
from codecbench.report.assets import Assets, slug
from codecbench.store.store import Run

MOST_INSIDE = 1_000_000
"""Letters of parts that a page holds inside."""

FOLDER = "data"


def parts(run: Run, assets: Assets) -> dict[str, Markup]:
    """Return the parts of a run's page by name as JSON that is safe in a script.

    ``utterances`` holds id, speaker and seconds of each, the clips of those with audio, and what failed;
    ``scores-N`` those of the Nth metric by point and utterance.
    """
    shown = points(run)
    labels = [point_label(*pair) for pair in shown]
    listed = [
        [item["id"], str(item["speaker"]), round(item["seconds"] or 0, 2)]
        for item in run.manifest["utterances"]
    ]
    made = {
        "utterances": embed(
            {"listed": listed, "audio": _audio(run, shown, assets), "failed": _failed(run, labels)}
        )
    }
    for number, metric in enumerate(run.manifest["metrics"]):
        table = comparisons.wide(run, metric)[0]
        rows = [_json(table[label].to_numpy()) if label in table else "[]" for label in labels]
        made[f"scores-{number}"] = Markup(f"[{','.join(rows)}]")
    return made


def put(made: Mapping[str, Markup], folder: Path, inside: bool) -> dict[str, Markup]:
    """Return the parts that the page is to hold: all where told or where they are small; else write files."""
    if inside or sum(map(len, made.values())) <= MOST_INSIDE:
        return dict(made)
    (folder / FOLDER).mkdir()
    for name, text in made.items():
        (folder / FOLDER / f"{name}.js").write_text(f'deliver("{name}",{text});\n', encoding="utf-8")
    return {}


def _json(values: ArrayLike) -> str:
    """Return numbers with five significant digits as a JSON list; null stands for a missing one."""
    numbers = np.asarray(values, dtype=np.float64)
    text = ",".join(["%.5g"] * numbers.size) % tuple(np.where(np.isfinite(numbers), numbers, np.nan).tolist())
    return f"[{text.replace('nan', 'null')}]"


def _audio(run: Run, shown: list[tuple[str, str]], assets: Assets) -> dict[int, dict[str, Any]]:
    """Return for each utterance with kept audio the sources of its clips and of their spectrograms."""
    numbers = {pair: number for number, pair in enumerate(shown)}
    kept: dict[int, dict[str, Any]] = {}
    tops: dict[int, float] = {}
    for place, item in enumerate(run.manifest["utterances"]):
        if item["audio"]:
            wave = spectra.load(item["audio"])
            tops[place] = float(spectra.linear_db(wave).max())
            kept[place] = {
                "ref": _clip(Path(item["audio"]), f"{place:04d}/reference", tops[place], assets),
                "at": {},
            }
    for place, codec, point, audio in _kept(run):
        if place in kept and (codec, point) in numbers and not is_ground_truth(run, codec):
            name = f"{place:04d}/{numbers[codec, point]:02d}-{slug(point_label(codec, point))}"
            kept[place]["at"][numbers[codec, point]] = _clip(Path(audio), name, tops[place], assets)
    return kept


def _kept(run: Run) -> Iterator[tuple[int, str, str, str]]:
    """Yield the utterance's place, codec, point and file of each clip that was kept."""
    there = run.records["audio"].notna().to_numpy()
    places, columns = run.utterance_places[there], run.records[there]
    yield from zip(places.tolist(), columns["codec"], columns["point"], columns["audio"], strict=True)


def _failed(run: Run, labels: list[str]) -> list[str]:
    """Return "point utterance", as indices, of every cell without decoded speech."""
    numbers = {label: number for number, label in enumerate(labels)}
    failed = (run.records["status"] == "failed").to_numpy() & (run.utterance_places >= 0)
    lost = run.records[failed]
    cells = zip(map(point_label, lost["codec"], lost["point"]), run.utterance_places[failed], strict=True)
    return [f"{numbers[label]} {place}" for label, place in cells if label in numbers]


def _clip(path: Path, name: str, top_db: float, assets: Assets) -> list[str]:
    picture = spectra.picture(spectra.load(path), top_db)
    return [
        assets.clip(path, f"audio/{name}"),
        assets.write(picture, f"spectrograms/{name}.webp"),
    ]
