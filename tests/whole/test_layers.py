"""Each folder is one stage of the flow and imports only folders before it; plugins import flat files only.

The order is that of ARCHITECTURE.md.  Imports inside functions and for type checkers count like any others.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from house import arrows, modules

FLAT = "flat files"
STAGES = {
    "codecbench": [FLAT, "data", "metrics", "store", "run", "analysis", "listen", "report", "testing", "cli"],
    "codecbench_spc": ["config", "bits", "model", FLAT, "training", "cli"],
}
DOORS = {"codecbench", "codecbench.__main__"}
"""Where one enters the suite: from Python, and by ``python -m``; they may import anything."""

MODULES = modules()
ARROWS = {name: arrows(name, path, frozenset(MODULES)) for name, path in MODULES.items()}


def stage(name: str) -> str:
    """Return the stage that a module belongs to: its folder, or for some flat files of a plugin its name."""
    package, *inner = name.split(".")
    is_folder = len(inner) > 1 or MODULES[name].name == "__init__.py"
    if inner and (is_folder or inner[0] in STAGES[package]):
        return inner[0]
    return FLAT


def backwards(name: str) -> list[str]:
    """Return the modules of its own package that one imports although they stand after it."""
    package = name.partition(".")[0]
    order = STAGES[package]
    own = [other for other in ARROWS[name] if other.partition(".")[0] == package and other != package]
    return sorted(other for other in own if order.index(stage(other)) > order.index(stage(name)))


def foreign(name: str) -> list[str]:
    """Return what a plugin's module imports of the project besides its own package and the flat files."""
    package = name.partition(".")[0]
    others = [other for other in ARROWS[name] if other.partition(".")[0] != package]
    return sorted(other for other in others if not other.startswith("codecbench") or not _is_open(other))


def _is_open(name: str) -> bool:
    package, _, inner = name.partition(".")
    return package == "codecbench" and name != "codecbench.__main__" and (not inner or stage(name) == FLAT)


@pytest.mark.parametrize("package", STAGES)
def test_every_folder_has_its_place_in_the_order(package: str) -> None:
    found = {stage(name) for name in MODULES if name.partition(".")[0] == package}
    assert found == set(STAGES[package])


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.partition(".")[0] in STAGES))
def test_a_module_imports_only_stages_before_its_own(name: str) -> None:
    if name not in DOORS:
        assert backwards(name) == []


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.partition(".")[0] != "codecbench"))
def test_a_plugin_imports_flat_files_of_the_suite_and_no_other_plugin(name: str) -> None:
    assert foreign(name) == []


def test_the_suite_imports_no_plugin() -> None:
    suite = [name for name in MODULES if name.partition(".")[0] == "codecbench"]
    assert {name: others for name in suite if (others := foreign(name))} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: others for name, others in ARROWS.items() if name not in DOORS}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "made.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "import codecbench.audio as a\n"
        "if TYPE_CHECKING:\n    from codecbench.store.store import Run\n"
        "def f():\n    from .pool import cores\n    from codecbench import registry\n    from . import plan\n"
    )
    wanted = {"audio", "store.store", "run.pool", "registry", "run.plan"}
    found = arrows("codecbench.run.made", path, frozenset(MODULES))
    assert found == {f"codecbench.{name}" for name in wanted}


def test_an_arrow_that_runs_backwards_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARROWS, "codecbench.store.layout", {"codecbench.run.plan", "codecbench.errors"})
    assert backwards("codecbench.store.layout") == ["codecbench.run.plan"]
    monkeypatch.setitem(ARROWS, "codecbench_spc.codec", {"codecbench.metrics.mcd", "codecbench.metric"})
    assert foreign("codecbench_spc.codec") == ["codecbench.metrics.mcd"]
