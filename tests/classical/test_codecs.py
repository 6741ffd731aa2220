"""Each classical codec against another implementation, its standard's numbers, or its own file format."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from codecbench.audio import lag, resample, shift
from codecbench.codec import Codec, Wave
from codecbench.errors import InvalidPayload, Unavailable
from codecbench_classical import amr, ffmpeg, opus, packets, speex
from codecbench_classical.amr import AmrNb, AmrWb
from codecbench_classical.codec2 import Codec2
from codecbench_classical.g722 import G722
from codecbench_classical.lc3 import Lc3
from codecbench_classical.opus import Opus
from codecbench_classical.silk import Silk
from codecbench_classical.speex import Speex

MODULES = {"av": Opus, "pysilk": Silk, "lc3": Lc3, "pycodec2": Codec2}


@pytest.fixture(scope="module")
def clip(speech: list[NDArray[np.float32]]) -> Wave:
    """Two seconds of speech at 16 kHz."""
    return speech[0][16_000:48_000]


@pytest.fixture(scope="module")
def narrow(clip: Wave) -> Wave:
    return resample(clip, 16_000, 8_000)


def usable(make: Callable[[], Codec]) -> Codec:
    codec = make()
    try:
        codec.check()
    except Unavailable as error:
        pytest.skip(str(error))
    codec.open()
    return codec


def correlation(one: Wave, other: Wave) -> float:
    return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


def snr_db(ref: Wave, deg: Wave) -> float:
    return float(10 * np.log10(np.sum(ref**2) / np.sum((ref - deg) ** 2)))


def float_samples(frames: list[NDArray[np.generic]]) -> Wave:
    joined = np.concatenate(frames)
    return packets.from_pcm16(joined) if joined.dtype == np.int16 else joined.astype(np.float32)


@pytest.mark.parametrize(("module", "make"), MODULES.items())
def test_a_missing_package_makes_a_codec_unavailable(
    module: str, make: Callable[[], Codec], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else real(name))
    with pytest.raises(Unavailable) as caught:
        make().check()
    assert caught.value.remedy == "run: pip install av lc3py pycodec2 silk-python"


# Opus


def test_opus_header_is_the_encoders_own() -> None:
    import av

    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = opus.RATE_HZ, "mono", "flt"
    context.options = {"application": "voip"}
    context.open()
    assert bytes(context.extradata) == opus.HEADER


def test_opus_at_constant_rate_makes_packets_of_one_size(clip: Wave) -> None:
    codec = usable(Opus)
    # RFC 6716: a packet of 20 ms at 6 kbit/s is 15 bytes, of 60 ms 45.
    for name, size in (("6-cbr", 15), ("24-cbr", 60), ("6-60ms-cbr", 45)):
        coded = codec.encode(clip, codec.point(name))
        assert set(coded.packet_bytes) == {size}
        assert coded.container_bytes == 19


def test_opus_counts_packet_lengths_as_container_where_they_vary(clip: Wave) -> None:
    codec = usable(Opus)
    coded = codec.encode(clip, codec.point("12"))
    assert len(set(coded.packet_bytes)) > 5
    assert len(coded.packet_bytes) == 101  # (32000 + 104) / 320, rounded up
    assert coded.container_bytes == 19 + 101


def test_opus_agrees_with_the_other_decoder(clip: Wave) -> None:
    """FFmpeg's own decoder shares no code with libopus, and resamples with another delay."""
    codec = usable(Opus)
    for name in ("8", "24"):
        coded = codec.encode(clip, codec.point(name))
        theirs = ffmpeg.decode("opus", packets.split(coded), 48_000, opus.HEADER)
        wave = resample(float_samples(theirs), 48_000, 16_000)[: clip.size]
        ours = codec.decode(coded, codec.point(name))
        # Their delays differ by less than the lag's own resolution of some milliseconds.
        assert max(correlation(ours, shift(wave, samples)) for samples in range(-48, 49)) > 0.97


def test_opus_delay_grows_with_the_frame() -> None:
    codec = Opus()
    assert codec.delay_ms(codec.point("6")) == 26.5
    assert codec.delay_ms(codec.point("6-60ms")) == 66.5


def test_opus_refuses_packets_lost_on_the_way(clip: Wave) -> None:
    codec = usable(Opus)
    coded = codec.encode(clip, codec.point("12"))
    short = replace(
        coded, payload=coded.payload[: coded.packet_bytes[0]], packet_bytes=coded.packet_bytes[:1]
    )
    with pytest.raises(InvalidPayload, match="1 packets where this length takes 101"):
        codec.decode(short, codec.point("12"))


# AMR


@pytest.mark.parametrize("bits", [amr.NARROW_BITS, amr.WIDE_BITS])
def test_amr_bits_are_the_rates(bits: dict[float, int]) -> None:
    """A 20 ms frame at R kbit/s has 20 R bits (TS 26.101 and 26.201)."""
    assert all(count == round(20 * kbps) for kbps, count in bits.items())


@pytest.mark.parametrize("name", ["4.75", "5.9", "12.2"])
def test_amr_payload_makes_a_valid_file(narrow: Wave, name: str) -> None:
    """FFmpeg reads a storage-format file made from the payload, with its own decoder, and hears the same."""
    import av

    codec = usable(AmrNb)
    point = codec.point(name)
    coded = codec.encode(narrow, point)
    bits, mode = int(point.settings["bits"]), int(point.settings["mode"])
    count = 101  # (16000 + 40) / 160, rounded up
    frames = packets.unpack_bits(coded.payload, bits, count)
    file = b"#!AMR\n" + b"".join(bytes([mode << 3 | 4]) + frame for frame in frames)
    assert len(file) == len(coded.payload) + coded.container_bytes
    with av.open(io.BytesIO(file), format="amr") as container:
        theirs = float_samples([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])
    ours = codec.decode(coded, point)
    assert correlation(ours, theirs[40 : 40 + narrow.size]) > 0.98


