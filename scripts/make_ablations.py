"""Checkpoints that differ from the shipped ones in one choice of synthesis, for tables of ablations.

``python scripts/make_ablations.py FOLDER`` writes them with the vocoder they need; then
``codecbench run --codecs spc,vocoder=spc:FOLDER/spc-vocoder.safetensors,...`` scores them side by side.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from codecbench_spc.config import shipped_folder
from codecbench_spc.model.checkpoint import load, save

Choice = dict[str, str | int]
NO_CONSISTENCY: Choice = {"way": "vocoder"}
ABLATIONS: dict[str, dict[str, Choice]] = {
    "spc": {
        "vocoder": NO_CONSISTENCY,
        "steps-8": {"steps": 8},
        "steps-128": {"steps": 128},
        "no-lookahead": {"lookahead": 0},
    },
    "rvq": {"vocoder": NO_CONSISTENCY},
}
"""What differs from the shipped table `synthesis`: no consistency; fewer and more steps; less delay."""


@click.command(help=__doc__.split("\n", 1)[0])
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    """Write one checkpoint a choice."""
    folder.mkdir(parents=True, exist_ok=True)
    vocoder = folder / "vocoder.safetensors"
    shutil.copyfile(shipped_folder("checkpoints") / "vocoder.safetensors", vocoder)
    for codec, choices in ABLATIONS.items():
        shipped = load(shipped_folder("checkpoints") / f"{codec}.safetensors")
        for name, choice in choices.items():
            synthesis = {**dict(shipped.config.get("synthesis", {})), **choice}
            path = folder / f"{codec}-{name}.safetensors"
            save(path, {**shipped.config, "synthesis": synthesis}, shipped.groups, shipped.summary, vocoder)
            click.echo(f"{path}: synthesis {choice}")


if __name__ == "__main__":
    main()
