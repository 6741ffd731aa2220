"""Codes are packed at exactly their bits and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codecbench.errors import InvalidPayload
from codecbench_hub.packing import pack, payload_bytes, unpack


@st.composite
def codes_and_bits(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    bits = draw(st.integers(1, 20))
    shape = draw(st.tuples(st.integers(1, 8), st.integers(0, 40)))
    return draw(arrays(np.int64, shape, elements=st.integers(0, 2**bits - 1))), bits


@given(codes_and_bits())
def test_round_trip_at_exactly_the_bits(drawn):
    codes, bits = drawn
    payload = pack(codes, bits)
    assert len(payload) == -(-codes.size * bits // 8)
    np.testing.assert_array_equal(unpack(payload, *codes.shape, bits), codes)


@given(codes_and_bits())
def test_same_bits_as_text_arithmetic(drawn):
    codes, bits = drawn
    text = "".join(f"{value:0{bits}b}" for frame in codes.T for value in frame)
    text += "0" * (-len(text) % 8)
    assert pack(codes, bits) == bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def test_golden_bytes():
    # frame 0: 1, 1023; frame 1: 0, 512 -> 0000000001 1111111111 0000000000 1000000000
    assert pack(np.array([[1, 0], [1023, 512]]), 10) == bytes.fromhex("007ff00200")
    assert payload_bytes(8, 75, 10) == 750  # EnCodec at 6 kbit/s, one second


@pytest.mark.parametrize("codes", [[[-1]], [[4]]])
def test_codes_that_do_not_fit_are_refused(codes):
    with pytest.raises(ValueError, match="2 bits hold 0 to 3"):
        pack(np.array(codes), 2)


def test_codes_of_wrong_rank_are_refused():
    with pytest.raises(ValueError, match="streams, steps"):
        pack(np.array([1, 2]), 4)


@pytest.mark.parametrize("bits", [0, 33])
def test_impossible_bit_counts_are_refused(bits):
    with pytest.raises(ValueError, match="1 to 32"):
        pack(np.array([[0]]), bits)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"", "0 bytes"), (b"\x00", "1 bytes"), (bytes(3), "3 bytes"), (b"\x00\x0f", "filling bits")],
)
def test_damaged_payloads_are_refused(payload, reason):
    with pytest.raises(InvalidPayload, match=reason):
        unpack(payload, 1, 1, 12)
