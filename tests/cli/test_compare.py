"""``codecbench compare``: two systems on the same utterances."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest


def test_two_codecs_of_one_run_are_compared_in_every_format(cli, run_folder: Path) -> None:
    ends = (f"{run_folder}:spc@7.5", f"{run_folder}:rvq@7.5", "--metrics", "stoi,mcd")
    text = cli("compare", *ends)
    assert text.status == 0, text.err
    assert text.out.splitlines()[0].split()[:4] == ["metric", "unit", "a", "b"]
    rows = json.loads(cli("compare", *ends, "--json").out)
    assert [row["metric"] for row in rows] == ["stoi", "mcd"]
    assert all(row["difference"] == pytest.approx(row["mean_b"] - row["mean_a"]) for row in rows)
    assert all(row["low"] < row["difference"] < row["high"] for row in rows)
    # rvq is made worse than spc: a lower STOI, a higher MCD, and both say that a is better.
    assert rows[0]["difference"] < 0 < rows[1]["difference"]
    assert {row["better"] for row in rows} == {"a"}
    printed = list(csv.DictReader(cli("compare", *ends, "--format", "csv").out.splitlines()))
    assert [float(row["p_holm"]) for row in printed] == [row["p_holm"] for row in rows]
    assert cli("compare", *ends, "--format", "md").out.startswith("| metric | unit | a | b | n |")


def test_one_label_in_two_runs_is_old_against_new_whatever_the_weights(
    cli, run_folder: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(run_folder, newer)
    manifest = json.loads((newer / "manifest.json").read_text())
    manifest["codecs"]["spc"]["signature"] = "spc|weights:another"
    (newer / "manifest.json").write_text(json.dumps(manifest))
    answer = cli("compare", f"{run_folder}:spc", f"{newer}:spc", "--metrics", "stoi", "--json")
    (row,) = json.loads(answer.out)
    assert (row["difference"], row["p_value"], row["better"]) == (0, 1, "")
    assert row["a"] == f"{run_folder}:spc@7.5"


def test_more_systems_are_each_held_against_the_first(cli, run_folder: Path, tmp_path: Path) -> None:
    names = [f"{run_folder}:{name}" for name in ("spc@7.5", "opus@8", "rvq@7.5")]
    answer = cli("compare", *names, "--metrics", "stoi", "--json", "--plot", tmp_path / "plot")
    assert [(row["a"], row["b"]) for row in json.loads(answer.out)] == [
        ("spc@7.5", "opus@8"),
        ("spc@7.5", "rvq@7.5"),
    ]
    drawn = {path.suffix for path in (tmp_path / "plot").iterdir()}
    assert drawn == {".svg", ".pdf", ".png", ".csv"}
    text = (tmp_path / "plot" / "paired-differences.csv").read_text()
    points = list(csv.DictReader(text.splitlines()))
    assert {row["b"] for row in points} == {"opus@8", "rvq@7.5"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["dataset"].update(revision="cd" * 32), "different speech"),
        (lambda m: m["metrics"]["stoi"].update(signature="stoi|v:2"), "metric stoi has the signature"),
        (lambda m: m.update(align="file"), "lag undone is that of each codec there, of each file here"),
    ],
)
def test_what_does_not_compare_is_refused(cli, run_folder: Path, tmp_path: Path, change, said: str) -> None:
    other = tmp_path / "other"
    shutil.copytree(run_folder, other)
    manifest = json.loads((other / "manifest.json").read_text())
    change(manifest)
    (other / "manifest.json").write_text(json.dumps(manifest))
    answer = cli("compare", run_folder, other)
    assert (answer.status, answer.out) == (1, "")
    assert said in answer.err


def test_wrong_words_get_one_line(cli, run_folder: Path) -> None:
    assert cli("compare", run_folder).status == 2
    for words, said in [
        ((run_folder, f"{run_folder}:spx"), "did you mean 'spc'?"),
        ((run_folder, "nowhere"), "no run here"),
        ((f"{run_folder}:spc", f"{run_folder}:opus"), "name one of each as RUN:CODEC@POINT"),
        ((f"{run_folder}:spc", f"{run_folder}:rvq", "--metrics", "mos"), "metric 'mos' was not scored"),
    ]:
        answer = cli("compare", *words)
        assert answer.status == 1
        assert said in answer.err
        assert answer.err.count("\n") == 1


def test_a_table_that_cannot_find_anything_says_so(cli, run_folder: Path) -> None:
    answer = cli("compare", f"{run_folder}:rvq@7.5", f"{run_folder}:spc@7.5")
    least = re.search(r"p_holm cannot come below (\S+) with", answer.err)
    assert least and 0 < float(least[1]) <= 1
