"""The context model: exact integers, the documented range coder, the same bytes on any number of threads."""

from __future__ import annotations

import binascii
import dataclasses
import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench_spc.bits.context import (
    ContextModel,
    IntegerNetwork,
    coding_order,
    exponentials,
    groups,
    integer_probabilities,
    load,
    visible,
)
from codecbench_spc.bits.context_tables import NEIGHBOURS, RATES, Tables, rates, save
from codecbench_spc.bits.layout import Layout
from codecbench_spc.bits.rangecoder import decode_grid, encode_grid

MakeTables = Callable[..., Tables]
EIGHT = Layout(20, 8)


def reference_probabilities(tables: Tables, neighbours: np.ndarray, row: int, bits: int) -> list[int]:
    """One place in Python's own integers, after docs/spc-bitstream.md."""

    def layer(x: list[int], weight: np.ndarray, bias: np.ndarray) -> list[int]:
        return [
            int(b) + sum(v * int(w) for v, w in zip(x, column, strict=True))
            for column, b in zip(weight.T, bias, strict=True)
        ]

    def shift(x: list[int], by: int, low: int) -> list[int]:
        return [min(127, max(low, (v + (1 << (by - 1))) >> by)) for v in x]

    rate = RATES.index(bits)
    x = [int(v) for code in neighbours for v in tables.embedding[code]]
    x = shift(layer(x, tables.hidden, tables.hidden_bias[rate, row]), 9, 0)
    x = shift(layer(x, tables.middle, tables.middle_bias), 7, 0)
    x = shift(layer(x, tables.last, tables.last_bias), 7, -127)
    scores = layer(x, tables.codes[:, : 1 << bits], tables.codes_bias[rate, : 1 << bits])
    below = [min((max(scores) - s) // 16, 1023) for s in scores]
    weights = [round(2**22 * math.exp(-steps / 64)) for steps in below]
    free = (1 << 24) - len(weights)
    parts = [w * free // sum(weights) for w in weights]
    parts[parts.index(max(parts))] += free - sum(parts)
    return parts


def reference_coding(codes: np.ndarray, model: ContextModel, bits: int) -> bytes:
    """The coder of docs/spc-bitstream.md in Python's integers: the shortest number in the last interval."""
    parts = model.of_columns(codes, Layout(len(codes), bits), 0, codes.shape[1]).astype(np.int64) + 1
    low, width, shifted = 0, (1 << 64) - 1, 0
    for symbol, row in zip(codes[coding_order(len(codes))].T.reshape(-1), parts, strict=True):
        unit = width >> 24
        low += unit * int(row[:symbol].sum())
        width = unit * int(row[symbol])
        if width < 1 << 32:
            low, width, shifted = low << 32, width << 32, shifted + 32
    size = 0
    while -(-low >> (64 + shifted - 8 * size)) << (64 + shifted - 8 * size) >= low + width:
        size += 1
    number = -(-low >> (64 + shifted - 8 * size))
    return number.to_bytes(size, "big").ljust(-(-codes.shape[1] // 8), b"\0")


def test_probabilities_are_those_of_plain_integers(random_tables: MakeTables) -> None:
    tables = random_tables(20, 256)
    network = IntegerNetwork(tables)
    rng = np.random.default_rng(1)
    neighbours = rng.integers(0, 257, (6, len(NEIGHBOURS)))
    rows = rng.integers(0, 20, 6)
    for bits in (8, 6):
        found = network.probabilities(neighbours, rows, Layout(20, bits))
        for place in range(6):
            expected = reference_probabilities(tables, neighbours[place], int(rows[place]), bits)
            np.testing.assert_array_equal(found[place], expected)


@given(st.lists(st.integers(-(1 << 20), 1 << 20), min_size=2, max_size=64))
def test_probabilities_sum_to_the_whole(scores: list[int]) -> None:
    parts = integer_probabilities(np.array([scores], dtype=np.float32), 10)
    assert (parts >= 0).all()
    assert int(parts.astype(np.int64).sum()) == (1 << 24) - len(scores)


def test_exponentials_are_pinned() -> None:
    table = exponentials().astype(np.int64)
    assert table.tolist() == [round(2**22 * math.exp(-i / 64)) for i in range(1024)]
    # Of this version's own table: another value anywhere would make old payloads unreadable.
    assert hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()[:16] == "d484edbe89c06af2"


def test_groups_cover_each_row_once_and_see_only_what_is_coded() -> None:
    for rows in (1, 2, 3, 20):
        order = coding_order(rows).tolist()
        assert sorted(order) == list(range(rows))
        coded: set[int] = set()
        for members in groups(rows):
            for row in members:
                for slot, (down, across) in enumerate(NEIGHBOURS):
                    if visible(rows)[row, slot] and across == 0:
                        assert row + down in coded
            coded.update(members.tolist())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.integers(1, 6), bits=st.sampled_from([8, 6]), seed=st.integers(0, 1 << 30))
def test_coding_is_lossless_and_as_documented(
    columns: int, bits: int, seed: int, context_model: ContextModel
) -> None:
    codes = np.random.default_rng(seed).integers(0, 1 << bits, (20, columns))
    payload = encode_grid(codes, Layout(20, bits), context_model, 2)
    told = columns.to_bytes(4, "big") + b"".join(int(c).to_bytes(2, "big") for c in codes.T.reshape(-1))
    checksum = binascii.crc_hqx(told, 0xFFFF) % 65535 + 1
    expected = reference_coding(codes, context_model, bits) + checksum.to_bytes(2, "big")
    assert payload == expected
    np.testing.assert_array_equal(decode_grid(payload, columns, Layout(20, bits), context_model, 2), codes)


def test_size_is_the_information_of_the_tokens(context_model: ContextModel) -> None:
    codes = np.random.default_rng(4).integers(0, 256, (20, 100))
    parts = context_model.of_columns(codes, EIGHT, 0, 100).astype(np.float64) + 1.0
    symbols = codes[coding_order(20)].T.reshape(-1)
    bits = -np.log2(parts[np.arange(len(symbols)), symbols] / (1 << 24)).sum()
    assert bits <= 8 * len(encode_grid(codes, EIGHT, context_model, 2)) <= bits + 32


def test_likely_columns_cost_almost_nothing_but_never_less_than_the_bound(random_tables: MakeTables) -> None:
    tables = random_tables(20, 256)
    certain = np.zeros((4, 256), dtype=np.int32)
    certain[:, 0] = 1 << 22
    model = ContextModel(IntegerNetwork(dataclasses.replace(tables, codes_bias=certain)), "id", {})
    codes = np.zeros((20, 200), dtype=np.int64)
    payload = encode_grid(codes, EIGHT, model, 2)
    assert len(payload) == 200 // 8 + 2
    np.testing.assert_array_equal(decode_grid(payload, 200, EIGHT, model, 2), codes)


def test_damage_and_other_models_are_noticed(context_model: ContextModel, random_tables: MakeTables) -> None:
    payload = encode_grid(np.random.default_rng(4).integers(0, 256, (20, 3)), EIGHT, context_model, 2)
    for place in range(0, len(payload), 3):
        damaged = bytearray(payload)
        damaged[place] ^= 0x10
        with pytest.raises(InvalidPayload, match="checksum"):
            decode_grid(bytes(damaged), 3, EIGHT, context_model, 2)
    other = ContextModel(IntegerNetwork(random_tables(20, 256, 1)), "id", {})
    with pytest.raises(InvalidPayload, match="another model"):
        decode_grid(payload, 3, EIGHT, other, 2)


CODE_IN_A_PROCESS = """
import sys, hashlib
import numpy as np
from pathlib import Path
from codecbench_spc.bits.context import load
from codecbench_spc.bits.layout import Layout
from codecbench_spc.bits.rangecoder import decode_grid
model = load(Path(sys.argv[1]), "abc")
codes = decode_grid(bytes.fromhex(sys.argv[2]), int(sys.argv[3]), Layout(20, 12), model, 2)
print(hashlib.sha256(codes.tobytes()).hexdigest())
"""


def wide_tables() -> Tables:
    """Tables of the shipped size, for which libraries do change the order of summation with the threads."""
    rng = np.random.default_rng(8)

    def small(*shape: int, spread: int = 60) -> np.ndarray:
        return rng.integers(-spread, spread + 1, shape).astype(np.int8)

    def bias(*shape: int) -> np.ndarray:
        return rng.integers(-1000, 1001, shape).astype(np.int32)

    inputs = 24 * len(NEIGHBOURS)
    return Tables(
        small(4097, 24), small(inputs, 192), bias(4, 20, 192), small(192, 192), bias(192),
        small(192, 96), bias(96), small(96, 4096, spread=9), bias(4, 4096),
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
def test_another_process_with_other_threads_decodes_the_same(threads: int, tmp_path: Path) -> None:
    tables = wide_tables()
    path = tmp_path / "tables.safetensors"
    save(path, tables, "abc", {}, {})
    codes = np.random.default_rng(2).integers(0, 4096, (20, 5))
    payload = encode_grid(codes, Layout(20, 12), load(path, "abc"), 2)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    arguments = [sys.executable, "-c", CODE_IN_A_PROCESS, str(path), payload.hex(), "5"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == hashlib.sha256(codes.tobytes()).hexdigest()


def test_columns_in_any_portion_have_the_same_probabilities(context_model: ContextModel) -> None:
    codes = np.random.default_rng(6).integers(0, 256, (20, 10))
    whole = context_model.of_columns(codes, EIGHT, 0, 10)
    parts = [context_model.of_columns(codes, EIGHT, start, start + 1) for start in range(10)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_golden_bytes(context_model: ContextModel) -> None:
    """Bytes of an earlier program stay readable: the versions differ in the checksum of such a grid."""
    codes = (np.arange(40).reshape(20, 2) * 37) % 256
    coded = "003ee77b58a523b0c8c37a23bfdc93a2a92d13db73f427e5d372a1b6b7c888d4a73dec585e2851c218998e"
    assert encode_grid(codes, EIGHT, context_model, 2).hex() == coded + "819a"
    for version, checksum in ((1, "f722"), (2, "819a")):
        data = bytes.fromhex(coded + checksum)
        np.testing.assert_array_equal(decode_grid(data, 2, EIGHT, context_model, 2, version), codes)


def test_a_table_file_comes_back_and_belongs_to_one_model(tmp_path: Path, random_tables: MakeTables) -> None:
    tables = random_tables(20, 256)
    path = tmp_path / "t.safetensors"
    save(path, tables, "abc", {"8-ec": 6.5}, {"steps": 3})
    assert rates(path) == {"8-ec": 6.5}
    assert load(path, "abc").bits_per_token == {"8-ec": 6.5}
    with pytest.raises(Unavailable, match="another checkpoint"):
        load(path, "abd")


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(100)])
def test_damaged_table_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="not a table file"):
        load(path, "abc")


def test_tables_that_could_leave_the_exact_integers_are_refused(random_tables: MakeTables) -> None:
    tables = random_tables(20, 256)
    large = tables.middle_bias.copy()
    large[0] = 1 << 24
    with pytest.raises(InvalidInput, match="exact integers"):
        IntegerNetwork(dataclasses.replace(tables, middle_bias=large))


def test_tables_of_other_shapes_are_refused(random_tables: MakeTables) -> None:
    tables = random_tables(20, 256)
    with pytest.raises(InvalidInput, match="'last'"):
        IntegerNetwork(dataclasses.replace(tables, last=tables.last[:-1]))
    with pytest.raises(InvalidInput, match="'embedding'"):
        IntegerNetwork(dataclasses.replace(tables, embedding=tables.embedding.astype(np.float32)))


def test_paired_rows_are_coded_losslessly_with_the_biases_of_their_rate(random_tables: MakeTables) -> None:
    """Ten tokens of twelve bits stand for the twenty of six that the last rate has else."""
    tables = random_tables(20, 4096)
    model, paired = ContextModel(IntegerNetwork(tables), "id", {}), Layout(10, 12, 2)
    codes = np.random.default_rng(7).integers(0, 4096, (10, 9))
    payload = encode_grid(codes, paired, model, 2)
    np.testing.assert_array_equal(decode_grid(payload, 9, paired, model, 2), codes)
    found = model.of_columns(codes, paired, 0, 9)
    assert not np.array_equal(found, model.of_columns(codes, Layout(10, 12), 0, 9))
    biased = dataclasses.replace(tables, codes_bias=np.roll(tables.codes_bias, 1, axis=0))
    rolled = dataclasses.replace(biased, hidden_bias=np.roll(tables.hidden_bias, 1, axis=0))
    other = ContextModel(IntegerNetwork(rolled), "id", {})
    np.testing.assert_array_equal(found, other.of_columns(codes, Layout(10, 12), 0, 9))
