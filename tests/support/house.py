"""The modules of the project, and which of them import which, read from the source without running it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def packages() -> dict[str, Path]:
    """Return the import packages of the project by name: the suite, the plugins, the examples."""
    folders = [
        ROOT / "codecbench",
        *ROOT.glob("codecs/*/codecbench_*"),
        *ROOT.glob("examples/*/codecbench_*"),
    ]
    return {folder.name: folder for folder in folders if (folder / "__init__.py").is_file()}


def modules() -> dict[str, Path]:
    """Return every module of the packages by its dotted name, with its file."""
    found = {}
    for package, folder in packages().items():
        for path in folder.rglob("*.py"):
            inner = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *(part for part in inner if part != "__init__")))] = path
    return found


def arrows(name: str, path: Path, known: frozenset[str]) -> set[str]:
    """Return the known modules that one imports, wherever in it: in functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {_nearest(alias.name, known) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, name, path)
            found |= {_nearest(f"{base}.{alias.name}", known) for alias in node.names}
    return found - {"", name}


def _absolute(node: ast.ImportFrom, name: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")[: None if path.name == "__init__.py" else -1]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _nearest(dotted: str, known: frozenset[str]) -> str:
    """Return the known module that a dotted name is or lies in, or an empty string."""
    while dotted and dotted not in known:
        dotted = dotted.rpartition(".")[0]
    return dotted
