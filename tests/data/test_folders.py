"""Speech sets made of folders: ids, speakers, revision, sample, and what is refused."""

from __future__ import annotations

import errno
import os
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from codecbench.data.folders import folder_dataset, load_dataset
from codecbench.data.sets import Dataset, Utterance
from codecbench.errors import InvalidInput


def _audio(path: Path, seed: int = 0, seconds: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, round(seconds * 16_000))
    soundfile.write(path, noise, 16_000)


def _ids(dataset: Dataset) -> list[str]:
    return [item.id for item in dataset.utterances]


def _speakers(dataset: Dataset) -> dict[str, str]:
    return {item.id: item.speaker for item in dataset.utterances}


def test_folder_is_read_at_any_depth(tmp_path: Path) -> None:
    for name in ("b/x.wav", "a/y.FLAC", "z.ogg", "b/deep/w.mp3"):
        _audio(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no audio")
    _audio(tmp_path / ".hidden" / "h.wav")
    _audio(tmp_path / "a" / "._y.wav")
    dataset = load_dataset(str(tmp_path))
    assert _ids(dataset) == ["w", "x", "y", "z"]
    assert dataset.name == tmp_path.name
    assert _speakers(dataset) == {"w": "deep", "x": "b", "y": "a", "z": tmp_path.name}
    assert not dataset.synthetic


def test_seconds_come_from_the_header(tmp_path: Path) -> None:
    _audio(tmp_path / "a.flac", seconds=0.25)
    assert folder_dataset(tmp_path).utterances[0].seconds == 0.25


@pytest.mark.parametrize(
    ("file", "speaker"),
    [
        ("1089/134686/1089-134686-0000.flac", "1089"),  # LibriSpeech
        ("1089/134686/1089_134686_000002_000000.wav", "1089"),  # LibriTTS
        ("wav48_silence_trimmed/p225/p225_001_mic1.flac", "p225"),  # VCTK
        ("anna/2024-01.wav", "anna"),
    ],
)
def test_speaker_follows_known_layouts(tmp_path: Path, file: str, speaker: str) -> None:
    _audio(tmp_path / file)
    assert folder_dataset(tmp_path).utterances[0].speaker == speaker


def test_manifest_gives_speakers_and_is_the_set(tmp_path: Path) -> None:
    for name in ("a.wav", "sub/b.wav", "unlisted.wav"):
        _audio(tmp_path / name)
    (tmp_path / "manifest.csv").write_text(
        "speaker,file,remark\nann,a.wav,\nbob,sub/b.wav,x\n", encoding="utf-8-sig"
    )
    assert _speakers(folder_dataset(tmp_path)) == {"a": "ann", "b": "bob"}


def test_manifest_without_a_speaker_falls_back_to_the_folder(tmp_path: Path) -> None:
    _audio(tmp_path / "sub" / "a.wav")
    (tmp_path / "manifest.csv").write_text("file,speaker\nsub/a.wav,\n")
    assert _speakers(folder_dataset(tmp_path)) == {"a": "sub"}


BAD_MANIFESTS = [
    ("file,speaker\n/etc/a.wav,x\n", "outside the folder"),
    ("file,speaker\n../a.wav,x\n", "outside the folder"),
    ("file,speaker\nsub/../../a.wav,x\n", "outside the folder"),
    ("file,speaker\nC:\\a.wav,x\n", "outside the folder"),
    ("file,speaker\n..\\a.wav,x\n", "outside the folder"),
    ("file,speaker\na.wav,x\ngone.wav,x\nlost.wav,x\n", "missing file 'gone.wav' and 1 more"),
    ("file,speaker\na.wav,x\na.wav,y\n", "row 3: 'a.wav' is listed twice"),
    ("name,who\na.wav,x\n", "columns 'file' and 'speaker'"),
    ("file,speaker\na.wav\n", "columns 'file' and 'speaker'"),
    ("file,speaker\n,x\n", "with a file name"),
    ('file,speaker\n"a.wav,x\n', "not a CSV file"),
    ("file,speaker\n", "no audio files"),
    ("", "no audio files"),
]


@pytest.mark.parametrize(("content", "expected"), BAD_MANIFESTS)
def test_bad_manifest_is_refused_in_one_line(tmp_path: Path, content: str, expected: str) -> None:
    _audio(tmp_path / "set" / "a.wav")
    _audio(tmp_path / "a.wav")
    (tmp_path / "set" / "manifest.csv").write_text(content)
    with pytest.raises(InvalidInput) as caught:
        folder_dataset(tmp_path / "set")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    _audio(tmp_path / "a.wav")
    (tmp_path / "manifest.csv").write_bytes("file,speaker\na.wav,Zoë\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="not a CSV file in UTF-8"):
        folder_dataset(tmp_path)


def test_missing_empty_and_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such folder"):
        load_dataset(str(tmp_path / "nowhere"))
    with pytest.raises(InvalidInput, match="no audio files"):
        load_dataset(str(tmp_path))
    _audio(tmp_path / "a.wav")
    with pytest.raises(InvalidInput, match="is a file"):
        load_dataset(str(tmp_path / "a.wav"))


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        InvalidInput, match="unknown dataset 'librispeech-test-clea'; did you mean 'librispeech-te"
    ):
        load_dataset("librispeech-test-clea")


def test_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _audio(tmp_path / "open" / "a.wav")
    _audio(tmp_path / "shut" / "b.wav")
    scan = os.scandir

    def scandir(path: str | Path) -> object:  # permission bits do not stop root
        if Path(path).name == "shut":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InvalidInput, match=r"shut: folder cannot be read .*check permissions"):
        folder_dataset(tmp_path)


