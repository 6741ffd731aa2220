"""An export is whole: stimuli, page, configuration for listeners, and the key where they do not get it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from codecbench.errors import InvalidInput, StorageError
from codecbench.listen.clips import LONGEST_S, SHORTEST_S
from codecbench.listen.export import Exported, export


def test_listeners_get_neither_key_nor_names(mushra: Exported, abx: Exported) -> None:
    for made in (mushra, abx):
        served = made.page.parent
        assert made.key.parent == served.parent
        assert not list(served.rglob("key*"))
        assert {path.name for path in made.key.parent.iterdir()} == {"key.json", "listeners"}
        texts = [path.read_text() for path in served.rglob("*") if path.suffix in (".html", ".yaml")]
        names = " ".join(str(path.relative_to(served)) for path in served.rglob("*"))
        assert not any(codec in text for text in [*texts, names] for codec in ("opus", "spc@"))


def test_the_id_is_everywhere(mushra: Exported, abx: Exported) -> None:
    for made in (mushra, abx):
        assert json.loads(made.key.read_text())["test"] == made.test
        assert f'"test":"{made.test}"' in made.page.read_text()
        assert [path.name for path in (made.page.parent / "stimuli").iterdir()] == [made.test]
    assert mushra.configuration is not None
    assert mushra.configuration.name == f"{mushra.test}.yaml"
    assert mushra.test != abx.test


def test_the_key_says_what_is_compared(mushra: Exported) -> None:
    key = json.loads(mushra.key.read_text())
    labels = {name: told["label"] for name, told in key["conditions"].items()}
    assert labels == {"c1": "opus@6", "c2": "spc@7.5"}
    assert key["conditions"]["c1"]["kbps"] == pytest.approx(6, rel=0.05)
    assert key["conditions"]["c2"]["kbps"] == 7.5
    assert set(key["gains_db"]) == {"trial01", "trial02", "trial03", "training"}
    assert key["notes"] == [remark.fact for remark in mushra.remarks]


@pytest.mark.parametrize("kind", ["mushra", "abx"])
def test_the_seed_alone_decides(run: Path, tmp_path: Path, kind: str) -> None:
    def made(name: str, seed: int) -> dict[str, bytes]:
        folder = tmp_path / name
        export(run, folder, kind, seed=seed, trials=2)  # type: ignore[arg-type]
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }

    first = made("a", 1)
    assert made("b", 1) == first
    assert set(made("c", 2)) != set(first)  # another test, another id


def test_stimuli_fit_for_listeners(mushra: Exported) -> None:
    folders = list((mushra.page.parent / "stimuli" / mushra.test).iterdir())
    assert len(folders) == 4
    for folder in folders:
        found = {path.name: soundfile.info(path) for path in folder.iterdir()}
        assert set(found) == {"reference.wav", "c1.wav", "c2.wav", "anchor35.wav", "anchor70.wav"}
        assert {(info.samplerate, info.channels) for info in found.values()} == {(48_000, 1)}
        assert len({info.frames for info in found.values()}) == 1
        assert SHORTEST_S <= found["c1.wav"].duration <= LONGEST_S


def test_x_is_one_of_the_two_clips_bit_by_bit(abx: Exported) -> None:
    for item in json.loads(abx.key.read_text())["trials"]:
        folder = abx.page.parent / "stimuli" / abx.test / item["trial"]
        clips = {name: (folder / f"{name}.flac").read_bytes() for name in "abx"}
        assert clips["x"] == clips[item["x"]]
        assert clips["a"] != clips["b"]


def test_what_deserves_a_word_is_said(run: Path, mushra: Exported, tmp_path: Path) -> None:
    said = "\n".join(map(str, mushra.remarks))
    assert "anchor at 7 kHz is hardly one; --anchors 2000,3500" in said
    assert re.search(r"rates differ \(opus@6 [56][.\d]*, spc@7.5 7.5 kbit/s\)", said)
    assert "loudness was aligned to each reference (ITU-R BS.1770) by gains of at most" in said
    few = export(run, tmp_path / "t", "abx", points=["opus@6"], trials=2, anchors_hz=[2000, 3500])
    assert str(few.remarks[-2]) == "2 trials a condition are few; --trials 10 or more tell more"
    assert "hardly one" not in str(few.remarks)
    assert json.loads(few.key.read_text())["anchors"] == {"anchor20": 2000.0}


def test_long_utterances_are_cut_and_short_ones_left_out(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    long = make_run(
        tmp_path / "long", utterances=5, audio=5, codecs=("pcm", "opus"), points=1, seconds=7.0, fail_every=0
    )
    made = export(long, tmp_path / "t", trials=5)
    assert "2 clips end in a pause: their utterances are over 12 s long" in map(str, made.remarks)
    short = make_run(
        tmp_path / "short", utterances=5, audio=5, codecs=("pcm", "opus"), points=1, seconds=1.2, fail_every=0
    )
    made = export(short, tmp_path / "u", trials=5)
    said = list(map(str, made.remarks))
    assert "3 utterances are shorter than 2 s and left out" in said
    assert "2 utterances of two seconds have kept audio of all conditions; 5 were asked for" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": ["opus@99"]}, "no point 'opus@99'; it has: opus@6"),
        ({"kind": "mos"}, "unknown kind"),
        ({"anchors_hz": [7000, 3500]}, "give two cut-offs in Hz, the lower first"),
        ({"anchors_hz": [3500]}, "no anchors"),
    ],
)
def test_bad_requests_get_one_line(run: Path, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        export(run, tmp_path / "t", **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_audio_or_in_a_full_folder_nothing_is_written(
    make_run: Callable[..., Path], run: Path, tmp_path: Path
) -> None:
    silent = make_run(tmp_path / "run", utterances=3, audio=0, codecs=("pcm", "opus"), points=1)
    with pytest.raises(InvalidInput, match="--audio all"):
        export(silent, tmp_path / "t")
    brief = make_run(tmp_path / "brief", utterances=3, audio=3, codecs=("pcm", "opus"), points=1, seconds=0.5)
    with pytest.raises(InvalidInput, match="no utterance of 2 s has audio of opus@6; 3 are shorter"):
        export(brief, tmp_path / "t")
    with pytest.raises(InvalidInput, match="not an empty folder"):
        export(run, silent)
    assert not (tmp_path / "t").exists()


def test_a_failure_in_the_middle_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("codecbench.listen.pages.write", full)
    with pytest.raises(StorageError, match="No space left"):
        export(run, tmp_path / "t", trials=1)
    assert not list(tmp_path.iterdir())


def test_the_lag_that_scores_undid_is_undone(run: Path, tmp_path: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    lines = [json.loads(line) for line in (copied / "records.jsonl").read_text().splitlines()]
    late = {}
    for line in lines:
        line |= {"settled_lag_ms": 20.0 if line["codec"] == "opus" else 0.0, "settled_inverted": False}
        if line["codec"] == "opus" and line["point"] == "6" and line["audio"]:
            wave, rate = soundfile.read(copied / line["audio"], dtype="float32")
            late[line["utterance"]] = rate
            soundfile.write(copied / line["audio"], [*([0.0] * (rate // 50)), *wave][: len(wave)], rate)
    (copied / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = export(copied, tmp_path / "t", points=["opus@6"], trials=2)
    assert late
    assert "no lag is known" not in str(made.remarks)
    was = export(run, tmp_path / "u", points=["opus@6"], trials=2)
    name = "trial01/c1.wav"
    waves = [soundfile.read(item.page.parent / "stimuli" / item.test / name)[0] for item in (made, was)]
    assert abs(waves[0] - waves[1])[2000:-2000].max() < 0.01


def test_a_codec_without_measured_bytes_is_judged_all_the_same(run: Path, tmp_path: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    lines = [json.loads(line) for line in (copied / "records.jsonl").read_text().splitlines()]
    for line in lines:
        if line["codec"] == "opus":
            line |= {"payload_bytes": None, "payload_kbps": None}
    (copied / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = export(copied, tmp_path / "t", trials=1)
    told = json.loads(made.key.read_text())["conditions"]
    assert {item["label"]: item["kbps"] for item in told.values()} == {"opus@6": None, "spc@7.5": 7.5}
