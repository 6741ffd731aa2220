"""Reading, writing, resampling and aligning waves."""

from __future__ import annotations

import errno
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from codecbench import audio
from codecbench.errors import CodecBenchError, InvalidInput

RATE = 16_000


def _tone(seconds: float = 0.5, rate_hz: int = RATE, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        (".wav", "PCM_16", 2**-15),
        (".wav", "PCM_24", 2**-23),
        (".wav", "FLOAT", 0.0),
        (".wav", "PCM_U8", 2**-7),
        (".flac", "PCM_16", 2**-15),
        (".ogg", "VORBIS", 0.05),
        (".mp3", "MPEG_LAYER_III", 0.05),
    ],
)
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_load_reads_each_format(
    tmp_path: Path, suffix: str, subtype: str, tolerance: float, rate_hz: int
) -> None:
    path = tmp_path / f"a{suffix}"
    wave = _tone(0.5, rate_hz)
    soundfile.write(path, wave, rate_hz, subtype=subtype)
    loaded, loaded_hz = audio.load(path)
    assert loaded_hz == rate_hz
    assert loaded.dtype == np.float32
    assert loaded.flags.c_contiguous
    if suffix == ".mp3":  # the coder's padding belongs to the format
        assert loaded.size >= wave.size
    else:
        assert loaded.shape == wave.shape
        inner = slice(rate_hz // 20, -rate_hz // 20)
        assert np.abs(loaded[inner] - wave[inner]).max() <= tolerance


def test_load_averages_channels(tmp_path: Path) -> None:
    left, right = _tone(hz=200.0, rate_hz=44_100), _tone(hz=700.0, rate_hz=44_100)
    soundfile.write(tmp_path / "s.wav", np.stack([left, right], axis=1), 44_100, subtype="FLOAT")
    loaded, rate_hz = audio.load(tmp_path / "s.wav")
    assert rate_hz == 44_100
    np.testing.assert_allclose(loaded, (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("channels", [(1, -1), (1, -0.98), (1, 1, -1, -1)])
def test_channels_that_cancel_one_another_are_refused(tmp_path: Path, channels: tuple[float, ...]) -> None:
    path = tmp_path / "inverted.wav"
    soundfile.write(path, _tone()[:, None] * channels, RATE)
    with pytest.raises(InvalidInput, match=rf"its {len(channels)} channels cancel one another"):
        audio.load(path)


@pytest.mark.parametrize("channels", [(1, 0), (1, -0.5), (0, 0), (1, 0, 0, 0, 0, 0)])
def test_channels_that_differ_are_averaged(tmp_path: Path, channels: tuple[float, ...]) -> None:
    path = tmp_path / "different.wav"
    soundfile.write(path, _tone()[:, None] * channels, RATE, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(path)[0], _tone() * np.mean(channels), atol=1e-7)


def test_a_header_that_was_never_completed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken-off.wav"
    soundfile.write(path, _tone(), RATE)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="its header says so, though the file has 16044 bytes"):
        audio.load(path)


def test_load_keeps_one_sample(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.array([0.25], dtype=np.float32), RATE, subtype="FLOAT")
    loaded, _ = audio.load(tmp_path / "one.wav")
    assert loaded.tolist() == [0.25]


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("this is not audio\n" * 100)


def _no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0, dtype=np.float32), RATE)


def _nan(path: Path) -> None:
    wave = _tone()
    wave[100] = np.nan
    soundfile.write(path, wave, RATE, subtype="FLOAT")


def _infinite(path: Path) -> None:
    wave = _tone()
    wave[-1] = np.inf
    soundfile.write(path, wave, RATE, subtype="FLOAT")


def _truncated(path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE)
    soundfile.write(path, noise, RATE, format=path.suffix[1:].upper())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without_tail(path: Path) -> None:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, RATE), RATE)
    path.write_bytes(path.read_bytes()[:-2])


def _header_only(path: Path) -> None:
    soundfile.write(path, _tone(), RATE)
    path.write_bytes(path.read_bytes()[:60])


def _slow_header(path: Path) -> None:
    soundfile.write(path, _tone(), 1)


def _fast_header(path: Path) -> None:
    soundfile.write(path, _tone(), 2_000_000_000)


def _missing(path: Path) -> None:
    pass


BAD = [
    ("missing.wav", _missing, "no such file"),
    ("empty.wav", _empty, "empty"),
    ("empty.flac", _empty, "empty"),
    ("text.wav", _text, "not readable audio"),
    ("text.mp3", _text, "not readable audio"),
    ("none.wav", _no_samples, "no samples"),
    ("nan.wav", _nan, "NaN"),
    ("infinite.wav", _infinite, "infinite"),
    ("half.flac", _truncated, "damaged or truncated"),
    ("half.wav", _truncated, "truncated, only "),
    ("half.mp3", _truncated, "truncated, only "),
    ("tail.flac", _without_tail, "damaged or truncated"),
    ("header.flac", _header_only, "not readable audio"),
    ("folder.wav", Path.mkdir, "is a folder"),
    ("slow.wav", _slow_header, "its header says 1 samples a second, not 1000 to 768000"),
    ("fast.wav", _fast_header, "its header says 2000000000 samples a second"),
]


