"""Payloads and files: lossless, of the stated size; bytes from anywhere lead to tokens or a clear error."""

from __future__ import annotations

import itertools
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecbench.errors import InvalidPayload
from codecbench_spc.bits.bitstream import (
    HEADER_BYTES,
    PACKET_COLUMNS,
    Header,
    Mode,
    columns_of,
    decode_payload,
    encode_payload,
    frame_packet,
    pack,
    pack_columns,
    split_packets,
    unpack,
    unpack_columns,
)
from codecbench_spc.bits.context import ContextModel
from codecbench_spc.bits.layout import Layout, layouts_of

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADER = Header("spc", 12, Mode.FIXED, bytes(range(8)), 1000)


def random_codes(rows: int, columns: int, bits: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << bits, (rows, columns))


@given(st.integers(1, 24), st.integers(0, 9), st.integers(1, 16), st.integers(0, 1 << 30))
def test_columns_of_fixed_length_come_back(rows: int, columns: int, bits: int, seed: int) -> None:
    codes = random_codes(rows, columns, bits, seed)
    layout = Layout(rows, bits)
    payload = pack_columns(codes, layout)
    assert len(payload) == columns * -(-rows * bits // 8)
    np.testing.assert_array_equal(unpack_columns(payload, columns, layout), codes)


def test_bits_stand_where_the_documentation_says() -> None:
    # 0xabc and 0x123 with the most significant bit first; 3 tokens of 3 bits: 001 010 111, then zeros.
    assert pack_columns(np.array([[0xABC], [0x123]]), Layout(2, 12)).hex() == "abc123"
    assert pack_columns(np.array([[1], [2], [7]]), Layout(3, 3)).hex() == "2b80"


@pytest.mark.parametrize(("bits", "kbps"), [(12, 7.5), (10, 6.25), (8, 5.0), (6, 3.75)])
@pytest.mark.parametrize("rvq", [False, True])
def test_rates_are_those_of_the_paper(bits: int, kbps: float, rvq: bool) -> None:
    layout = Layout(20 * bits // 8, 8) if rvq else Layout(20, bits)
    payload, packets = encode_payload(random_codes(layout.rows, 125, layout.code_bits), layout, Mode.FIXED)
    assert len(payload) * 8 / 4.0 / 1000 == kbps
    assert len(packets) == 125
    assert sum(packets) == len(payload)


def test_padding_must_be_zero() -> None:
    with pytest.raises(InvalidPayload, match="padding"):
        unpack_columns(bytes([0x2B, 0x81]), 1, Layout(3, 3))


def test_another_size_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(InvalidPayload, match="has 30000000000"):
        decode_payload(b"abc", 512 * 10**9, Layout(20, 12), Mode.FIXED)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("columns", [0, 1, 3, 4, 5, 17])
def test_every_mode_is_lossless(mode: Mode, columns: int, context_model: ContextModel) -> None:
    layout = Layout(20, 8)
    codes = random_codes(20, columns, 8, columns)
    payload, packets = encode_payload(codes, layout, mode, context_model)
    assert sum(packets) == len(payload)
    decoded = decode_payload(payload, 512 * columns, layout, mode, context_model)
    np.testing.assert_array_equal(decoded, codes)


@QUICK
@given(data=st.binary(max_size=400), mode=st.sampled_from(list(Mode)), length=st.integers(0, 20_000))
def test_garbage_is_refused_or_gives_tokens(
    data: bytes, mode: Mode, length: int, context_model: ContextModel
) -> None:
    try:
        codes = decode_payload(data, length, Layout(20, 8), mode, context_model)
    except InvalidPayload as error:
        assert "\n" not in str(error)
    else:
        assert codes.shape == (20, columns_of(length))
        assert (codes >= 0).all()
        assert (codes < 256).all()


@QUICK
@given(mode=st.sampled_from(list(Mode)), cut=st.integers(1, 200), extra=st.booleans())
def test_truncated_or_longer_payloads_are_refused(
    mode: Mode, cut: int, extra: bool, context_model: ContextModel
) -> None:
    layout = Layout(20, 8)
    payload, _ = encode_payload(random_codes(20, 11, 8, 5), layout, mode, context_model)
    changed = payload + bytes(cut) if extra else payload[:-cut]
    with pytest.raises(InvalidPayload):
        decode_payload(changed, 512 * 11, layout, mode, context_model)


def test_a_packet_decodes_without_the_others(context_model: ContextModel) -> None:
    codes = random_codes(20, 12, 8, 9)
    layout = Layout(20, 8)
    payload, sizes = encode_payload(codes, layout, Mode.PACKETS, context_model)
    assert len(sizes) == 3
    middle = payload[sizes[0] : sizes[0] + sizes[1]]
    alone = decode_payload(middle, 512 * PACKET_COLUMNS, layout, Mode.PACKETS, context_model)
    np.testing.assert_array_equal(alone, codes[:, 4:8])


@pytest.mark.parametrize("mode", [Mode.STREAM, Mode.PACKETS])
def test_zeros_are_no_speech(mode: Mode, context_model: ContextModel) -> None:
    for bits in (8, 6):
        for columns in (1, 4, 5, 40):
            for size in (*range(9), 40, 89):
                with pytest.raises(InvalidPayload):
                    decode_payload(bytes(size), 512 * columns, Layout(20, bits), mode, context_model)


def test_a_zeroed_packet_is_noticed(context_model: ContextModel) -> None:
    layout = Layout(20, 8)
    codes = random_codes(20, 10, 8, 4)
    # The last packet's tokens are those that zeros decode to.
    codes[:, 8:] = 0
    payload, sizes = encode_payload(codes, layout, Mode.PACKETS, context_model)
    starts = np.cumsum((0, *sizes))
    for start, stop in itertools.pairwise(starts):
        prefix = 2 if payload[start] >= 0x80 else 1
        for kept in (0, prefix):
            damaged = payload[: start + kept] + bytes(stop - start - kept) + payload[stop:]
            with pytest.raises(InvalidPayload):
                decode_payload(damaged, 512 * 10, layout, Mode.PACKETS, context_model)


def test_the_length_is_part_of_the_checksum(context_model: ContextModel) -> None:
    """Columns of the same tokens more or less are refused although the coder's bytes would give them."""
    layout = Layout(20, 8)
    payload, _ = encode_payload(np.zeros((20, 6), dtype=np.int64), layout, Mode.STREAM, context_model)
    for columns in (5, 7):
        with pytest.raises(InvalidPayload, match="checksum"):
            decode_payload(payload, 512 * columns, layout, Mode.STREAM, context_model)


@pytest.mark.parametrize(
    "row",
    json.loads(Path(__file__).with_name("version-1.json").read_text(encoding="utf-8")),
    ids=lambda row: f"{row['bits']}-{row['mode']}-{row['columns']}",
)
def test_version_1_is_still_read(row: dict[str, int | str], context_model: ContextModel) -> None:
    """Files that the first version's program wrote, of random tokens of a seed."""
    bits, columns, seed = (int(row[name]) for name in ("bits", "columns", "seed"))
    codes = random_codes(20, columns, bits, seed)
    header, payload = unpack(bytes.fromhex(str(row["file"])))
    assert (header.version, header.bits, header.mode) == (1, bits, row["mode"])
    layout = Layout(20, bits)
    read = decode_payload(payload, header.length, layout, header.mode, context_model, header.version)
    np.testing.assert_array_equal(read, codes)
    if header.mode is not Mode.FIXED and columns:
        with pytest.raises(InvalidPayload):
            decode_payload(payload, header.length, layout, header.mode, context_model)


def test_a_short_payload_cannot_claim_a_long_recording(context_model: ContextModel) -> None:
    with pytest.raises(InvalidPayload, match="cannot hold 1250 columns"):
        decode_payload(bytes([7] * 20), 40 * 16_000, Layout(20, 8), Mode.STREAM, context_model)
    with pytest.raises(InvalidPayload, match="cannot hold"):
        decode_payload(bytes(100), (1 << 32) - 1, Layout(20, 8), Mode.STREAM, context_model)
    with pytest.raises(InvalidPayload, match="packets where"):
        decode_payload(bytes(100), (1 << 32) - 1, Layout(20, 8), Mode.PACKETS, context_model)


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_packets_are_told_apart(packets: list[bytes]) -> None:
    assert split_packets(b"".join(map(frame_packet, packets))) == packets


@pytest.mark.parametrize("payload", [b"\x80", b"\xff\xff\xff\xff\xff\xff\x01a", b"\x05abc"])
def test_packets_that_are_not_whole_are_refused(payload: bytes) -> None:
    with pytest.raises(InvalidPayload, match="not whole"):
        split_packets(payload)


def test_the_header_is_laid_out_as_documented() -> None:
    data = pack(HEADER, b"xyz")
    assert len(data) == HEADER_BYTES + 3 == 31
    assert data[:24].hex() == "4353504302000c000001020304050607e803000003000000"
    assert int.from_bytes(data[24:28], "little") == zlib.crc32(data[:24] + b"xyz")
    assert unpack(data) == (HEADER, b"xyz")


@given(st.binary(max_size=80))
def test_foreign_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidPayload):
        unpack(data)


@given(st.binary(max_size=60), st.integers(0, 10_000))
def test_every_flipped_bit_is_noticed(payload: bytes, place: int) -> None:
    data = bytearray(pack(HEADER, payload))
    place %= 8 * len(data)
    data[place // 8] ^= 1 << place % 8
    with pytest.raises(InvalidPayload):
        unpack(bytes(data))


@given(st.integers(0, 30))
def test_every_truncation_is_noticed(kept: int) -> None:
    with pytest.raises(InvalidPayload):
        unpack(pack(HEADER, b"xyz")[:kept])


def test_a_newer_version_is_named() -> None:
    data = bytearray(pack(HEADER, b""))
    data[4] = 9
    with pytest.raises(InvalidPayload, match="version 9"):
        unpack(bytes(data))


def test_each_rate_of_paired_rows_has_as_many_bits_as_without() -> None:
    table = {"quantizer": "patch", "codebook_size": 4096}
    plain, paired = (layouts_of({**table, "paired": each}, Path("a")) for each in (False, True))
    assert paired[6] == Layout(10, 12, 2)
    assert {bits: plain[bits] == paired[bits] for bits in plain} == {12: True, 10: True, 8: True, 6: False}
    assert [layout.column_bytes for layout in plain.values()] == [
        layout.column_bytes for layout in paired.values()
    ]
    assert [layout.rate for layout in paired.values()] == [0, 1, 2, 3]
