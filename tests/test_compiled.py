"""Compiled code has a folder even where neither the installation nor the home folder can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codecbench import compiled
from codecbench.errors import Unavailable

TINY = """
from codecbench.compiled import prepare_numba
prepare_numba()
import tiny
print(tiny.double(21), tiny.threads())
"""
MODULE = """
import numba
@numba.njit(cache=True)
def double(value):
    return 2 * value
threads = numba.get_num_threads
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch):
    """Forget the folder that was found, and leave the environment as it was."""
    monkeypatch.setenv(compiled.CACHE_VARIABLE, "")
    compiled.cache_folder.cache_clear()
    yield
    compiled.cache_folder.cache_clear()


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take the user's cache away; return the folder of temporary files."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: "/dev/null/cache")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(compiled.tempfile, "tempdir", str(temporary))
    return temporary


def test_the_folder_of_the_user_comes_first(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, str(tmp_path / "mine"))
    assert compiled.cache_folder() == (tmp_path / "mine").resolve()


def test_a_folder_that_cannot_be_written_is_passed_over(monkeypatch, nowhere: Path) -> None:
    monkeypatch.setenv(compiled.CACHE_VARIABLE, "/dev/null/mine")
    folder = compiled.cache_folder()
    assert folder == nowhere / f"codecbench-numba-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("make", ["open to all", "a link", "a file"])
def test_what_others_could_write_is_never_used(nowhere: Path, make: str) -> None:
    known = nowhere / f"codecbench-numba-{os.getuid()}"
    if make == "open to all":
        known.mkdir()
        known.chmod(0o777)
    elif make == "a link":
        (nowhere / "elsewhere").mkdir()
        known.symlink_to(nowhere / "elsewhere")
    else:
        known.touch()
    folder = compiled.cache_folder()
    assert folder != known
    assert folder.stat().st_mode & 0o777 == 0o700


def test_without_any_folder_there_is_one_clear_line(nowhere: Path, monkeypatch) -> None:
    monkeypatch.setattr(compiled.tempfile, "tempdir", "/dev/null/tmp")
    with pytest.raises(Unavailable, match=r"there is no folder for compiled code .*set NUMBA_CACHE_DIR"):
        compiled.cache_folder()


def python(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


def test_numba_keeps_its_code_among_temporary_files(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    (tmp_path / "tiny.py").write_text(MODULE)
    # numba would write beside the source: a file stands where its folder should be.
    (tmp_path / "__pycache__").touch()
    (tmp_path / "tmp").mkdir()
    environment = {
        **os.environ,
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONPATH": str(tmp_path),
        "NUMBA_CACHE_DIR": "",
        "NUMBA_NUM_THREADS": "2",
    }
    refused = python("import tiny", environment)
    assert "no locator available" in refused.stderr
    answer = python(TINY, environment)
    assert answer.stdout == "42 1\n", answer.stderr
    assert list((tmp_path / "tmp").rglob("tiny.double*.nbi"))
