"""The contract, held against every registered codec that can run here; the others skip with their reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codecbench import registry
from codecbench.audio import resample
from codecbench.codec import Codec, Coded, DecodedFiles, OperatingPoint, Wave
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench.weights import VARIABLE

NAMES = registry.names(registry.CODECS)
SHARED = Path(__file__).resolve().parents[3] / "shared"
KINDS = {"classical", "neural", "anchor", "files"}

RATE_TOLERANCE = 0.10
RATE_EXCEPTIONS: dict[str, float] = {}
"""Codecs whose rate on six seconds of speech may be further from nominal, and by which share."""


@pytest.fixture(scope="module", autouse=True)
def _weights() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if SHARED.is_dir():
            patch.setenv(VARIABLE, str(SHARED))
        yield


@cache
def opened(name: str) -> Codec:
    codec = registry.codec(name)
    codec.check()
    codec.open()
    return codec


@pytest.fixture
def codec(name: str) -> Codec:
    try:
        codec = opened(name)
    except Unavailable as error:
        pytest.skip(f"{name}: {error}")
    if isinstance(codec, DecodedFiles):
        pytest.skip(f"{name} does not code")
    return codec


def chosen(codec: Codec) -> list[OperatingPoint]:
    """The lowest, a middle and the highest rate."""
    points = sorted(codec.points, key=lambda point: point.nominal_kbps)
    return list({point.name: point for point in (points[0], points[len(points) // 2], points[-1])}.values())


def voice(rate_hz: int, seconds: float, seed: int = 0) -> Wave:
    """A harmonic tone with a moving pitch and some noise, enough like speech for every codec."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 2 * time)) / rate_hz
    tone = sum(np.sin(k * pitch) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).standard_normal(time.size)
    return (0.1 * tone * (1.2 + np.sin(2 * np.pi * 4 * time)) + 0.003 * noise).astype(np.float32)


def alone(coded: Coded) -> Coded:
    """What reaches a decoder: no codes."""
    return replace(coded, codes=None)


@pytest.mark.parametrize("name", NAMES)
def test_info_is_complete(name: str) -> None:
    codec = registry.codec(name)
    info = codec.info
    assert info.kind in KINDS
    assert info.sample_rate_hz in {8_000, 16_000, 24_000, 44_100, 48_000}
    assert all((info.description, info.version))
    if info.kind == "files":
        return
    assert info.licence
    if info.kind != "anchor":
        assert info.citation and info.url.startswith("https://")
        assert info.frame_rate_hz is not None and info.frame_rate_hz > 0
    if info.kind == "neural":
        assert info.weights_licence
    assert info.algorithmic_delay_ms is None or info.algorithmic_delay_ms >= 0


@pytest.mark.parametrize("name", NAMES)
def test_points_are_named_once_and_found(name: str) -> None:
    codec = registry.codec(name)
    names = [point.name for point in codec.points]
    if not names:  # they depend on a checkpoint, and there is none
        with pytest.raises(Unavailable):
            codec.check()
        return
    assert len(set(names)) == len(names)
    assert any(point.default for point in codec.points)
    assert not any(set(item) & set("@+,: /") for item in names)
    for point in codec.points:
        assert codec.point(point.name) is point
        assert point.nominal_kbps > 0 or math.isnan(point.nominal_kbps)
    with pytest.raises(InvalidInput, match="has no operating point"):
        codec.point("no-such-point")


