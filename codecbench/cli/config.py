"""Options of ``run`` from a file: TOML with their names as keys, or the manifest of a run to do again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from codecbench.errors import InvalidInput, WrongUsage
from codecbench.files import read_toml
from codecbench.registry import unknown
from codecbench.run.describe import describe
from codecbench.run.plan import Plan
from codecbench.store.manifest import Manifest, differences
from codecbench.store.store import read_manifest

_MANIFEST = "codecbench.manifest"
NOT_AGAIN = frozenset({"out", "overwrite", "rerun", "as_json", "strict", "config", "quiet", "debug"})
"""Options of a run that its repetition does not take over: where to, and how it is told."""


def read(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Take a file's values where the command line names none."""
    if path is None:
        return
    values = _of_manifest(context, path) if path.suffix == ".json" else _of_toml(context, path)
    context.default_map = {**(context.default_map or {}), **values}


def check_exact(plan: Plan, device: str) -> None:
    """Refuse to call a run a repetition that is none: other speech, or other signatures.

    Raises
    ------
    InvalidInput
        Naming what differs from the manifest that was given.
    """
    before: Manifest | None = click.get_current_context().meta.get(_MANIFEST)
    if before is None:
        return
    found = differences(before, describe(plan, device=device))
    if found:
        raise InvalidInput(
            f"this would not be the same run: {'; '.join(found)}; to run as things are now give its options"
        )


def _of_toml(context: click.Context, path: Path) -> dict[str, Any]:
    try:
        told = read_toml(path)
    except ValueError as error:
        raise InvalidInput(f"{path}: not TOML ({error}); correct it") from None
    known = {
        option.lstrip("-"): parameter.name
        for parameter in context.command.params
        for option in parameter.opts
        if option.startswith("--") and parameter.name != "config"
    }
    values = {}
    for key, value in told.items():
        name = known.get(key.replace("_", "-"))
        if name is None:
            raise WrongUsage(f"{path}: {unknown('key', key, known)}; keys are the options of run")
        values[name] = _text(path, key, value)
    return values


def _text(path: Path, key: str, value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ",".join(map(str, value))
    if isinstance(value, str | int | float | bool):
        return value
    raise WrongUsage(f"{path}: the key {key!r} must be a text, a number, true or false, or a list of these")


def _of_manifest(context: click.Context, path: Path) -> dict[str, Any]:
    manifest = read_manifest(path.parent) if path.name == "manifest.json" else None
    if manifest is None:
        raise WrongUsage(f"{path}: not called manifest.json; give the manifest of a run, or a TOML file")
    words = [str(word) for word in manifest["command"]]
    if context.command.name not in words[1:3]:
        raise WrongUsage(
            f"{path}: its run was not started by codecbench {context.command.name}; give its options"
        )
    given = words[words.index(str(context.command.name)) + 1 :]
    values, _, _ = context.command.make_parser(context).parse_args(given)
    context.meta[_MANIFEST] = manifest
    return {name: value for name, value in values.items() if name not in NOT_AGAIN}
