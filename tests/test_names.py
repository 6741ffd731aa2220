"""Ids of utterances: unique, bounded, plain file names; pair names equal on all systems."""

from __future__ import annotations

import os
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from codecbench.names import MOST_BYTES, pair_name, safe_name, utterance_ids

PART = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=60
).filter(lambda text: text not in (".", ".."))


@given(st.lists(st.lists(PART, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8, unique=True))
def test_ids_are_unique_bounded_and_plain(paths: list[str]) -> None:
    files = [f"{path}.wav" for path in paths]
    ids = utterance_ids(files)
    assert len({ident.casefold() for ident in ids}) == len(files)
    assert all(len(ident.encode()) <= MOST_BYTES and "/" not in ident for ident in ids)
    assert all(safe_name(ident) == ident for ident in ids)


def test_plain_stems_stay_and_their_folders_come_where_stems_collide() -> None:
    assert utterance_ids(["a.wav", "x/b.wav", "y/b.wav"]) == ["a", "x-b", "y-b"]


def test_what_is_no_plain_name_has_an_id_of_its_own_whatever_lies_beside_it() -> None:
    alone = utterance_ids(["a b.wav"])
    assert alone[0].startswith("a-b-")
    assert utterance_ids(["a b.wav", "a-b.wav", "a#b.wav"])[0] == alone[0]
    assert utterance_ids(["a-b.wav"]) == ["a-b"]


def test_two_forms_of_one_name_pair_and_give_one_id() -> None:
    composed = unicodedata.normalize("NFC", "Zo\u00eb/\u00e9t\u00e9.wav")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert pair_name(composed) == pair_name(decomposed)
    assert utterance_ids([composed]) == utterance_ids([decomposed])
    assert len(set(utterance_ids([composed, decomposed]))) == 2


def test_bytes_that_are_no_utf8_stay_apart() -> None:
    names = [os.fsdecode(b"caf\xe9.wav"), os.fsdecode(b"caf\xe8.wav")]
    assert pair_name(names[0]) == r"caf\xe9"
    assert len(set(utterance_ids(names))) == 2


def test_names_that_windows_keeps_for_itself_are_not_used() -> None:
    assert safe_name("con") != "con" and safe_name("COM1.x") != "COM1.x"
    assert safe_name("console") == "console"
