"""Speaker identities, from how corpora name their files; see `speakers_of`.

Intervals are clustered by speaker, so a speaker that is not recognised makes them too narrow.  A scheme is
used where it fits nearly all files of a set; one that fits a few by chance is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_SHARE = 0.9
"""Share of a set's files that a scheme must fit."""


@dataclass(frozen=True)
class Scheme:
    """A way to name files: what it is called, and the speaker in a path without suffix, or None."""

    label: str
    speaker: Callable[[str], str | None]


def _by_stem(label: str, pattern: str) -> Scheme:
    whole = rf"(?:^|.*/){pattern}"

    def speaker(name: str) -> str | None:
        match = re.fullmatch(whole, name, re.IGNORECASE)
        return match[1] if match else None

    return Scheme(label, speaker)


SCHEMES = (
    _by_stem("names SPEAKER-CHAPTER-NUMBER (LibriSpeech)", r"(\d+)[-_]\d+[-_]\d+(?:[-_]\d+)?"),
    _by_stem("folders like FCJF0 (TIMIT)", r"([FM][A-Z]{2,3}\d)/(?:SA|SI|SX)\d+(?:\.WAV)?"),
    _by_stem("names like FCJF0_SA1 (TIMIT)", r"(?:[^/]*[-_.])?([FM][A-Z]{2,3}\d)[-_.](?:SA|SI|SX)\d+"),
    _by_stem("names pNNN_ (VCTK, EARS)", r"([ps]\d{3})[-_][^/]*"),
    _by_stem("folders pNNN (VCTK, EARS)", r"([ps]\d{3})/[^/]*"),
    _by_stem("folders idNNNNN (VoxCeleb)", r"(id\d{5})/(?:.*/)?[^/]*"),
    _by_stem("names EMOTION-SPEAKER-SENTENCE (EMOVO)", r"[a-z]{3}-([fm]\d)-[a-z]+\d+"),
    _by_stem("the last number of seven (RAVDESS)", r"\d\d(?:-\d\d){5}-(\d\d)"),
    _by_stem("names SPEAKER_SENTENCE_EMOTION_LEVEL (CREMA-D)", r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}"),
    _by_stem("names SPEAKER, text, emotion (Emo-DB)", r"(\d\d)[ab]\d\d[A-Z][a-z]?"),
    _by_stem("names SPEAKER_NUMBER (ESD)", r"(\d{4})_\d{6}"),
    _by_stem("names SPEAKER_EMOTION (SAVEE)", r"(DC|JE|JK|KL)_[a-z]{1,2}\d\d"),
    _by_stem("names SPEAKER_WORD_EMOTION (TESS)", r"(OAF|YAF)_[^/]*"),
    _by_stem("folders cmu_us_SPEAKER_arctic (CMU ARCTIC)", r"cmu_us_([a-z]+)(?:_arctic)?/(?:.*/)?[^/]*"),
    _by_stem("names with spkN or speakerN", r"(?:[^/]*[-_])?((?:spk|speaker|spkr)[-_]?\d+)(?:[-_][^/]*)?"),
    _by_stem("names with fN or mN", r"(?:[^/]*[-_])?([fm]\d{1,3})[-_][^/]*"),
)


def speakers_of(names: Sequence[str], folder: str) -> tuple[list[str], str]:
    """Return the speaker of each file and how they were told.

    Parameters
    ----------
    names : sequence of str
        Paths below the set's folder without suffix, with ``/``.
    folder : str
        The folder's own name, for files that lie in it directly.
    """
    fallback, how = _by_folder(names, folder)
    for scheme in SCHEMES:
        told = [scheme.speaker(f"{folder}/{name}") for name in names]
        if sum(speaker is not None for speaker in told) >= _SHARE * len(told) > 0:
            return [own or other for own, other in zip(told, fallback, strict=True)], scheme.label
    return fallback, how


def _by_folder(names: Sequence[str], folder: str) -> tuple[list[str], str]:
    """Take each file's own folder; where those are called alike (a/wav, b/wav), the first that differs."""
    parents = [name.split("/")[:-1] for name in names]
    own = [parts[-1] if parts else folder for parts in parents]
    distinct = {tuple(parts) for parts in parents}
    if len(distinct) > len(set(own)):
        shared = min(len(parts) for parts in parents)
        for level in range(shared):
            if len({parts[level] for parts in parents}) > 1:
                return [parts[level] for parts in parents], "one folder each"
    return own, "one folder each" if len(set(own)) > 1 else "the folder"
