"""Transcripts of a set: LibriSpeech's lists beside the audio, the manifest's column first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench.data.folders import listed_dataset, load_dataset
from codecbench.errors import InvalidInput

CHAPTER = Path("121/121726")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / CHAPTER).mkdir(parents=True)
    for number in range(3):
        wave = np.random.default_rng(number).uniform(-0.1, 0.1, 1600)
        soundfile.write(tmp_path / CHAPTER / f"121-121726-000{number}.flac", wave, 16_000)
    return tmp_path


def _list(folder: Path, content: bytes, name: str = "121-121726.trans.txt") -> None:
    (folder / CHAPTER / name).write_bytes(content)


def _texts(folder: Path) -> list[str | None]:
    return [item.about.get("text") for item in load_dataset(str(folder)).utterances]


def test_lines_are_given_to_the_files_of_their_folder(folder: Path) -> None:
    revision = load_dataset(str(folder)).revision
    _list(folder, b"121-121726-0000 ALSO A  POPULAR\r\n\n121-121726-0002\n121-121726-0009 NO FILE\n")
    (folder / "other.trans.txt").write_text("121-121726-0001 OF ANOTHER FOLDER\n")
    assert _texts(folder) == ["ALSO A POPULAR", None, None]
    assert load_dataset(str(folder)).revision == revision


def test_the_column_of_a_manifest_comes_first(folder: Path) -> None:
    _list(folder, b"121-121726-0000 FROM THE LIST\n121-121726-0001 FROM THE LIST\n")
    rows = [f"{CHAPTER}/121-121726-000{number}.flac,a," for number in range(2)]
    (folder / "manifest.csv").write_text(f"file,speaker,text\n{rows[0]}Own text\n{rows[1]}\n")
    assert _texts(folder) == ["Own text", "FROM THE LIST"]


def test_lists_of_pairs_have_transcripts_too(folder: Path) -> None:
    _list(folder, b"121-121726-0000 FROM THE LIST\n")
    names = [str(CHAPTER / f"121-121726-000{number}.flac") for number in range(2)]
    (folder / "pairs.csv").write_text(f"ref,deg,text\n{names[0]},{names[0]},\n{names[1]},{names[1]},Own\n")
    assert [item.about.get("text") for item in listed_dataset(folder / "pairs.csv").utterances] == [
        "FROM THE LIST",
        "Own",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"121-121726-0000 \xff\n", r"trans\.txt: not text in UTF-8"),
        (
            b"121-121726-0000 A\n121-121726-0000 B\n",
            r"trans\.txt, line 2: another text for '121-121726-0000'",
        ),
    ],
)
def test_malformed_lists_are_named(folder: Path, content: bytes, message: str) -> None:
    _list(folder, content)
    with pytest.raises(InvalidInput, match=message):
        load_dataset(str(folder))


def test_a_folder_in_the_place_of_a_list_is_named(folder: Path) -> None:
    (folder / CHAPTER / "x.trans.txt").mkdir()
    with pytest.raises(InvalidInput, match=r"x\.trans\.txt: cannot be read"):
        load_dataset(str(folder))
