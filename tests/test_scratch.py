"""Nothing of a killed maker stays, and nothing of a living one or of others goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codecbench.lock import Lock
from codecbench.scratch import put, scratch

KILLED = """
import os, signal, sys
from pathlib import Path
from codecbench.scratch import scratch
to = Path(sys.argv[1])
with scratch(to) as work:
    (work / "report").mkdir()
    if sys.argv[2] == "moved":
        to.rename(work / "old")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill(to: Path, when: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(to), when], check=False)
    assert done.returncode == -9
    assert [path for path in to.parent.iterdir() if path.name.startswith(".report.")]


@pytest.mark.parametrize("when", ["before", "moved"])
def test_the_next_maker_cleans_up_and_brings_the_old_folder_back(tmp_path: Path, when: str) -> None:
    to = tmp_path / "report"
    to.mkdir()
    (to / "index.html").write_text("old")
    (tmp_path / ".report.notes").mkdir()  # not ours: it has no lock
    _kill(to, when)
    with scratch(to) as work:
        assert (to / "index.html").read_text() == "old"
        assert {path.name for path in tmp_path.iterdir()} == {"report", ".report.notes", work.name}
        (work / "report").mkdir()
        (work / "report" / "index.html").write_text("new")
        put(work / "report", to, work)
    assert (to / "index.html").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"report", ".report.notes"}


def test_a_living_maker_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".report.other").mkdir()
    lock = Lock(tmp_path / ".report.other")
    with scratch(tmp_path / "report"):
        assert (tmp_path / ".report.other").is_dir()
    lock.release()
    with scratch(tmp_path / "report"):
        assert not (tmp_path / ".report.other").exists()
