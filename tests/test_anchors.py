"""The identity, and audio decoded elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from codecbench import registry
from codecbench.anchors import Folder, Pcm
from codecbench.codec import Coded
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.int16, st.integers(0, 300)))
def test_pcm_returns_16_bit_samples_exactly(samples: np.ndarray) -> None:
    codec, wave = Pcm(), samples.astype(np.float32) / np.float32(32768)
    coded = codec.encode(wave, codec.point("256"))
    assert len(coded.payload) == 2 * wave.size
    np.testing.assert_array_equal(codec.decode(coded, codec.point("256")), wave)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.float32, 50, elements=st.floats(-1, 1, width=32)))
def test_pcm_errs_by_at_most_one_step(wave: np.ndarray) -> None:
    codec = Pcm()
    decoded = codec.decode(codec.encode(wave, codec.points[0]), codec.points[0])
    assert np.abs(decoded - wave).max() <= 1 / 32768  # full scale itself has no code


def test_pcm_refuses_another_length() -> None:
    with pytest.raises(InvalidPayload, match="3 bytes where 2 samples"):
        Pcm().decode(Coded(b"abc", 2), Pcm().points[0])


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    folder = tmp_path / "decoded"
    for name in ("a.wav", "b.flac", "s1/c.wav", "s2/c.wav", "s2/d.x.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.full(160, 0.1), 16_000)
    (folder / "notes.txt").write_text("not audio")
    return folder


@pytest.mark.parametrize(
    ("utterance", "file"),
    [("a", "a.wav"), ("b", "b.flac"), ("s1/c", "s1/c.wav"), ("other/b", "b.flac"), ("s2/d.x", "s2/d.x.wav")],
)
def test_files_match_by_path_or_stem(decoded: Path, utterance: str, file: str) -> None:
    assert Folder(str(decoded)).file(utterance) == decoded / file


def test_a_missing_or_ambiguous_file_is_said_in_one_line(decoded: Path) -> None:
    folder = Folder(str(decoded))
    with pytest.raises(InvalidInput, match=r"has no file for e; name it e\.wav"):
        folder.file("e")
    with pytest.raises(InvalidInput, match=r"has 2 files for c \(s1/c.wav, s2/c.wav\); keep one"):
        folder.file("c")


def test_a_rate_is_declared_by_the_point(decoded: Path) -> None:
    folder = registry.codec(f"folder:{decoded}")
    assert folder.point("6.5").nominal_kbps == 6.5
    assert math.isnan(folder.point("undeclared").nominal_kbps)
    for wrong in ("0", "-1", "nan", "inf"):
        with pytest.raises(InvalidInput, match="is not a rate"):
            folder.point(wrong)
    with pytest.raises(InvalidInput, match="has no operating point"):
        folder.point("fast")


@pytest.mark.parametrize(
    ("argument", "reason"),
    [("", "no folder is given"), ("nowhere", "is not a folder"), (".", "no audio files")],
)
def test_check_says_what_is_wrong(
    argument: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable, match=reason) as caught:
        Folder(argument).check()
    assert caught.value.remedy


def test_the_signature_follows_the_files(decoded: Path) -> None:
    before = Folder(str(decoded)).signature()
    assert Folder(str(decoded)).signature() == before
    soundfile.write(decoded / "a.wav", np.full(160, 0.2), 16_000)
    assert Folder(str(decoded)).signature() != before


def test_decoded_files_neither_code_nor_decode(decoded: Path) -> None:
    folder = Folder(str(decoded))
    folder.check()
    with pytest.raises(InvalidInput, match="cannot encode"):
        folder.encode(np.zeros(1, np.float32), folder.points[0])
    with pytest.raises(InvalidInput, match="cannot decode"):
        folder.decode(Coded(b"", 0), folder.points[0])
