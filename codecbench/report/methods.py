"""The methods section of a paper, written from the run's signatures, and its bibliography."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from codecbench.analysis.bootstrap import FEWEST_CLUSTERS
from codecbench.analysis.paired import flips_for, smallest_p
from codecbench.analysis.runs import is_declared, is_ground_truth, points
from codecbench.report.latex_text import escape
from codecbench.store.store import Run

_BD = (
    "BD-rate and BD-quality (Bjontegaard, 2001) use monotone piecewise cubic "
    "interpolation over the logarithm of the measured rate and are not given where curves have less than a "
    "quarter of the shorter in common, are not monotone, or have under three points; intervals need six "
    "speakers. The rate is averaged over the scores that both curves reach, the quality over the rates that "
    "both have (the ranges are in tables/bd.csv); means over single utterances are given where half of these "
    "have a delta."
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
        " ".join(filter(None, [_coded(run), _declared(run), _codecs(run)])),
        _ALIGNED[manifest.get("align", "codec")] + _metrics(manifest["metrics"]),
        f"{_means(run)} {_tests(run)} {_BD}".strip(),
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


def _coded(run: Run) -> str:
    """Return how speech was coded, where the run coded any itself."""
    if all(is_declared(run, label) for label in run.manifest["codecs"]):
        return ""
    which = "Each utterance" if not _from_files(run) else "Where nothing else is said, each utterance"
    return (
        f"{which} was resampled to the codec's rate (soxr, HQ), encoded to bytes, and decoded from those "
        "bytes; the bitrate is that of the coded payload without container."
    )


def _declared(run: Run) -> str:
    """Return what was decoded elsewhere and which rates are declared."""
    told = []
    for label in _from_files(run):
        rates = [p["nominal_kbps"] for p in run.manifest["codecs"][label]["points"] if p["nominal_kbps"]]
        declared = (
            f"declared as {_listed([f'{rate:g}' for rate in rates])} kbit/s" if rates else "not declared"
        )
        told.append(f"{label} (rate {declared})")
    if not told:
        return ""
    return (
        f"Decoded elsewhere and scored from files: {'; '.join(told)}. Their rates were not measured and take "
        "no part in BD-rates."
    )


def _from_files(run: Run) -> list[str]:
    return [label for label in run.manifest["codecs"] if is_declared(run, label)]


def _means(run: Run) -> str:
    """Return how means and intervals were made of these utterances and speakers."""
    listed = run.manifest["utterances"]
    speakers = len({item["speaker"] for item in listed})
    if speakers < FEWEST_CLUSTERS:
        return (
            f"Means are taken over utterances; with {speakers} speaker{'s' if speakers != 1 else ''} no "
            f"interval is given (below {FEWEST_CLUSTERS} it would not hold)."
        )
    drawn = "speakers" if len(listed) > speakers else "utterances, of which each speaker has one"
    return (
        "Means are taken over utterances; 95 % confidence intervals are studentised bootstrap intervals that "
        f"resample {drawn} (Davison and Hinkley, 1997). They may be skewed: low and high limits are given."
    )


def _tests(run: Run) -> str:
    """Return how codecs were compared: the family of the correction, and the least p-value it leaves."""
    speakers = len({item["speaker"] for item in run.manifest["utterances"]})
    count = sum(not is_ground_truth(run, codec) for codec, _ in points(run))
    pairs = count * (count - 1) // 2
    if not pairs:
        return ""
    least = min(1.0, pairs * smallest_p(speakers, flips_for(pairs)))
    return (
        "Two codecs are compared on the utterances that both decoded, by a sign-flip permutation test over "
        "speakers (Winkler et al., 2014) with Holm's correction (1979). The family in tables/pairs.csv is "
        f"all pairs on one metric ({pairs}), on the page the pairs shown; with {speakers} "
        f"speakers no corrected p-value of that family can fall below {least:.2g}. "
        "A difference that is not significant is no proof that two codecs are equal: its interval says how "
        "large it may be."
    )


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
