"""What is pinned lies where it was: speech by size, model files by size and hash.  Needs the internet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from codecbench import registry
from codecbench.data.catalogue import Download
from codecbench_hub.table import MODELS

pytestmark = pytest.mark.network
PLAIN = {"Accept-Encoding": "identity"}
PINNED = [model for model in MODELS.values() if model.revision and model.sha256]


def _archives() -> list[tuple[str, str, int]]:
    sources = [registry.dataset(name) for name in registry.names(registry.DATASETS)]
    return [
        (source.name, url, source.size_bytes)
        for source in sources
        if isinstance(source, Download)
        for url in source.urls
    ]


def _head(url: str, *, follow: bool) -> requests.Response:
    """Ask for the headers of a file; skip where no answer comes at all, fail where it is another than 200."""
    try:
        answer = requests.head(url, headers=PLAIN, timeout=30, allow_redirects=follow)
    except requests.RequestException as error:
        pytest.skip(f"no answer from {url} ({type(error).__name__}); is there an internet connection?")
    answer.raise_for_status()
    return answer


@pytest.mark.parametrize(("name", "url", "size_bytes"), _archives())
def test_an_archive_has_its_pinned_size(name: str, url: str, size_bytes: int) -> None:
    assert int(_head(url, follow=True).headers["Content-Length"]) == size_bytes


@pytest.mark.parametrize("model", PINNED, ids=lambda model: model.name)
def test_a_pinned_commit_holds_weights_of_the_pinned_hash(model) -> None:
    """The hub tells a large file's SHA-256 before it sends the reader on to it."""
    url = f"{model.url}/resolve/{model.revision}/model.safetensors"
    assert _head(url, follow=False).headers["X-Linked-Etag"].strip('"') == model.sha256


def test_lyras_files_are_fetched_and_verified(tmp_path: Path) -> None:
    _head("https://raw.githubusercontent.com/google/lyra/main/README.md", follow=True)
    own = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "CODECBENCH_WEIGHTS": ""}
    for act in ("fetch", "verify"):
        done = subprocess.run(
            [sys.executable, "-m", "codecbench", "weights", act, "lyra"],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.tflite"))
