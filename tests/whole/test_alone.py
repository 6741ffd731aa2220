"""Each module imports alone and each command starts alone, whatever the others would have imported before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from alone import Ended, run_alone
from codecbench.cli import cli as command_line
from house import ROOT, modules

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

NOWHERE = "no-such-file-or-folder"
STARTS = {
    # What gets a command past its own imports, and what it then says.
    "run": ("--codecs pcm --data {0} --out {0}", "no-such-file-or-folder"),
    "score": ("--ref {0} --deg {0}", "no-such-file-or-folder"),
    "list": ("datasets", "demo"),
    "report": ("{0} --to report", "no run here"),
    "table": ("{0}", "no run here"),
    "compare": ("{0} {0}", "no run here"),
    "gate": ("{0} {0}", "no run here"),
    "merge": ("{0} --out merged", "no run here"),
    "figure": ("{0}", "no run here"),
    "leaderboard": ("{0}", "no such file or folder"),
    "export": ("{0} --csv table.csv", "no run here"),
    "check-published": ("{0}", "no run here"),
    "listen export": ("{0} --to test", "no run here"),
    "listen read": ("{0} --key {0}", "not the key of a listening test"),
    "encode": ("{0} --codec pcm", "no-such-file-or-folder"),
    "decode": ("{0}", "no-such-file-or-folder"),
    "weights fetch": ("{0}", "unknown codec"),
    "weights list": ("", "encodec"),
    "weights verify": ("{0}", "unknown codec"),
    "selftest": ("{0}", "unknown metric"),
    "train": ("{0}", "no-such-file-or-folder"),
    "train-context": ("{0}", "no-such-file-or-folder"),
}


def commands(group: click.Group, context: click.Context, *before: str) -> Iterator[str]:
    """Yield every command of a group and of the groups in it: ``listen read``."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, context, *before, name)
        else:
            yield " ".join((*before, name))


def imports() -> dict[str, str]:
    """Return the code that imports each module, the scripts among them."""
    beside = [ROOT / "scripts", *(ROOT / "examples").iterdir()]
    start = f"import sys; sys.path[:0] = {[str(folder) for folder in beside]!r}; import"
    scripts = [path.stem for path in (ROOT / "scripts").glob("*.py")]
    return {name: f"{start} {name}" for name in (*modules(), *scripts)}


def starts(folder: Path) -> dict[str, str]:
    """Return the code that starts each command in a folder."""
    pieces = {}
    for name, (arguments, _) in STARTS.items():
        words = [*name.split(), *arguments.format(NOWHERE).split()]
        code = f"import os, sys; os.chdir({str(folder)!r}); from codecbench.cli import status_of;"
        pieces[f"codecbench {name}"] = f"{code} sys.exit(status_of({words!r}))"
    return pieces


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Return how every piece ended; one process serves them all, as it takes seconds to start."""
    broken = {"broken": "from codecbench.errors import Nothing"}
    return run_alone(imports() | starts(tmp_path_factory.mktemp("starts")) | broken)


def test_each_module_imports_alone(ended: dict[str, Ended]) -> None:
    assert {name: ended[name].output for name in imports() if ended[name] != (0, "")} == {}


def test_what_cannot_be_imported_is_told(ended: dict[str, Ended]) -> None:
    assert ended["broken"].status == 70
    assert "cannot import name 'Nothing'" in ended["broken"].output


def test_each_command_starts_alone(ended: dict[str, Ended]) -> None:
    assert sorted(STARTS) == sorted(commands(command_line, click.Context(command_line)))
    outputs = {name: ended[f"codecbench {name}"].output for name in STARTS}
    faults = ("defect", "Traceback", "Usage")
    assert {
        name: output
        for name, output in outputs.items()
        if STARTS[name][1] not in output or any(fault in output for fault in faults)
    } == {}