def test_amr_wideband_round_trip(clip: Wave) -> None:
    codec = usable(AmrWb)
    worse, better = (
        snr_db(clip, codec.decode(codec.encode(clip, codec.point(name)), codec.point(name)))
        for name in ("6.6", "23.85")
    )
    assert better > worse + 2 > 5


# Codec2


def test_codec2_bits_are_those_of_the_wrapper(narrow: Wave) -> None:
    import pycodec2

    codec = usable(Codec2)
    for point in codec.points:
        theirs = pycodec2.Codec2(round(point.nominal_kbps * 1000))
        frame, bits = int(point.settings["frame"]), int(point.settings["bits"])
        assert (theirs.samples_per_frame(), theirs.bits_per_frame()) == (frame, bits)
        coded = codec.encode(narrow, point)
        count = packets.frame_count(narrow.size, frame, int(point.settings["delay"]))
        frames = packets.to_frames(packets.to_pcm16(narrow), frame, count)
        expected = b"".join(theirs.encode(samples) for samples in frames)
        assert b"".join(packets.unpack_bits(coded.payload, bits, count)) == expected
        assert len(coded.payload) + coded.container_bytes == 7 + len(expected)


def test_codec2_decodes_the_same_whatever_was_decoded_before(narrow: Wave) -> None:
    codec = usable(Codec2)
    point = codec.point("0.7")
    coded = codec.encode(narrow, point)
    first = codec.decode(coded, point)
    codec.decode(codec.encode(narrow[::-1].copy(), codec.point("3.2")), codec.point("3.2"))
    np.testing.assert_array_equal(codec.decode(coded, point), first)


# G.722, SILK, LC3, Speex


def test_g722_is_64_kbit_and_nearly_transparent(clip: Wave) -> None:
    codec = usable(G722)
    coded = codec.encode(clip, codec.point("64"))
    assert len(coded.payload) == (clip.size + 22) // 2
    assert snr_db(clip, codec.decode(coded, codec.point("64"))) > 15


def test_silk_payload_and_container_make_the_sdks_file(clip: Wave) -> None:
    import pysilk

    codec = usable(Silk)
    point = codec.point("8")
    coded = codec.encode(clip, point)
    file = b"#!SILK_V3" + b"".join(struct.pack("<h", len(item)) + item for item in packets.split(coded))
    assert len(file) == len(coded.payload) + coded.container_bytes
    decoded = io.BytesIO()
    pysilk.decode(io.BytesIO(file), decoded, 16_000)
    theirs = packets.from_pcm16(np.frombuffer(decoded.getvalue(), np.int16))
    assert correlation(codec.decode(coded, point), theirs[88 : 88 + clip.size]) > 0.98


def test_silk_survives_damaged_packets(clip: Wave) -> None:
    """At an output rate of 16 kHz these end the process: see `silk.DECODER_HZ`."""
    codec = usable(Silk)
    point, random = codec.point("8"), np.random.default_rng(1)
    coded = codec.encode(clip[:8_000], point)
    for _ in range(100):
        damaged = replace(coded, payload=random.bytes(len(coded.payload)))
        with contextlib.suppress(InvalidPayload):
            assert codec.decode(damaged, point).shape == (8_000,)


def test_silk_refuses_a_packet_too_long_for_the_sdk(clip: Wave) -> None:
    codec = usable(Silk)
    point = codec.point("8")
    coded = codec.encode(clip[:400], point)
    count = len(coded.packet_bytes)
    sizes = (40_000, *[1] * (count - 1))
    with pytest.raises(InvalidPayload, match="up to 40000 bytes"):
        codec.decode(replace(coded, payload=bytes(sum(sizes)), packet_bytes=sizes), point)


def test_lc3_error_falls_with_rate(clip: Wave) -> None:
    codec = usable(Lc3)
    errors = [snr_db(clip, codec.decode(codec.encode(clip, point), point)) for point in codec.points]
    assert errors == sorted(errors)
    assert errors[-1] > 20


def test_lc3_delay_is_the_librarys_own() -> None:
    usable(Lc3)
    import lc3

    encoder = lc3.Encoder(10_000, 16_000)
    assert encoder.get_delay_samples() == 40
    for kbps, size in ((16, 20), (24, 30), (32, 40), (64, 80)):
        assert encoder.get_frame_bytes(kbps * 1000) == size


def test_speex_bits_are_the_rates() -> None:
    assert all(count == round(20 * kbps) for kbps, count in speex.BITS.items())


def test_speex_error_falls_with_rate(clip: Wave) -> None:
    codec = usable(Speex)
    errors = [
        snr_db(clip, codec.decode(codec.encode(clip, codec.point(name)), codec.point(name)))
        for name in ("3.95", "12.8", "27.8")
    ]
    assert errors == sorted(errors)


@pytest.mark.parametrize("make", [Opus, AmrNb, AmrWb, G722, Silk, Lc3, Speex])
def test_decoded_speech_is_in_time(make: Callable[[], Codec], clip: Wave, narrow: Wave) -> None:
    """The trimmed look-ahead leaves a lag below half a millisecond at every codec's best rate."""
    codec = usable(make)
    wave = narrow if codec.info.sample_rate_hz == 8_000 else clip
    point = max(codec.points, key=lambda point: point.nominal_kbps)
    decoded = codec.decode(codec.encode(wave, point), point)
    assert abs(lag(wave, decoded, codec.info.sample_rate_hz)) <= codec.info.sample_rate_hz // 2000
