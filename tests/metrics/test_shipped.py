"""Model files of installed packages: found without an import, refused where missing or another."""

from __future__ import annotations

import hashlib

import pytest

from codecbench.errors import Unavailable
from codecbench.metrics.shipped import Shipped, need


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "a_shipping_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "model.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_finds_without_importing_and_names_the_hash(package):
    model = Shipped(package.name, "model.bin", hashlib.sha256(b"weights").hexdigest())
    assert model.verified() == package / "model.bin"
    assert model.id == f"model.bin@{model.sha256[:12]}"


@pytest.mark.parametrize(
    ("path", "sha256", "match"),
    [("model.bin", "0" * 64, "another model"), ("other.bin", "0" * 64, "has no other.bin")],
)
def test_refuses_another_model(package, path, sha256, match):
    with pytest.raises(Unavailable, match=match):
        Shipped(package.name, path, sha256).verified()


def test_a_missing_package_has_a_remedy():
    for refuse in (Shipped("no_such_package", "model.bin", "").find, lambda: need("no_such_package")):
        with pytest.raises(Unavailable, match=r"no_such_package is not installed; .*codecbench\[judges\]"):
            refuse()
