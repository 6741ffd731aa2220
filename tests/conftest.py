"""Fixtures shared by all tests: where real speech and model files lie, and a few short clips."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import soundfile
from numpy.typing import NDArray

from codecbench import registry

ROOT = Path(__file__).resolve().parents[1]

_OURS = {"codecbench", "codecbench-fakes", "codecbench-hostile"}


def _entry_points() -> EntryPoints:
    """Return the project's own entry points: what else is installed here must not change a test."""
    found = entry_points()
    every = (point for group in found.groups for point in found.select(group=group))
    return EntryPoints(point for point in every if point.dist and point.dist.name in _OURS)


# Before any test module asks for names.
registry.entry_points = _entry_points

# What a user has fetched must not change a test, nor a test what the user has.  Compiled code and fonts
# that were listed only save time, so they stay.
_USERS = Path(platformdirs.user_cache_dir())
os.environ.setdefault("NUMBA_CACHE_DIR", str(_USERS / "codecbench" / "numba"))
os.environ.setdefault("MPLCONFIGDIR", str(_USERS / "matplotlib"))
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="codecbench-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

pytest_plugins = ["made_up_runs", "suite_fixtures", "chromium"]

# Before any test imports torch: several test processes with two threads each wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder beside the repository that holds speech and model files; skip where it is missing."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside the repository (real speech and model files live there)")
    return folder


@pytest.fixture(scope="session")
def speech_dir() -> Path:
    """Return the folder with ``train/`` and ``test/`` speech: $CODECBENCH_SPEECH, else ../shared/speech."""
    folder = Path(os.environ.get("CODECBENCH_SPEECH", ROOT.parent / "shared" / "speech"))
    if not (folder / "test" / "manifest.csv").is_file():
        pytest.skip(f"no speech at {folder}; set CODECBENCH_SPEECH to a folder with train/ and test/")
    return folder


@pytest.fixture(scope="session")
def speech(speech_dir: Path) -> list[NDArray[np.float32]]:
    """Return four clips of real speech, float32 [T] at 16 kHz, three seconds each."""
    paths = sorted((speech_dir / "test").glob("*.flac"))[::30][:4]
    return [soundfile.read(path, dtype="float32", frames=48_000)[0] for path in paths]
