"""Speakers by how corpora name their files."""

from __future__ import annotations

import pytest

from codecbench.data.speakers import speakers_of

KNOWN = [
    (["1089-134686-0000", "121-121726-0001"], ["1089", "121"], "LibriSpeech"),
    (["p225_001_mic1", "p225_002_mic1", "p226_001_mic1"], ["p225", "p225", "p226"], "pNNN"),
    (["DR1/FCJF0/SA1", "DR1/MDAB0/SA1"], ["FCJF0", "MDAB0"], "TIMIT"),
    (["dr1_fcjf0_sa1", "dr1_mdab0_sx9"], ["fcjf0", "mdab0"], "TIMIT"),
    (["DR1-FCJF0.SA1"], ["FCJF0"], "TIMIT"),
    (["p001/emo_adoration_freeform", "p002/rainbow_01_fast"], ["p001", "p002"], "EARS"),
    (["p001_emo_adoration_freeform", "p002_rainbow_01_fast"], ["p001", "p002"], "EARS"),
    (["dis-f1-b1", "gio-m3-l2"], ["f1", "m3"], "EMOVO"),
    (
        ["id10270/x/00001", "id10270/y/00001", "id10271/x/00002"],
        ["id10270", "id10270", "id10271"],
        "VoxCeleb",
    ),
    (["03-01-06-01-02-01-12", "03-01-06-01-02-01-07"], ["12", "07"], "RAVDESS"),
    (["1001_DFA_ANG_XX", "1002_DFA_ANG_XX"], ["1001", "1002"], "CREMA-D"),
    (["03a01Fa", "08b02Wb"], ["03", "08"], "Emo-DB"),
    (["f1_script1", "m2_script1"], ["f1", "m2"], "fN or mN"),
    (["a_spk01_x", "a_spk02_x"], ["spk01", "spk02"], "spkN"),
    (["anna/1", "ben/1"], ["anna", "ben"], "one folder each"),
    (["anna/wav/1", "ben/wav/1"], ["anna", "ben"], "one folder each"),
    (["a", "b"], ["set", "set"], "the folder"),
    (["p225_1", "x", "y"], ["set", "set", "set"], "the folder"),
]


@pytest.mark.parametrize(("names", "expected", "how"), KNOWN)
def test_speakers_are_told_by_the_scheme_that_fits(names: list[str], expected: list[str], how: str) -> None:
    told, words = speakers_of(names, "set")
    assert told == expected
    assert how in words


def test_the_folder_itself_may_be_a_speakers() -> None:
    assert speakers_of(["SA1", "SX3"], "FCJF0")[0] == ["FCJF0", "FCJF0"]


def test_a_few_other_files_do_not_hide_the_scheme() -> None:
    names = [f"p{number}_001" for number in range(225, 245)] + ["noise"]
    told, _ = speakers_of(names, "set")
    assert told[:2] == ["p225", "p226"] and told[-1] == "set"
