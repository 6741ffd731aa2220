"""Figures of docs/spc-bitstream.md are those of the code; tests/spc/bits decode by the page's own words."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codecbench_spc.bits import bitstream, context, context_tables, rangecoder
from codecbench_spc.bits.bitstream import CHECK_BYTES, COLUMN_SAMPLES, HEADER_BYTES, PACKET_COLUMNS, Mode
from codecbench_spc.bits.layout import PATCH_ROWS, layouts_of
from codecbench_spc.codec import COLUMN_RATE_HZ, SAMPLE_RATE_HZ, Spc
from codecbench_spc.model.header import describe, folder
from told import Told, missing, read, unheld

PAGE = "docs/spc-bitstream.md"
BITS = context_tables.RATES
BOOK_BITS = 8


def point(bits: int) -> tuple[Any, ...]:
    """Return the row of a rate: tokens and bits of spc, then of rvq, bytes a column, rate."""
    total = PATCH_ROWS * bits
    kbps = total * COLUMN_RATE_HZ / 1000
    return f"{kbps:g}", PATCH_ROWS, bits, total // BOOK_BITS, BOOK_BITS, total // 8, f"{kbps:g}"


def shift(layer: str, into: int) -> int:
    """Return by how many bits a layer's sum is shifted down to ``into`` digits after the point."""
    known = context.EMBEDDING_BITS if layer == "hidden" else context.HIDDEN_BITS
    return known + context.WEIGHT_BITS[layer] - into


def halves(layer: str) -> tuple[int, int]:
    """Return the exponent of the half that is added before a shift, and the shift."""
    down = shift(layer, context.HIDDEN_BITS)
    return down - 1, down


def offsets() -> tuple[str, ...]:
    """Return the neighbours as the page lists them, a column of tokens after the other."""
    parts: dict[int, list[str]] = {}
    for row, column in context_tables.NEIGHBOURS:
        parts.setdefault(column, []).append(f"({row},{column})")
    return tuple(" ".join(part) for part in parts.values())


def paired(each: bool) -> tuple[int, int]:
    """Return tokens a column and their bits at the lowest rate, with paired rows or without."""
    table = {"codebook_size": 4096, "paired": each}
    layout = layouts_of(table, Path("made up"))[BITS[-1]]
    return layout.rows, layout.code_bits


def fields() -> list[tuple[str, Callable[[], Any]]]:
    """Return the rows of the header: offset, bytes, words."""
    formats = re.findall(r"\d*[a-zA-Z]", bitstream._FIELDS.format + bitstream._CHECKSUM.format)
    sizes = [struct.calcsize(f"<{each}") for each in formats]
    starts = itertools.accumulate([0, *sizes[:-1]])
    words = (
        f"`{bitstream.MAGIC.decode()}`", f"version, {rangecoder.VERSION}",
        "codec: " + ", ".join(f"{at} `{kind}`" for at, kind in enumerate(bitstream.KINDS)),
        "bits a patch: {}, {}, {} or {}".format(*BITS),
        "mode: " + ", ".join(f"{mode.value} {mode.name.lower()}" for mode in Mode),
        "model:", "length in samples", "bytes of the payload", "CRC-32 of the 24 bytes before it",
    )  # fmt: skip
    rows = zip(starts, sizes, words, strict=True)
    return [(f"| {start} | {size} | {word}".replace("{", "{{"), tuple) for start, size, word in rows]


