"""Codec lists and rates, read as they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecbench.errors import InvalidInput
from codecbench.run.requests import Request, parse_codecs, parse_rates, parse_tolerance

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
POINTS = st.lists(
    st.from_regex(r"[0-9]{1,2}(\.[0-9])?(-[0-9]{2}ms)?", fullmatch=True), max_size=3, unique=True
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("opus", [Request("opus")]),
        ("opus,codec2", [Request("opus"), Request("codec2")]),
        (" opus , codec2 ", [Request("opus"), Request("codec2")]),
        ("opus@8", [Request("opus", ("8",))]),
        ("opus@8+12", [Request("opus", ("8", "12"))]),
        ("opus@6-60ms", [Request("opus", ("6-60ms",))]),
        ("opus@8,opus@12+8", [Request("opus", ("8", "12"))]),
        ("spc:a/b.safetensors@7.5", [Request("spc:a/b.safetensors", ("7.5",))]),
        ("spc:dir@home/b.st", [Request("spc:dir@home/b.st")]),
        ("spc:dir@home/b.st@6", [Request("spc:dir@home/b.st", ("6",))]),
        (r"spc:C:\models\b.st@6", [Request(r"spc:C:\models\b.st", ("6",))]),
    ],
)
def test_parse_codecs(text: str, expected: list[Request]) -> None:
    assert parse_codecs(text) == expected


@pytest.mark.parametrize("text", ["", ",", "opus,", "opus@", "@8", "opus@8+", "opus,opus", "opus,opus@8"])
def test_parse_codecs_refuses(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_codecs(text)


def test_files_of_one_name_are_told_apart_by_the_folder_that_differs() -> None:
    for text, labels in [
        ("spc:a/one.st,spc:b/two.st", ["spc:one", "spc:two"]),
        ("spc:a/model.st,spc:b/model.st", ["spc:a", "spc:b"]),
        ("spc:a/x/model.st,spc:b/x/model.st,opus", ["spc:a", "spc:b", "opus"]),
        ("spc:a/x/m.st,spc:b/x/m.st,spc:b/x/n.st", ["spc:a", "spc:b", "spc:n"]),
    ]:
        assert [request.label for request in parse_codecs(text)] == labels


def test_a_label_stands_before_its_codec() -> None:
    assert parse_codecs("old=spc:a/m.st@7.5,new=spc:a/m.st@6") == [
        Request("spc:a/m.st", ("7.5",), "old"),
        Request("spc:a/m.st", ("6",), "new"),
    ]
    assert parse_codecs("folder:a=b") == [Request("folder:a=b")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spc:model.st,spc:a/model.st", "share the label 'spc:model'; label them"),
        ("old=spc:a.st,old=spc:b.st", "share the label 'old'"),
        ("opus=spc:a.st,opus", "share the label 'opus'"),
        ("a b=opus", "the label 'a b' cannot be used"),
        ("=opus", "the label '' cannot be used"),
        ("old=", "empty part"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_codecs(text)


@given(st.dictionaries(NAMES, POINTS, min_size=1, max_size=4))
def test_parse_reads_what_is_written(wanted: dict[str, list[str]]) -> None:
    text = ",".join(name + ("@" + "+".join(chosen) if chosen else "") for name, chosen in wanted.items())
    assert parse_codecs(text) == [Request(name, tuple(chosen)) for name, chosen in wanted.items()]


@pytest.mark.parametrize(("text", "expected"), [("10%", 0.1), ("0.1", 0.1), ("2.5%", 0.025)])
def test_parse_tolerance(text: str, expected: float) -> None:
    assert parse_tolerance(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "six", "0", "-6", "nan", "inf", "6,,9"])
def test_parse_rates_refuses(text: str) -> None:
    with pytest.raises(InvalidInput, match="kbit/s"):
        parse_rates(text)
