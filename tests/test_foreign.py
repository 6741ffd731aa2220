"""Types of audio beside WAV and FLAC, by libsndfile and by PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench import audio, foreign
from codecbench.errors import InvalidInput

RATE_HZ = 16_000
WAVE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
FORMATS = {
    ".opus": ("OGG", "OPUS"), ".oga": ("OGG", "VORBIS"), ".aiff": ("AIFF", "PCM_16"), ".au": ("AU", "PCM_16"),
    ".sph": ("NIST", "PCM_16"), ".w64": ("W64", "PCM_16"), ".caf": ("CAF", "PCM_16"),
    ".voc": ("VOC", "PCM_16"), ".rf64": ("RF64", "PCM_16"), ".mp2": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_libsndfile_reads_the_type(tmp_path: Path, suffix: str) -> None:
    kind, subtype = FORMATS[suffix]
    path = tmp_path / f"x{suffix}"
    soundfile.write(path, WAVE, RATE_HZ, format=kind, subtype=subtype)
    assert suffix in audio.SUFFIXES
    wave, rate_hz = audio.load(path)
    assert wave.size / rate_hz == pytest.approx(1, abs=0.01)
    assert np.std(wave) == pytest.approx(np.std(WAVE), rel=0.05)


@pytest.mark.parametrize(("suffix", "codec"), [(".m4a", "aac"), (".webm", "libopus"), (".aac", "aac")])
def test_pyav_reads_the_type(tmp_path: Path, suffix: str, codec: str) -> None:
    path = _encoded(tmp_path / f"x{suffix}", codec)
    wave, rate_hz = audio.load(path)
    assert wave.size / rate_hz == pytest.approx(1, abs=0.2)
    assert np.std(wave) == pytest.approx(np.std(WAVE), rel=0.1)
    assert (audio.seconds(path) or 1.0) == pytest.approx(1, abs=0.3)


def test_without_pyav_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "is_installed", lambda: False)
    path = tmp_path / "x.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A ")
    with pytest.raises(InvalidInput, match="need PyAV"):
        audio.load(path)
    assert audio.seconds(path) is None


@pytest.mark.parametrize("data", [b"not audio", b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n", b"\0" * 500])
def test_what_is_no_audio_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("av")
    path = tmp_path / "x.m4a"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"x\.m4a"):
        audio.load(path)


def _encoded(path: Path, codec: str) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        steady = np.interp(np.arange(48_000) / 48_000, np.arange(RATE_HZ) / RATE_HZ, WAVE).astype(np.float32)
        size = stream.codec_context.frame_size or 960
        for index in range(0, steady.size, size):
            planar = "fltp" if codec == "aac" else "flt"
            frame = av.AudioFrame.from_ndarray(steady[None, index : index + size], planar, "mono")
            frame.sample_rate, frame.pts = 48_000, index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
