"""The registered speech sets: the demo set in the package, and downloads with pinned hashes.

The SHA-256 sums are those that torchaudio pins for the same archives of OpenSLR (SLR12 LibriSpeech, SLR60
LibriTTS) and of Edinburgh DataShare (VCTK 0.92); OpenSLR itself publishes MD5 sums only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench.data.archive import Archive, install
from codecbench.data.folders import folder_dataset
from codecbench.data.sets import Dataset, DatasetSource
from codecbench.errors import Unavailable
from codecbench.files import user_cache

if TYPE_CHECKING:
    from codecbench.transfer import Progress

_OPENSLR_HOSTS = ("www.openslr.org", "openslr.elda.org", "us.openslr.org")
_NOTES = r"(?i:licen[cs]e|readme|speaker)[^/]*$|\.trans\.txt$"


@dataclass(frozen=True)
class Bundled(DatasetSource):
    """A set that comes with the package; ``demo/README.md`` tells its origin."""

    def check(self) -> None:
        """Return quietly: the set is part of the package."""

    def load(self) -> Dataset:
        """Return the set."""
        folder = Path(__file__).with_name(self.name)
        return folder_dataset(folder, name=self.name, licence=self.licence, description=self.description)


@dataclass(frozen=True)
class Download(DatasetSource):
    """A set that is downloaded once, into a folder of its name in `data_folder`.

    Only its audio and the notes of its publishers (licence, readme, speakers, transcripts) are unpacked.

    Parameters
    ----------
    known_hash : str
        The archive's hash, ``"sha256:HEX"``.
    pattern : str
        Regular expression for the audio files that make up the set, by path.
    """

    known_hash: str = ""
    pattern: str = ""

    @property
    def folder(self) -> Path:
        """Return where the set lies once it is downloaded."""
        return data_folder() / self.name

    def check(self) -> None:
        """Return quietly if the set has been downloaded; raise `Unavailable` otherwise."""
        if not self.folder.is_dir():
            raise Unavailable(
                f"not downloaded ({self.size_bytes / 1e6:,.0f} MB)",
                f"codecbench run --data {self.name} downloads it to {data_folder()}",
            )

    def fetch(self, progress: Progress | None = None) -> None:
        """Download and unpack the set, unless it is there."""
        keep = f"{self.pattern}|{_NOTES}"
        install(Archive(self.urls, self.known_hash, self.size_bytes, keep), self.folder, progress)

    def load(self) -> Dataset:
        """Return the set."""
        return folder_dataset(
            self.folder,
            name=self.name,
            licence=self.licence,
            description=self.description,
            pattern=self.pattern,
        )


def data_folder() -> Path:
    """Return where downloaded sets lie: $CODECBENCH_DATA, else the user's cache."""
    if chosen := os.environ.get("CODECBENCH_DATA"):
        return Path(chosen).expanduser()
    return user_cache() / "datasets"


def demo() -> Bundled:
    """Return the demo set's source."""
    return Bundled(
        "demo",
        "16 utterances of LibriSpeech by 16 speakers, read English, 16 kHz, 79 s, in the package",
        "CC-BY-4.0",
    )


def librispeech_test_clean() -> Download:
    """Return the source of LibriSpeech test-clean (Panayotov et al., ICASSP 2015)."""
    return _openslr(
        "librispeech-test-clean",
        "LibriSpeech test-clean: 2620 utterances of read English, 40 speakers, 5.4 h, 16 kHz",
        "12/test-clean.tar.gz",
        346_663_984,
        "sha256:39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    )


def librispeech_test_other() -> Download:
    """Return the source of LibriSpeech test-other (Panayotov et al., ICASSP 2015)."""
    return _openslr(
        "librispeech-test-other",
        "LibriSpeech test-other: 2939 utterances of read English, 33 speakers, 5.1 h, 16 kHz",
        "12/test-other.tar.gz",
        328_757_843,
        "sha256:d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
    )


def librispeech_dev_clean() -> Download:
    """Return the source of LibriSpeech dev-clean (Panayotov et al., ICASSP 2015)."""
    return _openslr(
        "librispeech-dev-clean",
        "LibriSpeech dev-clean: 2703 utterances of read English, 40 speakers, 5.4 h, 16 kHz",
        "12/dev-clean.tar.gz",
        337_926_286,
        "sha256:76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    )


def libritts_test_clean() -> Download:
    """Return the source of LibriTTS test-clean (Zen et al., Interspeech 2019)."""
    return _openslr(
        "libritts-test-clean",
        "LibriTTS test-clean: 4837 utterances of read English, 39 speakers, 8.6 h, 24 kHz",
        "60/test-clean.tar.gz",
        1_230_670_113,
        "sha256:234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5",
    )


def vctk() -> Download:
    """Return the source of VCTK 0.92, first microphone (Yamagishi et al., Edinburgh DataShare 2019)."""
    path = "bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip"
    return Download(
        "vctk",
        "VCTK 0.92: some 400 sentences each of 110 speakers of English accents, 48 kHz, microphone 1",
        "CC-BY-4.0",
        11_747_302_977,
        (f"https://datashare.ed.ac.uk/{path}", f"https://datashare.is.ed.ac.uk/{path}"),
        "sha256:f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
        r"_mic1\.flac$",
    )


def _openslr(name: str, description: str, resource: str, size_bytes: int, known_hash: str) -> Download:
    urls = tuple(f"https://{host}/resources/{resource}" for host in _OPENSLR_HOSTS)
    return Download(name, description, "CC-BY-4.0", size_bytes, urls, known_hash, r"\.(flac|wav)$")
