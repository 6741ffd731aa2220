"""A few clips for a page that is kept: the shortest utterances at chosen points, as Opus."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codecbench import audio
from codecbench.analysis.runs import point_label
from codecbench.errors import InvalidInput, Unavailable
from codecbench.store.store import Run

RATE_HZ = 48_000


@dataclass(frozen=True)
class Clips:
    """What a page with few clips keeps.

    Parameters
    ----------
    count : int
        Utterances, the shortest ones whose speech was kept.
    points : sequence of str
        Codecs and points, as ``spc@7.5``; all by default.
    """

    count: int
    points: Sequence[str] = ()

    @property
    def told(self) -> str:
        """What the page says of its players."""
        return (
            f"Players for the {self.count} shortest utterances alone, as Opus at about 30 kbit/s to keep the "
            "page small: all scores are of the decoded speech itself."
        )

    def of(self, run: Run) -> Run:
        """Return the run as if no other speech had been kept.

        Raises
        ------
        InvalidInput
            If no speech was kept, or a point is not in the run.
        """
        records = run.records
        labels = list(map(point_label, records["codec"], records["point"]))
        if missing := [point for point in self.points if point not in labels]:
            known = ", ".join(dict.fromkeys(labels))
            raise InvalidInput(f"--clips: {', '.join(missing)} not in the run; choose from {known}")
        kept = sorted(
            (item["seconds"] or 0.0, item["id"]) for item in run.manifest["utterances"] if item["audio"]
        )
        if not kept:
            raise InvalidInput("--clips: the run kept no speech; run it with --audio, or leave --clips out")
        chosen = {identifier for _, identifier in kept[: self.count]}
        utterances = [
            item if item["id"] in chosen else {**item, "audio": None} for item in run.manifest["utterances"]
        ]
        shown = [
            path if utterance in chosen and (label in self.points or not self.points) else None
            for path, utterance, label in zip(records["audio"], records["utterance"], labels, strict=True)
        ]
        manifest = {**run.manifest, "utterances": utterances}
        return replace(run, manifest=manifest, records=records.assign(audio=np.array(shown, dtype=object)))


def opus(path: Path) -> bytes:
    """Return an audio file coded as Ogg Opus at libsndfile's default, about 30 kbit/s for mono speech.

    Raises
    ------
    Unavailable
        If the installed libsndfile cannot write Opus.
    """
    import soundfile

    if "OPUS" not in soundfile.available_subtypes("OGG"):
        raise Unavailable(
            "--clips: the installed libsndfile writes no Opus",
            "install a newer soundfile (pip install -U soundfile)",
        )
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.load_at(path, RATE_HZ), RATE_HZ, format="OGG", subtype="OPUS")
    return buffer.getvalue()
