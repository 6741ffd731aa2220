"""Packing, splitting and trimming, against plain strings of bits and by properties."""

from __future__ import annotations

import ctypes
import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench.codec import Coded
from codecbench.errors import InvalidPayload, Unavailable
from codecbench_classical import packets, system


@st.composite
def bit_strings(draw: st.DrawFn) -> tuple[int, list[str]]:
    bits = draw(st.integers(1, 130))
    return bits, draw(st.lists(st.text("01", min_size=bits, max_size=bits), max_size=6))


def as_bytes(bits: str) -> bytes:
    whole = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return bytes(int(whole[start : start + 8], 2) for start in range(0, len(whole), 8))


@settings(max_examples=30, deadline=None)
@given(bit_strings())
def test_packed_bits_are_the_concatenated_strings(case: tuple[int, list[str]]) -> None:
    bits, strings = case
    stored = [as_bytes(string) for string in strings]
    payload = packets.pack_bits(stored, bits)
    assert payload == as_bytes("".join(strings))
    assert packets.unpack_bits(payload, bits, len(strings)) == stored


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=20), max_size=8))
def test_split_undoes_join(parts: list[bytes]) -> None:
    coded = Coded(b"".join(parts), 1, packet_bytes=tuple(map(len, parts)))
    assert packets.split(coded) == parts


@pytest.mark.parametrize("sizes", [(), (2,), (2, 2), (4, -1), (3, 0)])
def test_split_refuses_sizes_that_are_not_the_payloads(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InvalidPayload, match="3 bytes"):
        packets.split(Coded(b"abc", 1, packet_bytes=sizes))


@pytest.mark.parametrize(
    ("length", "frame", "delay", "count"),
    [
        (0, 160, 40, 0),
        (1, 160, 0, 1),
        (160, 160, 0, 1),
        (160, 160, 1, 2),
        (121, 160, 40, 2),
        (120, 160, 40, 1),
    ],
)
def test_frame_count(length: int, frame: int, delay: int, count: int) -> None:
    assert packets.frame_count(length, frame, delay) == count


def test_samples_are_rounded_clipped_and_restored() -> None:
    wave = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 0.4 / 32768, 0.6 / 32768], np.float32)
    samples = packets.to_pcm16(wave)
    assert samples.tolist() == [0, 32767, -32768, 32767, -32768, 0, 1]
    every = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(packets.to_pcm16(packets.from_pcm16(every)), every)


def test_trim_drops_the_delay_and_refuses_too_little() -> None:
    frames = [np.arange(4, dtype=np.float32), np.arange(4, 8, dtype=np.float32)]
    assert packets.trim(frames, 5, 2).tolist() == [2, 3, 4, 5, 6]
    assert packets.trim([], 0, 2).size == 0
    with pytest.raises(InvalidPayload, match="decodes to 6 of 7 samples"):
        packets.trim(frames, 7, 2)


def test_frames_are_filled_up_or_cut() -> None:
    samples = np.arange(1, 6, dtype=np.int16)
    assert packets.to_frames(samples, 3, 2).tolist() == [[1, 2, 3], [4, 5, 0]]
    assert packets.to_frames(samples, 2, 2).tolist() == [[1, 2], [3, 4]]
    assert packets.to_frames(samples, 2, 0).shape == (0, 2)


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable) as caught:
        packets.require("av", "PyAV")
    assert caught.value.reason == "PyAV is not installed"
    assert caught.value.remedy == "run: pip install av lc3py pycodec2 silk-python"


def test_the_version_of_a_missing_package_is_its_name() -> None:
    assert packets.version("no-such-distribution") == "no-such-distribution"
    assert packets.version("numpy") == f"numpy-{np.__version__}"


def test_a_missing_system_library_says_how_to_get_it() -> None:
    with pytest.raises(Unavailable) as caught:
        system.load("no-such-codec", 1, "libnosuchcodec1")
    assert "libno-such-codec" in caught.value.reason
    assert "libnosuchcodec1" in caught.value.remedy


def test_a_system_library_loads() -> None:
    assert isinstance(system.load("m", 6, "libc6"), ctypes.CDLL)
