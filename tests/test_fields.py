"""Checks of our own JSON name the field and what is wrong with it, in one line, for anything JSON can say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecbench import fields
from codecbench.errors import InvalidInput
from codecbench.fields import Wrong, parse_json

CHECK = fields.record(
    {
        "name": fields.text(5), "n": fields.whole(0, 9), "share": fields.number(0, 1), "on": fields.truth,
        "kind": fields.one_of("a", 1), "map": fields.map_of(fields.maybe(fields.number())),
        "list": fields.distinct("id", fields.list_of(fields.record({"id": fields.text()}), 1)),
    },
    {"more": fields.text()},
)  # fmt: skip
GOOD = {"name": "x", "n": 1, "share": 0.5, "on": True, "kind": 1, "map": {"a": None}, "list": [{"id": "i"}]}
WRONG = [
    ({"name": 1}, "'name' is 1, not text"),
    ({"name": "123456"}, "'name' has 6 letters where 5"),
    ({"n": 1.0}, "'n' is 1.0, not a whole number"),
    ({"n": True}, "'n' is true"),
    ({"n": 10**400}, "a huge number"),
    ({"share": 1.5}, "'share' is 1.5, not a number from 0 to 1"),
    ({"share": True}, "'share' is true"),
    ({"on": 1}, "'on' is 1, not true or false"),
    ({"kind": True}, "'kind' is true, not 'a' or 1"),
    ({"map": {"a": "x"}}, "'map.a' is \"x\""),
    ({"map": []}, "'map' is a list of 0, not an object"),
    ({"list": []}, "'list' is a list of 0, not a list of 1 or more"),
    ({"list": [{"id": "i"}, {"id": "i"}]}, "'list[1].id' is \"i\" for the second time"),
    ({"list": [{}]}, "'list[0].id' is missing"),
    ({"more": None}, "'more' is null"),
]


def test_what_is_right_passes_and_unknown_fields_do_no_harm() -> None:
    CHECK(GOOD, "")
    CHECK({**GOOD, "newer": [1], "more": "x"}, "")


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_is_wrong_is_named(change: dict, message: str) -> None:
    with pytest.raises(Wrong) as caught:
        CHECK({**GOOD, **change}, "")
    assert message in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_any_value_passes_or_is_refused(name: str, value: object) -> None:
    try:
        CHECK({**GOOD, name: value}, "")
    except Wrong as error:
        assert "\n" not in str(error) and len(str(error)) < 500


@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"\xff\xfe\0", b"1" * 10_000, b'"\x80"']
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(Wrong):
        parse_json(data)


def test_lone_surrogates_become_their_escapes() -> None:
    assert parse_json(b'{"\\ud800": ["a\\udfffb", "\\ud83d\\ude00"]}') == {
        "\\ud800": ["a\\udfffb", "\N{GRINNING FACE}"]
    }


def test_a_file_is_named_with_its_field(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"name": 1}')
    with pytest.raises(
        InvalidInput, match=r"x\.json: not a thing: the field 'name' is 1, not text; try again"
    ):
        fields.read_json(tmp_path / "x.json", CHECK, "a thing", "try again")
    (tmp_path / "x.json").write_text("{\n\n x}")
    with pytest.raises(
        InvalidInput, match=r"x\.json: not a thing: it cannot be read as JSON .*line 3 column 2"
    ):
        fields.read_json(tmp_path / "x.json", CHECK, "a thing", "try again")
