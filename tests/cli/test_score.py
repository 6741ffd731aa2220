"""``codecbench score``: folders, lists and single files of decoded speech."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

QUICK = ("--metrics", "fake-snr", "--executor", "serial", "--json")


@pytest.fixture
def decoded(folder: Path, tmp_path: Path) -> Path:
    """Return a folder of folders: ``a`` with all files, ``b`` without two and with one too many."""
    for name in "ab":
        (tmp_path / "dec" / name).mkdir(parents=True)
        for path in folder.glob("*.wav"):
            shutil.copy(path, tmp_path / "dec" / name / path.name)
    for gone in ("quiet-0.wav", "quiet-1.wav"):
        (tmp_path / "dec" / "b" / gone).unlink()
    shutil.copy(folder / "quiet-2.wav", tmp_path / "dec" / "b" / "nobody.wav")
    return tmp_path / "dec"


def test_several_folders_are_scored_side_by_side(cli, folder: Path, decoded: Path, tmp_path: Path) -> None:
    answer = cli(
        "score", "--ref", folder, "--deg", f"mine={decoded / 'a'}@6", "--deg", decoded / "b",
        "-o", tmp_path / "o", *QUICK,
    )  # fmt: skip
    rows = json.loads(answer.out)
    assert [(row["codec"], row["point"], row["nominal_kbps"], row["n"], row["failures"]) for row in rows] == [
        ("mine", "6", 6.0, 3, 0),
        ("folder:b", "undeclared", None, 3, 0),
    ]
    assert (
        "3 of 5 references have a decoded file in each of 2 folders; left out: quiet-0, quiet-1" in answer.err
    )
    assert "1 decoded file in b without a reference: nobody.wav" in answer.err.replace(str(decoded) + "/", "")


def test_one_folder_says_what_has_no_counterpart(cli, folder: Path, decoded: Path, tmp_path: Path) -> None:
    answer = cli(
        "score", "--ref", folder, "--deg", f"{decoded / 'b'}@7.5", "-o", tmp_path / "o", "--strict", *QUICK
    )
    assert answer.status == 1
    assert "3 of 5 references have a decoded file; left out: quiet-0, quiet-1" in answer.err
    assert json.loads(answer.out)[0]["point"] == "7.5"


def test_a_folder_that_is_called_like_a_rate_is_a_folder(
    cli, folder: Path, decoded: Path, tmp_path: Path
) -> None:
    (decoded / "a").rename(decoded / "x=opus@8")
    answer = cli("score", "--ref", folder, "--deg", decoded / "x=opus@8", "-o", tmp_path / "o", *QUICK)
    assert json.loads(answer.out)[0]["codec"] == "folder:x=opus@8"


@pytest.mark.parametrize("kind", ["csv", "scp"])
def test_lists_of_pairs_are_scored(cli, folder: Path, decoded: Path, tmp_path: Path, kind: str) -> None:
    rows = [(f"speech/quiet-{n}.wav", f"dec/a/quiet-{n}.wav") for n in (3, 1)]
    path = tmp_path / f"pairs.{kind}"
    if kind == "csv":
        path.write_text("ref,deg,speaker\n" + "".join(f"{ref},{deg},s{deg[-5]}\n" for ref, deg in rows))
    else:
        path.write_text("".join(f"utt{number} {ref} {deg}\n" for number, (ref, deg) in enumerate(rows)))
    answer = cli("score", "--pairs", path, "--kbps", 6, "-o", tmp_path / "o", *QUICK)
    assert answer.status == 0
    (row,) = json.loads(answer.out)
    assert (row["codec"], row["n"], row["failures"], row["nominal_kbps"]) == ("folder:pairs", 2, 0, 6.0)
    assert row["fake-snr"] > 60
    speakers = json.loads((tmp_path / "o" / "manifest.json").read_text())["utterances"]
    assert [item["id"] for item in speakers] == ["quiet-1", "quiet-3"]
    assert ({item["speaker"] for item in speakers} == {"s1", "s3"}) == (kind == "csv")


def test_single_files_are_scored(cli, folder: Path, decoded: Path, tmp_path: Path) -> None:
    answer = cli(
        "score", "--ref", folder / "quiet-0.wav", "--deg", f"x={decoded / 'b' / 'quiet-3.wav'}@8", "-o",
        tmp_path / "o", *QUICK,
    )  # fmt: skip
    (row,) = json.loads(answer.out)
    assert (row["codec"], row["n"]) == ("x", 1)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--ref", "{0}"), 2, "give --ref and --deg, or --pairs"),
        (
            ("--ref", "{0}", "--deg", "{0}", "--pairs", "{0}/manifest.csv"),
            2,
            "give --ref and --deg, or --pairs",
        ),
        (("--ref", "{0}", "--deg", "{1}/a", "--deg", "{1}/a"), 2, "would share the label 'folder:a'"),
        (
            ("--ref", "{0}/quiet-0.wav", "--deg", "{1}/a"),
            2,
            "is a file; give one file to --ref and one to each",
        ),
        (("--pairs", "{0}/manifest.csv"), 1, "must name the columns 'ref' and 'deg'"),
        (("--ref", "{0}", "--deg", "{1}/missing"), 1, "missing is not a folder; check the path"),
    ],
)
def test_what_cannot_be_scored(cli, folder: Path, decoded: Path, options, status, message) -> None:  # noqa: PLR0917
    answer = cli("score", *(part.format(folder, decoded) for part in options), *QUICK)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err
