"""The package is whole: plugin packages are in the wheel, entry points load, names are unique."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from codecbench import registry
from codecbench.errors import ContractBroken, InvalidInput

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["project"]["entry-points"]


def test_every_plugin_package_is_in_the_wheel() -> None:
    listed = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("codecs/*/codecbench_*") if path.is_dir()}
    assert listed == found | {"codecbench"}


def test_every_package_is_type_checked() -> None:
    checked = {path for pattern in PROJECT["tool"]["mypy"]["files"] for path in ROOT.glob(pattern)}
    plugins = {*ROOT.glob("codecs/*/codecbench_*"), *ROOT.glob("examples/*/codecbench_*")}
    assert checked == {ROOT / "codecbench", ROOT / "scripts", *plugins}


def test_codecs_is_not_an_import_package() -> None:
    assert not (ROOT / "codecs" / "__init__.py").exists()
    assert list(ROOT.glob("codecs/*/*.py")) == []


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group, points in GROUPS.items() for name in points]
)
def test_entry_points_load(group: str, name: str) -> None:
    assert callable(EntryPoint(name, GROUPS[group][name], group).load())


@pytest.mark.parametrize("group", GROUPS)
def test_installed_entry_points_are_those_of_the_project(group: str) -> None:
    assert set(GROUPS[group]) <= set(registry.names(group)), "entry points changed: reinstall the package"


@pytest.mark.parametrize("name", GROUPS["codecbench.codecs"])
def test_a_codec_bears_the_name_it_is_registered_under(name: str) -> None:
    assert registry.codec(name).info.name == name


@pytest.mark.parametrize("name", GROUPS["codecbench.metrics"])
def test_a_metric_bears_the_name_it_is_registered_under(name: str) -> None:
    metric = registry.metric(name)
    assert metric.name == name
    assert metric.signature().startswith(f"{name}|")


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"unknown codec 'opsu'; did you mean 'opus'\?"):
        registry.codec("opsu")


def test_a_name_registered_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("twice", "one:Twice", registry.CODECS),
        EntryPoint("twice", "two:Twice", registry.CODECS),
        EntryPoint("other", "builtins:dict", registry.CODECS),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda: EntryPoints(points))
    registry._tables.cache_clear()
    try:
        assert registry.names(registry.CODECS) == ["other", "twice"]
        assert registry.load(registry.CODECS, "other") is dict
        with pytest.raises(ContractBroken, match=r"'twice': two packages register this name \(one:Twice of"):
            registry.load(registry.CODECS, "twice")
    finally:
        registry._tables.cache_clear()


def test_an_argument_for_a_codec_without_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match="takes no argument"):
        registry.codec("pcm:file.bin")