SAID: list[tuple[str, Callable[[], Any]]] = [
    ("{:g} kHz speech of `n` samples has `T = ceil(n / {})` columns, {:g} a second", lambda: (
        SAMPLE_RATE_HZ / 1000, COLUMN_SAMPLES, COLUMN_RATE_HZ)),
    ("one token for each of {} patches", lambda: PATCH_ROWS),
    *(("| `{}` | {} x {} | {} x {} | {} | {} |", lambda bits=bits: point(bits)) for bits in BITS),
    ("{} tokens of {} bits a column in place of {} of {}", lambda: (
        *paired(True), *paired(False))),
    *fields(),
    ("| {} | | payload |", lambda: HEADER_BYTES),
    ("exactly in mode {}, at least one byte of the range coder for {} columns in modes {} and {}", lambda: (
        Mode.FIXED.value, rangecoder.RULES[rangecoder.VERSION].columns_per_byte,
        Mode.STREAM.value, Mode.PACKETS.value)),
    ("those of mode {}, in fewer bytes", lambda: Mode.FIXED.value),
    ("Mode {} codes all columns with one range coder", lambda: Mode.STREAM.value),
    ("Mode {} makes a packet of every four columns ({:g} ms)", lambda: (
        Mode.PACKETS.value, 1000 * PACKET_COLUMNS / COLUMN_RATE_HZ)),
    ("- Mode {}: what the range coder gives, then two bytes", lambda: (
        Mode.STREAM.value if CHECK_BYTES[Mode.STREAM] == 2 else "?")),
    ("- Mode {}: for each packet its length (seven bits a byte", lambda: (
        Mode.PACKETS.value if CHECK_BYTES[Mode.PACKETS] == 1 else "?")),
    ("CRC-16 with polynomial 0x1021, from 0xFFFF, not reflected, over the number of columns", tuple),
    ("(of the packet in mode {};", lambda: Mode.PACKETS.value),
    ("(mode {}: the packet)", lambda: Mode.PACKETS.value),
    ("row 0 first", tuple),
    ("that number modulo 256^n - 1, plus one", tuple),
    ("mode {} adds {:g} ms to the {:g} ms of delay, mode {} is for files", lambda: (
        Mode.PACKETS.value, 1000 * (PACKET_COLUMNS - 1) / COLUMN_RATE_HZ, Spc().info.algorithmic_delay_ms,
        Mode.STREAM.value)),
    ("rows {}, ...; then {}, ...; then the odd ones", lambda: tuple(
        ", ".join(map(str, group[:3])) for group in context.groups(PATCH_ROWS)[:2])),
    ("({}-bit words, 64-bit state, {}-bit probabilities)", lambda: (
        rangecoder._WORD_BITS, context.PRECISION)),
    ("starting at 0 and 2^64 - 1", tuple),
    ("integer probabilities `p` (in parts of 2^{})", lambda: context.PRECISION),
    ("unit = width >> {} low", lambda: context.PRECISION),
    ("(p[0] + ... + p[k - 1])", tuple),
    ("if width < 2^{}: low, width = low * 2^{}, width * 2^{}", lambda: (
        (rangecoder._WORD_BITS,) * 3)),
    ("counted from 64 bits before the point", tuple),
    ("sums stay below 2^{} in magnitude", lambda: context.EXACT.bit_length() - 1),
    ("{} neighbours as (row, column) offsets, in this order: {}; {}; {}; {}.", lambda: (
        len(context_tables.NEIGHBOURS), *offsets())),
    ("the position of the bits in ({}, {}, {}, {})", lambda: BITS),
    ("x0 = embedding[neighbour], joined {} D numbers", lambda: len(context_tables.NEIGHBOURS)),
    ("x1 = clip((x0 hidden + hidden_bias[r, f] + 2^{}) >> {}, 0, 127)", lambda: halves("hidden")),
    ("x2 = clip((x1 middle + middle_bias + 2^{}) >> {}, 0, 127)", lambda: halves("middle")),
    ("x3 = clip((x2 last + last_bias + 2^{}) >> {}, -127, 127)", lambda: halves("last")),
    ("s = x3 codes + codes_bias[r] first 2^b codes only", tuple),
    ("w = E[min((max(s) - s) >> {}, {})], E[i] = round(2^22 exp(-i / {}))", lambda: (
        shift("codes", context.LOGIT_BITS), context.exponentials().size - 1, 1 << context.LOGIT_BITS)),
    ("q = w (2^{} - 2^b) div sum(w)", lambda: context.PRECISION),
    ("gets what is missing to 2^{} - 2^b p = q + 1", lambda: context.PRECISION),
    ("computed with 40 decimal digits", tuple),
    ("Mode {} has no checksum of its own", lambda: Mode.FIXED.value),
    ("in modes {} and {} the packets after a lost one", lambda: (Mode.FIXED.value, Mode.PACKETS.value)),
    ("Files of version {} differ in the version's byte, in the checksum of modes {} and {} (from 0", lambda: (
        min(rangecoder.RULES), Mode.STREAM.value, Mode.PACKETS.value)),
    ("the least number of bytes (`ceil(T / {})`)", lambda: rangecoder.RULES[1].columns_per_byte),
    ("tokens in version {}'s payload", lambda: rangecoder.VERSION),
    ("why there is a version {}", lambda: rangecoder.VERSION),
]  # fmt: skip
TOLD = [Told(text, figures) for text, figures in SAID]


@pytest.mark.parametrize("item", TOLD, ids=[item.text[:40] for item in TOLD])
def test_what_the_page_says_is_what_the_code_does(item: Told) -> None:
    assert missing(read(PAGE), item) is None


def test_no_other_figure_stands_on_the_page() -> None:
    assert unheld(read(PAGE), TOLD) == []


def test_books_of_the_control_have_the_bits_that_the_table_says() -> None:
    config = describe(folder() / "rvq.safetensors").config["vqvae"]
    assert config["book_size"] == 1 << BOOK_BITS
    assert config["nested"]
    assert not describe(folder() / "spc.safetensors").config["vqvae"]["nested"]