@pytest.mark.parametrize(("name", "make", "expected"), BAD, ids=[row[0] for row in BAD])
def test_load_refuses_in_one_line(tmp_path: Path, name: str, make, expected: str) -> None:
    make(tmp_path / name)
    with pytest.raises(InvalidInput) as caught:
        audio.load(tmp_path / name)
    message = str(caught.value)
    assert "\n" not in message
    assert name in message
    assert expected in message.removeprefix(str(tmp_path / name))


def test_flac_cut_between_frames_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE), RATE)
    content = (tmp_path / "a.flac").read_bytes()
    starts = [match.start() for match in re.finditer(b"\xff\xf8", content)][1:]
    assert starts
    for start in starts:
        (tmp_path / "a.flac").write_bytes(content[:start])
        with pytest.raises(InvalidInput, match="truncated"):
            audio.load(tmp_path / "a.flac")


def test_load_of_an_unreadable_file_names_the_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.wav"
    soundfile.write(path, _tone(), RATE)

    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refuse)  # permission bits do not stop root
    with pytest.raises(InvalidInput, match=r"secret.wav: cannot be read .*check permissions"):
        audio.load(path)


def test_load_takes_a_stream_that_does_not_know_its_length(tmp_path: Path) -> None:
    """A recorder that writes to a pipe leaves the sizes in the header at their largest value."""
    path = tmp_path / "piped.wav"
    soundfile.write(path, _tone(), RATE)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert audio.load(path)[0].size == RATE // 2


def test_seconds_reads_the_header(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", _tone(0.75), RATE)
    assert audio.seconds(tmp_path / "a.flac") == 0.75
    _text(tmp_path / "b.wav")
    assert audio.seconds(tmp_path / "b.wav") is None
    assert audio.seconds(tmp_path / "missing.wav") is None


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_save_and_load_agree(tmp_path: Path, suffix: str) -> None:
    wave = _tone()
    audio.save(tmp_path / "sub" / f"a{suffix}", wave, RATE)
    loaded, rate_hz = audio.load(tmp_path / "sub" / f"a{suffix}")
    assert rate_hz == RATE
    assert np.abs(loaded - wave).max() <= 2**-15
    assert [path.name for path in (tmp_path / "sub").iterdir()] == [f"a{suffix}"]


def test_save_clips(tmp_path: Path) -> None:
    audio.save(tmp_path / "a.wav", np.array([2.0, -3.0, 0.5], dtype=np.float32), RATE)
    np.testing.assert_allclose(audio.load(tmp_path / "a.wav")[0], [1.0, -1.0, 0.5], atol=2**-15)


@pytest.mark.parametrize(
    ("name", "wave"),
    [
        ("a.mp3", np.zeros(9, dtype=np.float32)),
        ("a", np.zeros(9, dtype=np.float32)),
        ("a.wav", np.full(9, np.nan, dtype=np.float32)),
        ("a.wav", np.zeros((9, 2), dtype=np.float32)),
    ],
)
def test_save_refuses(tmp_path: Path, name: str, wave: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        audio.save(tmp_path / name, wave, RATE)
    assert list(tmp_path.iterdir()) == []


def test_save_on_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio.save(tmp_path / "a.flac", _tone(), RATE)
    before = (tmp_path / "a.flac").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CodecBenchError, match="No space left on device; free space"):
        audio.save(tmp_path / "a.flac", _tone(hz=100.0), RATE)
    assert (tmp_path / "a.flac").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]


@given(
    st.integers(0, 3000),
    st.sampled_from([8_000, 16_000, 22_050, 24_000, 44_100, 48_000]),
    st.sampled_from([8_000, 16_000, 24_000, 48_000]),
)
def test_resample_has_the_defined_length(length: int, from_hz: int, to_hz: int) -> None:
    out = audio.resample(np.zeros(length, dtype=np.float32), from_hz, to_hz)
    assert abs(out.size - length * to_hz / from_hz) <= 0.5
    assert out.dtype == np.float32


def test_resample_keeps_a_tone_in_place() -> None:
    at_48k, at_16k = _tone(1.0, 48_000), _tone(1.0, 16_000)
    out = audio.resample(at_48k, 48_000, 16_000)
    inner = slice(800, -800)
    assert np.abs(out[inner] - at_16k[inner]).max() < 1e-4


@given(st.integers(0, 50), st.integers(0, 50))
def test_fit_cuts_or_pads_with_zeros(size: int, length: int) -> None:
    wave = np.arange(1, size + 1, dtype=np.float32)
    out = audio.fit(wave, length)
    kept = min(size, length)
    assert out.shape == (length,)
    np.testing.assert_array_equal(out[:kept], wave[:kept])
    assert not out[kept:].any()


@given(st.integers(1, 40), st.integers(-50, 50))
def test_shift_moves_and_keeps_the_length(size: int, lag: int) -> None:
    wave = np.arange(1, size + 1, dtype=np.float32)
    moved = audio.shift(wave, lag)
    expected = [wave[i + lag] if 0 <= i + lag < size else 0.0 for i in range(size)]
    np.testing.assert_array_equal(moved, np.array(expected, dtype=np.float32))