def test_bad_file_stays_in_the_set(tmp_path: Path) -> None:
    _audio(tmp_path / "good.wav")
    (tmp_path / "bad.wav").write_text("not audio")
    (tmp_path / "void.flac").write_bytes(b"")
    durations = {item.id: item.seconds for item in folder_dataset(tmp_path).utterances}
    assert durations == {"good": 0.1, "bad": None, "void": None}


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    _audio(tmp_path / "elsewhere" / "a.wav")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "ann").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "set")
    assert _speakers(folder_dataset(tmp_path / "set")) == {"a": "ann"}


def test_same_stems_get_their_paths(tmp_path: Path) -> None:
    for index, name in enumerate(("x/a.wav", "y/a.wav", "y/b.wav")):
        _audio(tmp_path / name, index)
    assert _ids(folder_dataset(tmp_path)) == ["b", "x-a", "y-a"]


def test_ids_are_unique_without_case_and_beyond_separators(tmp_path: Path) -> None:
    for index, name in enumerate(
        ("x/a.wav", "X-A.wav", "x/a.flac", "y/A.wav", "p q.wav", "p?q.wav", "...wav")
    ):
        _audio(tmp_path / name, index) if name != "...wav" else None
    ids = _ids(folder_dataset(tmp_path))
    assert len({ident.casefold() for ident in ids}) == len(ids) == 6
    allowed = set(string.ascii_letters + string.digits + "-_.")
    assert all(set(ident) <= allowed and ident[0] not in ".-" for ident in ids)


def test_long_names_are_cut_but_stay_apart(tmp_path: Path) -> None:
    names = ["ü" * 100 + end for end in ("a", "b")]
    for index, name in enumerate(names):
        _audio(tmp_path / f"{name}.wav", index)
    ids = _ids(folder_dataset(tmp_path))
    assert len(set(ids)) == 2
    assert all(len(f".{ident}.flac.{'0' * 32}.part".encode()) < 255 for ident in ids)


def test_revision_changes_with_content_name_and_speaker_only(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        _audio(tmp_path / folder / "spk" / "a.wav", 1)
        _audio(tmp_path / folder / "spk" / "b.wav", 2)
    first = folder_dataset(tmp_path / "one").revision
    assert len(first) == 64
    assert folder_dataset(tmp_path / "two").revision == first
    os.utime(tmp_path / "two" / "spk" / "a.wav", (0, 0))
    assert folder_dataset(tmp_path / "two").revision == first
    _audio(tmp_path / "two" / "spk" / "a.wav", 3)
    changed = folder_dataset(tmp_path / "two").revision
    assert changed != first
    _audio(tmp_path / "two" / "spk" / "a.wav", 1)
    (tmp_path / "two" / "manifest.csv").write_text("file,speaker\nspk/a.wav,spk\nspk/b.wav,other\n")
    assert folder_dataset(tmp_path / "two").revision not in {first, changed}


def _made(counts: list[int], order: list[int] | None = None) -> Dataset:
    items = [
        Utterance(f"s{speaker:02d}-{number:03d}", Path("x"), f"s{speaker:02d}", 1.0)
        for speaker, count in enumerate(counts)
        for number in range(count)
    ]
    if order is not None:
        items = [items[index] for index in order]
    return Dataset("made", tuple(items), "0" * 64)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 60), st.integers(0, 5))
def test_sample_is_speaker_balanced(counts: list[int], limit: int, seed: int) -> None:
    sample = _made(counts).sample(limit, seed)
    taken = Counter(item.speaker for item in sample.utterances)
    assert len(sample.utterances) == len(set(_ids(sample))) == min(limit, sum(counts))
    most = max(taken.values())
    for speaker, count in enumerate(counts):
        # A speaker with fewer than most - 1 utterances taken has no more to give.
        assert taken[f"s{speaker:02d}"] >= min(count, most - 1)
    assert _ids(sample) == sorted(_ids(sample))


@given(st.randoms(use_true_random=False), st.integers(1, 20))
def test_sample_does_not_depend_on_the_order(random, limit: int) -> None:
    counts = [5, 3, 7, 1]
    order = list(range(sum(counts)))
    random.shuffle(order)
    assert _ids(_made(counts, order).sample(limit, 3)) == _ids(_made(counts).sample(limit, 3))


def test_sample_is_nested_seeded_and_keeps_the_revision() -> None:
    dataset = _made([10] * 6)
    small, large = dataset.sample(8, 0), dataset.sample(30, 0)
    assert set(_ids(small)) < set(_ids(large))
    assert _ids(dataset.sample(8, 1)) != _ids(small)
    assert small.revision == dataset.revision
    assert dataset.sample(None) == dataset
    # Pinned: a change would give every stored run another sample under the same seed.
    assert _ids(_made([3, 3, 3]).sample(4, 0)) == ["s00-002", "s01-001", "s01-002", "s02-002"]


@pytest.mark.parametrize("limit", [0, -1])
def test_sample_refuses_no_utterances(limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit of 1 or more"):
        _made([2]).sample(limit)


def test_a_thousand_files_are_quick(tmp_path: Path) -> None:
    import time

    _audio(tmp_path / "0" / "first.wav", seconds=2.0)
    content = (tmp_path / "0" / "first.wav").read_bytes()
    for index in range(1000):
        (tmp_path / f"{index % 7}").mkdir(exist_ok=True)
        (tmp_path / f"{index % 7}" / f"{index:04d}.wav").write_bytes(content)
    start = time.process_time()
    assert len(folder_dataset(tmp_path).utterances) == 1001
    assert time.process_time() - start < 3.0
