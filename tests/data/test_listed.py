"""Errors of manifest.csv name the true line and the true reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecbench.data import listed
from codecbench.errors import InvalidInput

CASES = [
    ("file;speaker\na.wav;x\n", "separated by semicolons"),
    ("file\tspeaker\na.wav\tx\n", "separated by tabs"),
    ("File, Speaker\na.wav,x\n", "it has 'File', ' Speaker'"),
    ("\nfile,speaker\n\na.wav,x\n\na.wav,x\n", "row 6: 'a.wav' is listed twice"),
    ('file,speaker,note\na.wav,x,"two\nlines"\n,y,z\n', "row 4: needs the columns"),
    ("file,speaker,file\na.wav,x,a.wav\n", "names a column twice"),
    ("file,speaker\n{root}/a.wav,x\n", "is an absolute path; write 'a.wav'"),
    ("file,speaker\n/elsewhere/a.wav,x\n", "outside the folder"),
    ("file,speaker\na\0.wav,x\n", "null character"),
]


@pytest.mark.parametrize(("content", "expected"), CASES)
def test_the_true_reason_is_given(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "manifest.csv").write_text(content.replace("{root}", str(tmp_path)))
    with pytest.raises(InvalidInput) as caught:
        listed.read(tmp_path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_blank_lines_and_more_columns_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "manifest.csv").write_text("\n\nspeaker,file,note\n\nann,./a.wav,\n")
    assert listed.read(tmp_path) == {"a.wav": {"speaker": "ann", "note": ""}}