@pytest.mark.parametrize("name", NAMES)
def test_the_signature_names_the_codec_and_is_always_the_same(codec: Codec, name: str) -> None:
    signature = registry.codec(name).signature()
    assert signature.startswith(name) and "\n" not in signature
    assert codec.signature() == signature


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [0, 1, 2, 159, 161, 319, 320, 321, 2_047, 4_001])
def test_output_is_as_long_as_input(codec: Codec, length: int) -> None:
    wave = voice(codec.info.sample_rate_hz, 0.6)[:length]
    for point in chosen(codec):
        try:
            coded = codec.encode(wave, point)
        except InvalidInput as error:
            assert "\n" not in str(error)
            assert length < codec.info.sample_rate_hz // 10, "only waves below 0.1 s may be refused"
            continue
        decoded = codec.decode(alone(coded), point)
        assert decoded.shape == (length,) == (coded.length,)
        assert decoded.dtype == np.float32
        assert np.isfinite(decoded).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_payload_decodes_alone_in_a_fresh_instance_and_always_to_the_same(codec: Codec, name: str) -> None:
    wave = voice(codec.info.sample_rate_hz, 0.7)
    for point in chosen(codec):
        coded = codec.encode(wave, point)
        decoded = codec.decode(alone(coded), point)
        codec.decode(alone(codec.encode(-wave[::-1].copy(), point)), point)
        again = codec.encode(wave, point)
        assert again.payload == coded.payload
        assert again.packet_bytes == coded.packet_bytes
        np.testing.assert_array_equal(codec.decode(alone(coded), point), decoded)
        fresh = registry.codec(name)
        fresh.open()
        np.testing.assert_array_equal(fresh.decode(alone(coded), point), decoded)


@pytest.mark.parametrize("name", NAMES)
def test_encoding_leaves_its_input_alone(codec: Codec) -> None:
    wave = voice(codec.info.sample_rate_hz, 0.3) * 20
    before = wave.copy()
    wave.flags.writeable = False
    point = chosen(codec)[0]
    decoded = codec.decode(alone(codec.encode(wave, point)), point)
    np.testing.assert_array_equal(wave, before)
    assert np.isfinite(decoded).all(), "samples beyond full scale are clipped, not passed on"


@pytest.mark.parametrize("name", NAMES)
def test_silence_stays_quiet(codec: Codec) -> None:
    wave = np.zeros(codec.info.sample_rate_hz, np.float32)
    for point in chosen(codec):
        decoded = codec.decode(alone(codec.encode(wave, point)), point)
        assert np.sqrt(np.mean(np.square(decoded))) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_packets_and_codes_agree_with_the_payload(codec: Codec) -> None:
    wave = voice(codec.info.sample_rate_hz, 0.5)
    for point in chosen(codec):
        coded = codec.encode(wave, point)
        assert coded.container_bytes >= 0
        assert not coded.packet_bytes or sum(coded.packet_bytes) == len(coded.payload)
        if codec.info.kind == "neural":
            assert coded.codes is not None and coded.codes.ndim == 2
            assert coded.codes.dtype == np.int64 and coded.codes.min() >= 0


@pytest.mark.parametrize("name", NAMES)
def test_a_payload_of_another_size_is_refused(codec: Codec) -> None:
    point = chosen(codec)[0]
    coded = alone(codec.encode(voice(codec.info.sample_rate_hz, 0.5), point))
    for payload in (b"", coded.payload[:-1], coded.payload + b"\0"):
        with pytest.raises(InvalidPayload) as caught:
            codec.decode(replace(coded, payload=payload), point)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_garbage_is_refused_or_decodes_to_a_bounded_wave(codec: Codec) -> None:
    random = np.random.default_rng(1)
    wave = voice(codec.info.sample_rate_hz, 0.5)
    for point in chosen(codec):
        coded = alone(codec.encode(wave, point))
        for payload in (random.bytes(len(coded.payload)), b"\xff" * len(coded.payload)):
            try:
                decoded = codec.decode(replace(coded, payload=payload), point)
            except InvalidPayload as error:
                assert "\n" not in str(error)
            else:
                assert decoded.shape == wave.shape
                assert np.isfinite(decoded).all() and np.abs(decoded).max(initial=0.0) < 100


@pytest.mark.parametrize("name", NAMES)
def test_the_measured_rate_is_near_nominal_on_speech(
    codec: Codec, name: str, speech: list[NDArray[np.float32]]
) -> None:
    rate_hz = codec.info.sample_rate_hz
    waves = [resample(clip, 16_000, rate_hz) for clip in speech[::2]]
    seconds = sum(wave.size for wave in waves) / rate_hz
    tolerance = RATE_EXCEPTIONS.get(name, RATE_TOLERANCE)
    for point in chosen(codec):
        kbps = 8e-3 * sum(len(codec.encode(wave, point).payload) for wave in waves) / seconds
        assert kbps == pytest.approx(point.nominal_kbps, rel=tolerance), point.name
