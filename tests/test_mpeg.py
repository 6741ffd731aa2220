"""MPEG audio is read to its last sample, whatever its header says or leaves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench import audio, mpeg

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def variable(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return 5 s of MP3 at a variable rate with its Xing header: loud noise, then almost nothing."""
    rng = np.random.default_rng(0)
    wave = 0.2 * rng.standard_normal(5 * RATE_HZ) * np.where(np.arange(5 * RATE_HZ) < 50_000, 1, 5e-4)
    path = tmp_path_factory.mktemp("mp3") / "a.mp3"
    soundfile.write(path, wave, RATE_HZ, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return path.read_bytes()


def _without_header(data: bytes) -> bytes:
    found = mpeg.scan(data)
    assert found is not None
    return data[found.start : found.stop]


def _load(tmp_path: Path, data: bytes, name: str = "x.mp3") -> np.ndarray:
    (tmp_path / name).write_bytes(data)
    wave, rate_hz = audio.load(tmp_path / name)
    assert rate_hz == RATE_HZ
    assert audio.seconds(tmp_path / name) == pytest.approx(wave.size / RATE_HZ, abs=0.1)
    return wave


def test_a_header_is_believed_and_the_encoders_padding_cut(tmp_path: Path, variable: bytes) -> None:
    assert _load(tmp_path, variable).size == 5 * RATE_HZ


@pytest.mark.parametrize("tail", [b"", b"TAG" + b"x" * 125, b"\xff\xf3\x28\xc4torn"])
def test_without_a_header_all_samples_are_read(tmp_path: Path, variable: bytes, tail: bytes) -> None:
    wave = _load(tmp_path, _without_header(variable) + tail)
    assert wave.size == 81_216  # 141 frames of 576
    with_header = _load(tmp_path, variable)
    at = 1105  # the encoder's delay (576) and the decoder's (529), which no header tells now
    np.testing.assert_allclose(wave[at : at + 60_000], with_header[:60_000], atol=1e-4)


def test_a_tag_before_the_frames_is_passed_over(tmp_path: Path, variable: bytes) -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"\xff\xfb" * 64
    assert _load(tmp_path, tag + _without_header(variable)).size == 81_216


def test_joined_files_are_read_to_the_end(tmp_path: Path, variable: bytes) -> None:
    assert _load(tmp_path, variable + variable).size > 10 * RATE_HZ


def test_a_truncated_file_with_a_header_is_still_refused(tmp_path: Path, variable: bytes) -> None:
    (tmp_path / "cut.mp3").write_bytes(variable[: len(variable) // 2])
    with pytest.raises(audio.InvalidInput, match="truncated"):
        audio.load(tmp_path / "cut.mp3")


def test_bytes_without_frames_have_none() -> None:
    assert mpeg.scan(b"") is None
    assert mpeg.scan(b"\xff" * 1000) is None
    assert mpeg.scan(bytes(range(256)) * 20) is None
