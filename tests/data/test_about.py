"""What a folder says of itself in ``dataset.toml``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench.data.folders import folder_dataset
from codecbench.errors import InvalidInput


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.zeros(800), 16_000)
    return folder


def test_a_plain_folder_has_a_name_and_a_licence(speech: Path) -> None:
    plain = folder_dataset(speech)
    assert (plain.name, plain.licence, plain.description) == ("speech", "", "")
    (speech / "dataset.toml").write_text('name = "calls-2024"\nlicence = "CC-BY-4.0"\n')
    said = folder_dataset(speech)
    assert (said.name, said.licence) == ("calls-2024", "CC-BY-4.0")
    # What the set is called does not change what it is.
    assert said.revision == plain.revision
    assert folder_dataset(speech, name="other", licence="CC0-1.0").licence == "CC0-1.0"


def test_a_manifest_tells_the_licence_that_all_its_files_have(speech: Path) -> None:
    soundfile.write(speech / "b.wav", np.zeros(800), 16_000)
    rows = "file,speaker,licence\na.wav,x,CC-BY-4.0\nb.wav,y,{}\n"
    (speech / "manifest.csv").write_text(rows.format("CC-BY-4.0"))
    assert folder_dataset(speech).licence == "CC-BY-4.0"
    (speech / "manifest.csv").write_text(rows.format("CC0-1.0"))
    assert folder_dataset(speech).licence == ""


def test_a_byte_order_mark_of_windows_is_passed_over(speech: Path) -> None:
    (speech / "dataset.toml").write_text('name = "calls-2024"\n', encoding="utf-8-sig")
    assert folder_dataset(speech).name == "calls-2024"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"licence = CC0", "not TOML"),
        (b"\xff", "not TOML"),
        (b'license = "CC0"', "unknown key 'license'; did you mean 'licence'?"),
        (b"licence = 4", "licence is no line of text"),
        (b'description = """a\nb"""', "description is no line of text"),
        (b'name = "../x"', "the name '../x' cannot be used; a name is letters"),
    ],
)
def test_a_file_that_says_nothing_usable_is_refused(speech: Path, content: bytes, message: str) -> None:
    (speech / "dataset.toml").write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        folder_dataset(speech)
    assert message in str(caught.value) and "dataset.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
