"""Template context of the page: the run in words and numbers, ready to print."""

from __future__ import annotations

import collections
import shlex
from dataclasses import dataclass
from typing import Any

import pandas as pd

from codecbench.listen.answers import Answered
from codecbench.report import glossary, methods
from codecbench.report.agreement_figure import CAUTION
from codecbench.report.heard import heard
from codecbench.report.judged import TITLE, judged
from codecbench.report.selection import scores_of, tokens_of
from codecbench.report.table import PaperTable, fixed
from codecbench.report.table_formats import has_limits, ranks_told
from codecbench.store.store import Run

CAPTIONS = {
    "rate-quality": "Quality over the bitrate",
    "distribution": "Spread over utterances: 5 to 95 %, the middle half, and the median.",
    "speed-quality": "Quality over the real-time factor of encoding plus decoding.",
    "codebook-use": "Codewords each stream uses at all, and effectively (two to the entropy).",
    "agreement": f"Rank correlation of the metrics over codecs and over utterances. {CAUTION}",
    "spectrograms": "One utterance through each codec: spectrogram and mel spectrogram.",
}
"""The figures that the page shows, with what they show."""


@dataclass(frozen=True)
class Findings:
    """Everything computed from a run before anything is drawn or written."""

    title: str
    summary: pd.DataFrame
    table: PaperTable
    by: PaperTable | None
    pairs: pd.DataFrame
    deltas: pd.DataFrame
    lags: pd.DataFrame
    failures: pd.DataFrame
    published: pd.DataFrame
    heard: tuple[Answered, ...]
    judged: pd.DataFrame

    @property
    def terms(self) -> list[tuple[str, str]]:
        """What the columns of the tables mean."""
        return glossary.terms(scores_of(self.table), tokens_of(self.table))

    def caption(self, figure: str) -> str:
        """Return what a figure shows; of the curves also what is drawn besides the points."""
        if figure != "rate-quality":
            return CAPTIONS[figure]
        besides = {
            ", with 95 % intervals": has_limits(self.table),
            "; ringed points stand at a declared rate": self.declared,
            "; hollow points are published figures": len(self.published) > 0,
        }
        return CAPTIONS[figure] + "".join(text for text, drawn in besides.items() if drawn) + "."

    @property
    def declared(self) -> bool:
        """Whether the rate of any point is what a user says of files decoded elsewhere."""
        return bool(self.summary["declared_kbps"].notna().any())


def lead(run: Run) -> str:
    """Return what was compared, in one sentence."""
    codecs, utterances = run.manifest["codecs"], run.manifest["utterances"]
    points = sum(len(codec["points"]) for codec in codecs.values())
    minutes = sum(item["seconds"] or 0 for item in utterances) / 60
    return (
        f"{len(codecs)} codecs at {points} operating points, {len(utterances)} utterances "
        f"({minutes:.1f} minutes) by {_speakers(run)} speakers."
    )


def _speakers(run: Run) -> int:
    return len({item["speaker"] for item in run.manifest["utterances"]})


def page_context(run: Run, findings: Findings) -> dict[str, Any]:
    """Return the template's variables, except those that depend on written files."""
    manifest = run.manifest
    utterances = manifest["utterances"]
    return {
        "title": findings.title,
        "dataset": manifest["dataset"],
        "codecs": manifest["codecs"],
        "lead": lead(run),
        "utterances": utterances,
        "speakers": _speakers(run),
        "declared": findings.declared,
        "terms": findings.terms,
        "with_audio": any(item["audio"] for item in utterances),
        "finished": manifest.get("finished") or "not finished",
        "published": len(findings.published),
        "table": scores_of(findings.table),
        "ranks": ranks_told(findings.table),
        "tokens": tokens_of(findings.table),
        "by": findings.by,
        "fixed": fixed,
        "metric_labels": {name: metric["label"] for name, metric in manifest["metrics"].items()},
        "lags": findings.lags.to_dict("records"),
        "failures": findings.failures.to_dict("records"),
        "reasons": collections.Counter(findings.failures["reason"]).most_common(6),
        "left_out": manifest["left_out"],
        "heard": heard(findings.heard),
        "judged": judged(run, findings.judged, heard=bool(findings.heard)),
        "judged_title": TITLE,
        "methods": methods.paragraphs(run),
        "bibtex": methods.bibtex(run),
        "command": shlex.join(str(word) for word in manifest["command"]),
        "machine": manifest["machine"],
        "versions": manifest["versions"],
        "git": manifest["git"] or {},
    }
