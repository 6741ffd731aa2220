"""``codecbench run``: groups of codecs, short and quiet options, wrong usage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

QUICK = ("--metrics", "fake-snr", "--executor", "serial")


def test_available_leaves_out_what_cannot_run_without_a_word(
    cli, folder: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(
        "codecbench.registry.names",
        lambda group: ["fake", "fake-8k", "fake-absent", "folder"] if "codecs" in group else ["fake-snr"],
    )
    base = ("run", "--data", folder, "--limit", 1, "-q", "--json", *QUICK)
    found = {}
    for group in ("all", "available", "classical", "fake-8k,all"):
        answer = cli(*base, "--codecs", group, "-o", tmp_path / group)
        found[group] = list(dict.fromkeys(row["codec"] for row in json.loads(answer.out)))
        left_out = json.loads((tmp_path / group / "manifest.json").read_text())["left_out"]
        assert [item["name"] for item in left_out] == ([] if group == "available" else ["fake-absent"])
    assert found == {
        "all": ["fake", "fake-8k"],
        "available": ["fake", "fake-8k"],
        "classical": ["fake", "fake-8k"],
        "fake-8k,all": ["fake-8k", "fake"],
    }


def test_quiet_says_nothing_but_errors(cli, folder: Path, tmp_path: Path) -> None:
    base = ("run", "--data", folder, "-o", tmp_path / "o", "-j", 1, *QUICK)
    quiet = cli(*base, "--codecs", "fake@64", "-q")
    assert (quiet.status, quiet.err) == (0, "")
    assert quiet.out.startswith("codec")
    assert "5 stored" in cli(*base, "--codecs", "fake@64").err
    assert cli(*base, "--codecs", "fake-absent", "-q").err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--codecs", "fkae"), "unknown codec 'fkae'; did you mean 'fake'"),
        (("--codecs", "fake,,"), "has an empty part"),
        (("--codecs", "fake", "--metrics", "fake-snrr"), "unknown metric"),
        (("--codecs", "fake", "--kbps", "six"), "rate 'six' is not usable"),
        (("--codecs", "fake", "--audio", "many"), "--audio 'many' is not usable"),
        (("--codecs", "fake", "--scheduler", "tcp://x"), "--scheduler goes with --executor dask"),
        (("--codecs", "fake", "--device", "tpu"), "--device 'tpu' is not usable"),
    ],
)
def test_wrong_usage_has_status_two(cli, folder: Path, tmp_path: Path, options, message) -> None:
    answer = cli("run", "--data", folder, "-o", tmp_path / "o", *options)
    assert (answer.status, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_an_accelerator_that_is_not_here_is_said_before_the_first_cell(
    cli, folder: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("CUDA is here")
    answer = cli(
        "run", "--data", folder, "-o", tmp_path / "o", "--codecs", "fake", "--device", "cuda", *QUICK
    )
    assert answer.status == 1
    assert "--device cuda: torch" in answer.err
    assert "run with --device cpu" in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "o" / "manifest.json").exists()


def test_debug_may_stand_at_either_end(cli, tmp_path: Path, monkeypatch) -> None:
    for words in (
        ("--debug", "table", tmp_path),
        ("table", tmp_path, "--debug"),
        ("weights", "verify", "x", "--debug"),
    ):
        # Set first, so that what the command sets is undone after the test.
        monkeypatch.setenv("CODECBENCH_DEBUG", "")
        answer = cli(*words)
        assert answer.status != 0
        assert "Traceback" in answer.err
        assert os.environ.get("CODECBENCH_DEBUG") == "1"
