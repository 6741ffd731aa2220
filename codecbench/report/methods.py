"""The methods section of a paper, written from the run's signatures, and its bibliography."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from codecbench.analysis.runs import is_ground_truth
from codecbench.report.latex_text import escape
from codecbench.store.store import Run

_STATISTICS = (
    "Means are taken over utterances; 95 % confidence intervals are studentised bootstrap intervals that "
    "resample speakers (Davison and Hinkley, 1997). Two codecs are compared on the utterances that both "
    "decoded, by a sign-flip permutation test over speakers (Winkler et al., 2014) with Holm's correction "
    "(1979) over the pairs shown. BD-rate and BD-quality (Bjontegaard, 2001) use monotone piecewise cubic "
    "interpolation over the logarithm of the measured rate and are not given where curves have less than a "
    "quarter of the shorter in common, are not monotone, or have under three points; intervals need six "
    "speakers."
)
_ALIGNED = {
    "codec": "The lag of each codec at each operating point, the median over the utterances, was undone "
    "before scoring. ",
    "file": "The lag of each decoded utterance was measured and undone before scoring. ",
    "none": "Utterances were scored as they were decoded, without undoing a lag. ",
}


def paragraphs(run: Run) -> list[str]:
    """Return the methods section as paragraphs of plain text."""
    manifest = run.manifest
    data = manifest["dataset"]
    speakers = len({item["speaker"] for item in manifest["utterances"]})
    minutes = sum(item["seconds"] or 0 for item in manifest["utterances"]) / 60
    kind = "synthetic speech" if data["synthetic"] else "speech"
    sample = f", a speaker-balanced sample with seed {data['seed']}" if data.get("limit") else ""
    return [
        f"Codecs were compared with codecbench {manifest['codecbench']} on {len(manifest['utterances'])} "
        f"utterances ({minutes:.1f} minutes) of {kind} by {speakers} speakers from {data['name']} "
        f"(licence: {data['licence'] or 'not stated'}; content hash {data['revision'][:12]}{sample}).",
        "Each utterance was resampled to the codec's rate (soxr, HQ), encoded to bytes, and decoded from "
        "those bytes; the bitrate is that of the coded payload without container. " + _codecs(run),
        _ALIGNED[manifest.get("align", "codec")] + _metrics(manifest["metrics"]),
        _STATISTICS,
    ]


def bibtex(run: Run) -> str:
    """Return BibTeX entries of the metrics, the codecs and the statistics of a run."""
    entries = [
        metric["bibtex"].strip() for metric in run.manifest["metrics"].values() if metric.get("bibtex")
    ]
    for label, codec in run.manifest["codecs"].items():
        if not is_ground_truth(run, label) and codec["info"].get("citation"):
            entries.append(_entry(label, codec["info"]))
    # Metrics of one family share an entry.
    return "\n\n".join(dict.fromkeys([*entries, *_statistics_references()]))


def _statistics_references() -> list[str]:
    """Return the entries of the statistics' bibliography."""
    text = (files("codecbench.report") / "page_assets" / "references.bib").read_text(encoding="utf-8")
    return text[text.index("@") :].strip().split("\n\n")


def _codecs(run: Run) -> str:
    told = [
        f"{label} ({codec['signature']}) at {_listed([point['name'] for point in codec['points']])}"
        for label, codec in run.manifest["codecs"].items()
        if not is_ground_truth(run, label)
    ]
    return f"Codecs, with their signatures and operating points: {'; '.join(told)}." if told else ""


def _metrics(metrics: Mapping[str, Any]) -> str:
    told = [f"{metric['label']} ({metric['citation']}; {metric['signature']})" for metric in metrics.values()]
    return f"Metrics: {'; '.join(told)}." if told else ""


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _entry(label: str, info: Mapping[str, Any]) -> str:
    """Return an entry for a codec; authors and title are parted where the citation has the usual form."""
    citation = str(info["citation"])
    key = "codec-" + (re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "x")
    fields = {"title": citation}
    parted = re.match(r"(?P<author>[^\d,][^\d]*?),? (?P<year>(19|20)\d\d), (?P<title>[^,]+)", citation)
    if parted:
        fields = {"author": parted["author"].rstrip(" ,"), "title": parted["title"], "year": parted["year"]}
    preprint = re.search(r"arXiv:(\d{4}\.\d{4,5})", citation)
    if preprint:
        fields |= {"eprint": preprint[1], "archivePrefix": "arXiv"}
    if info.get("url"):
        fields["url"] = str(info["url"])
    body = "".join(f",\n  {name}={{{_plain(value, name)}}}" for name, value in fields.items())
    return f"@misc{{{key}{body}\n}}"


def _plain(value: str, name: str) -> str:
    flat = re.sub(r"\s+", " ", value)
    if name == "url":
        return re.sub(r"[{}\\\s]|[^ -~]", "", flat)
    return escape(re.sub(r"[{}\\^]", "", flat).replace("~", " "))
