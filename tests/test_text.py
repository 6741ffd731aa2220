"""Text from outside is shown on one line, harmless, bounded, and as valid Unicode."""

from __future__ import annotations

import os

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from codecbench.text import csv_safe, one_line, printable, shown_name


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.encode().decode() == line
    assert "\n" not in line and "\x1b" not in line
    assert all(letter.isprintable() for letter in line)


def test_escapes_stay_visible_and_spaces_fall_together() -> None:
    assert one_line("a\x1b[31mred\r\n  b\udcff\u202ec") == r"a\x1b[31mred b\udcff\u202ec"


def test_long_messages_are_cut_and_the_rest_is_counted() -> None:
    line = one_line("x" * 5_000_000)
    assert line.startswith("x" * 2000) and line.endswith("\N{HORIZONTAL ELLIPSIS} (4998000 more letters)")
    assert one_line("x" * 2000) == "x" * 2000
    assert one_line("abcdef", most=3) == "abc\N{HORIZONTAL ELLIPSIS} (3 more letters)"


def test_names_keep_their_bytes_visible_and_their_form_composed() -> None:
    assert shown_name(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"
    assert shown_name("cafe\N{COMBINING ACUTE ACCENT}") == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    assert shown_name("a\nb") == r"a\nb"
    assert printable("a b") == "a b"


def test_no_cell_is_a_formula_and_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"name": ["=1+1", "+1", "-x", "@A1", "plain", None], "value": [-1.0, 2, 3, 4, 5, 6]})
    safe = csv_safe(frame)
    assert list(safe["name"])[:5] == ["'=1+1", "'+1", "'-x", "'@A1", "plain"]
    assert list(safe["value"]) == list(frame["value"])
