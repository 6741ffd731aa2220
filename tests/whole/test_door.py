"""The Python door: names come when they are used, and the pages that show them run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import codecbench
from house import ROOT

NAMES = (
    "benchmark, estimate, load_dataset, make_plan, load_run, summary, Codec, CodecInfo, Coded, "
    "OperatingPoint, ladder, Metric, Unavailable, Unscorable, InvalidPayload"
)
HEAVY = ("torch", "pandas", "transformers", "matplotlib")
PAGE = ROOT / "docs" / "python.md"


def fresh(code: str, folder: Path) -> str:
    """Run code in a process of its own, as a notebook would: its main module is no file."""
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:codecbench", "-c", code],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def blocks() -> list[str]:
    """Return the Python blocks of the page."""
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_all_names_come_without_what_is_heavy(tmp_path: Path) -> None:
    code = (
        f"import sys; from codecbench import {NAMES}; import json;"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    assert json.loads(fresh(code, tmp_path)) == []


def test_the_package_itself_imports_nothing_of_its_own(tmp_path: Path) -> None:
    code = "import sys, codecbench; print([n for n in sys.modules if n.startswith(('codecbench.', 'numpy'))])"
    assert fresh(code, tmp_path).strip() == "[]"


def test_a_dataset_and_a_plan_need_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from codecbench import load_dataset, make_plan;"
        "print(len(make_plan(load_dataset('demo').sample(2), 'pcm', ['si-sdr'])));"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert fresh(code, tmp_path).split("\n")[:2] == ["2", "[]"]


def test_the_listed_names_are_those_that_come() -> None:
    assert sorted(NAMES.split(", ")) == sorted(codecbench.__all__)
    assert set(codecbench.__all__) <= set(dir(codecbench))
    for name in codecbench.__all__:
        assert getattr(codecbench, name).__name__ == name


def test_another_name_is_refused_like_any_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'codecbench' has no attribute 'nothing'"):
        codecbench.nothing  # noqa: B018


def test_the_notebook_of_the_page_runs_and_so_does_what_reads_its_run(tmp_path: Path) -> None:
    first, ahead, second = blocks()
    assert len([line for line in first.splitlines() if line]) <= 10
    said = fresh(first + ahead, tmp_path)
    assert not (tmp_path / "runs" / "elsewhere").exists()
    assert said.startswith("True []\n")
    assert re.search(r"g722 +64 +6[0-9][.]", said)
    assert (tmp_path / "runs" / "notebook" / "manifest.json").is_file()
    worst = fresh(second, tmp_path).splitlines()
    assert worst[0].split() == ["utterance", "speaker", "payload_kbps", "stoi", "raw:stoi", "reason:stoi"]
    assert len(worst) == 4


def test_a_type_checker_knows_the_names_and_no_other(tmp_path: Path) -> None:
    known, unknown = tmp_path / "known.py", tmp_path / "unknown.py"
    known.write_text(f"from codecbench import {NAMES}\nrun = load_run('x')\nprint(run.metrics[0].upper())\n")
    unknown.write_text("from codecbench import benchmrak\n")
    checked = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*checked, str(known), str(unknown)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (error,) = [line for line in done.stdout.splitlines() if " error: " in line]
    assert "unknown.py" in error
    assert 'has no attribute "benchmrak"' in error
