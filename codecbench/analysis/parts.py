"""Subgroups of a run: chosen codecs, points and metrics; the utterances of each language, gender, ..."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from codecbench.analysis.runs import point_label
from codecbench.errors import InvalidInput
from codecbench.registry import unknown
from codecbench.store.store import Run

NOT_TOLD = "not told"
"""The part of the utterances that have no value in a column."""


def choose(
    run: Run, *, codecs: Sequence[str] = (), points: Sequence[str] = (), metrics: Sequence[str] = ()
) -> Run:
    """Return a run with these codecs, points and metrics alone, in this order; all where none is given.

    Parameters
    ----------
    run : Run
        The whole run.
    codecs : sequence of str
        Labels of codecs, or a name that stands for all its checkpoints; with all their points.
    points : sequence of str
        ``CODEC@POINT`` each; taken besides those of ``codecs``.
    metrics : sequence of str
        Names of metrics; all by default.

    Raises
    ------
    InvalidInput
        If the run has none of a name; the message suggests the nearest.
    """
    if codecs or points:
        run = _with_points(run, _labels(run, codecs, points))
    return _with_metrics(run, metrics) if metrics else run


def split(run: Run, column: str) -> dict[str, Run]:
    """Return the part of a run for each value of a column of the set's ``manifest.csv``, in sorted order.

    Raises
    ------
    InvalidInput
        If the run's utterances have no such column.
    """
    told = [item.get("about", {}) for item in run.manifest["utterances"]]
    columns = {name for about in told for name in about}
    if column not in columns:
        if not columns:
            raise InvalidInput(
                f"{run.out}: its manifest.json tells nothing of the utterances but the speaker; give the set "
                f"a manifest.csv with a column {column!r} and run the same command again"
            )
        raise InvalidInput(f"{unknown('column', column, columns)}; name columns of the set's manifest.csv")
    ids: dict[str, set[str]] = {}
    for item, about in zip(run.manifest["utterances"], told, strict=True):
        ids.setdefault(about.get(column, ""), set()).add(item["id"])
    return {value or NOT_TOLD: with_utterances(run, ids[value]) for value in sorted(ids)}


def with_utterances(run: Run, ids: Collection[str]) -> Run:
    """Return the part of a run that is about these utterances."""
    chosen = [item for item in run.manifest["utterances"] if item["id"] in ids]
    rows = run.records["utterance"].isin(ids)
    return replace(run, manifest={**run.manifest, "utterances": chosen}, records=run.records[rows])


def family(name: str, labels: Iterable[str]) -> list[str]:
    """Return the labels that a name stands for: itself, or all checkpoints of a codec."""
    return [label for label in labels if label == name or label.startswith(f"{name}:")]


def _labels(run: Run, codecs: Sequence[str], points: Sequence[str]) -> list[tuple[str, str]]:
    """Return codec and point of all that was named, in the order of naming."""
    known = run.manifest["codecs"]
    every = {
        point_label(codec, point["name"]): (codec, point["name"])
        for codec, entry in known.items()
        for point in entry["points"]
    }
    chosen: dict[tuple[str, str], None] = {}
    for name in codecs:
        if not (meant := family(name, known)):
            raise InvalidInput(f"{unknown('codec', name, list(known))}; name codecs of the run")
        chosen |= dict.fromkeys(pair for pair in every.values() if pair[0] in meant)
    for name in points:
        if name not in every:
            raise InvalidInput(
                f"{unknown('point', name, list(every))}; name points of the run as CODEC@POINT"
            )
        chosen[every[name]] = None
    return list(chosen)


def _with_points(run: Run, chosen: Collection[tuple[str, str]]) -> Run:
    codecs = {}
    for codec in dict.fromkeys(codec for codec, _ in chosen):
        entry = run.manifest["codecs"][codec]
        points = [point for point in entry["points"] if (codec, point["name"]) in chosen]
        codecs[codec] = {**entry, "points": points}
    rows = [pair in chosen for pair in zip(run.records["codec"], run.records["point"], strict=True)]
    manifest = {**run.manifest, "codecs": codecs}
    return replace(run, manifest=manifest, records=run.records[rows], ours=run.ours & codecs.keys())


def _with_metrics(run: Run, metrics: Sequence[str]) -> Run:
    known = run.manifest["metrics"]
    for name in metrics:
        if name not in known:
            raise InvalidInput(f"{unknown('metric', name, list(known))}; name metrics of the run")
    return replace(run, manifest={**run.manifest, "metrics": {name: known[name] for name in metrics}})
