"""A made-up run with kept speech of two seconds and more, and tests exported from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codecbench.listen.export import Exported, export


@pytest.fixture(scope="package")
def run(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listen") / "run"
    return make_run(
        folder, utterances=6, audio=5, codecs=("pcm", "opus", "spc"), points=2, fail_every=0, seconds=2.0
    )


@pytest.fixture(scope="package")
def mushra(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("mushra") / "first round"
    return export(run, folder, "mushra", points=["opus@6", "spc@7.5"], trials=3, title='A "title" <b> & more')


@pytest.fixture(scope="package")
def abx(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("abx") / "test"
    return export(run, folder, "abx", points=["opus@6", "spc@7.5"], trials=4, seed=3)
