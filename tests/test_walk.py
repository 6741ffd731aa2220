"""One walk through folders of audio: links, loops, runs, pipes, odd names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codecbench import audio, foreign, walk
from codecbench.errors import InvalidInput


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_a_file_is_found_by_its_true_path_and_once(tmp_path: Path) -> None:
    _touch(tmp_path, "real/a.wav")
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    assert walk.find(tmp_path).files == ["real/a.wav"]


def test_loops_and_links_upwards_are_not_followed(tmp_path: Path) -> None:
    _touch(tmp_path, "set/x/a.wav", "foreign.wav")
    (tmp_path / "set" / "x" / "up").symlink_to(tmp_path)
    (tmp_path / "set" / "self").symlink_to(tmp_path / "set")
    for name in ("endless", "endless.wav"):
        (tmp_path / "set" / name).symlink_to(name)
    assert walk.find(tmp_path / "set").files == ["endless.wav", "x/a.wav"]
    with pytest.raises(InvalidInput, match="Too many levels of symbolic links"):
        audio.load(tmp_path / "set" / "endless.wav")


@pytest.mark.parametrize("marks", [("manifest.json", "records.jsonl"), ("codecbench-report",)])
def test_output_of_the_suite_is_not_looked_into_and_said(tmp_path: Path, marks: tuple[str, ...]) -> None:
    _touch(tmp_path, "a.wav", "runs/x/audio/reference/a.flac", *(f"runs/x/{name}" for name in marks))
    found = walk.find(tmp_path)
    assert found.files == ["a.wav"]
    assert any("runs/x is output of codecbench" in note for note in found.notes)


def test_a_run_in_the_folder_itself_hides_its_kept_speech_only(tmp_path: Path) -> None:
    _touch(tmp_path, "manifest.json", "records.jsonl", "a.wav", "audio/own.wav", "audio/opus@6/a.flac")
    assert walk.find(tmp_path).files == ["a.wav", "audio/own.wav"]
    _touch(tmp_path / "plain", "audio/opus@6/a.flac")
    assert walk.find(tmp_path / "plain").files == ["audio/opus@6/a.flac"]


def test_folders_to_leave_out_are_left_out(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "deg/a.wav")
    assert walk.find(tmp_path, [tmp_path / "deg"]).files == ["a.wav"]
    assert walk.find(tmp_path / "deg", [tmp_path / "deg"]).files == ["a.wav"]


def test_pipes_and_devices_are_left_out_with_a_word(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.flac").symlink_to("/dev/zero")
    found = walk.find(tmp_path)
    assert found.files == ["a.wav"]
    assert sorted(note.split(" is ")[0].rpartition("/")[2] for note in found.notes) == [
        "pipe.wav",
        "zero.flac",
    ]


def test_bytes_of_names_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9-" + b"x" * 244 + b".wav")  # 253 bytes
    _touch(tmp_path, name)
    assert walk.find(tmp_path).files == [name]
    assert (tmp_path / walk.find(tmp_path).files[0]).read_bytes() == b"x"


def test_audio_that_cannot_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "a.wav", "b.m4a", "c.m4a", "d.raw", "notes.txt")
    monkeypatch.setattr(foreign, "is_installed", lambda: False)
    found = walk.find(tmp_path)
    assert found.files == ["a.wav"]
    assert [note.partition(" in ")[0] for note in found.notes] == [
        "2 files of type .m4a",
        "1 files of type .raw",
    ]
    monkeypatch.setattr(foreign, "is_installed", lambda: True)
    assert walk.find(tmp_path).files == ["a.wav", "b.m4a", "c.m4a"]
