"""Lists of reference and decoded files."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecbench.errors import InvalidInput
from codecbench.pairs import read


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "a,b\n", "its first line must name the columns 'ref' and 'deg'"),
        ("x.csv", "", "it has none"),
        ("x.csv", "ref,deg\n", "names no pair of files"),
        ("x.csv", "ref,deg\na.wav,\n", "line 2: a file is missing"),
        ("x.csv", "ref,deg\na.wav,b.wav\na.wav,b.wav\n", "line 3: names the reference 'a.wav' again"),
        ("x.csv", "ref,deg\na.wav,c.wav\n", "line 2: no file c.wav"),
        ("x.scp", "a.wav b.wav\n", "line 1: needs an id, a reference and a decoded file"),
        ("x.scp", "\n\n", "names no pair of files"),
    ],
)
def test_errors_name_list_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    for file in ("a.wav", "b.wav"):
        (tmp_path / file).write_bytes(b"x")
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=message) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.scp").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not text in UTF-8"):
        read(tmp_path / "x.scp")


def test_paths_are_seen_from_the_list_or_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    for name in ("a.wav", "lists/b.wav"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists" / "x.csv").write_text("Reference,decoded,language\na.wav,b.wav,it\n")
    (pair,) = read(tmp_path / "lists" / "x.csv")
    assert (pair.name, pair.reference, pair.decoded) == (
        "a",
        tmp_path / "a.wav",
        tmp_path / "lists" / "b.wav",
    )
    assert pair.about == {"language": "it"}
