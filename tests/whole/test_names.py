"""The suite knows no codec by name: what it must know of one, the codec says of itself."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from house import ROOT, modules

ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
CODECS = sorted(ENTRY_POINTS["codecbench.codecs"])
DEFINED_HERE = {"codecbench.anchors"}
"""Where the suite's own codecs stand, which bear their names."""

FOR_READERS = {"help", "epilog", "metavar"}
"""Arguments of commands and options that may give examples."""

SUITE = {name: path for name, path in modules().items() if name.split(".")[0] == "codecbench"}


def named(tree: ast.AST) -> Iterator[str]:
    """Yield each string constant that is a codec's name, alone or with an argument or a point."""
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, CODECS))})(?:[:@,].*)?", re.DOTALL)
    shown = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in FOR_READERS
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in shown:
            continue
        # A sentence, as in a message with an example, is no name.
        if pattern.fullmatch(node.value) and not re.search(r"\s\w", node.value):
            yield node.value


@pytest.mark.parametrize("module", sorted(SUITE.keys() - DEFINED_HERE))
def test_no_module_names_a_codec(module: str) -> None:
    assert list(named(ast.parse(SUITE[module].read_text(encoding="utf-8")))) == []


def test_a_name_is_found_and_an_example_is_not() -> None:
    found = "x == 'spc' or f'folder:{x}' or ('opus@8', 'pcm,opus')"
    assert sorted(named(ast.parse(found))) == ["folder:", "opus@8", "pcm,opus", "spc"]
    examples = "option(help='opus@8')\nraise E('write e.g. opus,codec2@2400+3200')\n'opus, for example'"
    assert list(named(ast.parse(examples))) == []
