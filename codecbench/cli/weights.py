"""``codecbench weights``: list, fetch and verify model files."""

from __future__ import annotations

import click

from codecbench import weights as files
from codecbench.cli.progress import download_bar
from codecbench.errors import CodecBenchError, Unavailable


@click.group()
def weights() -> None:
    """List, fetch and verify the model files that codecs and metrics need."""


@weights.command(name="list")
def list_sources() -> None:
    """Show which model files there are to fetch and whether they are here."""
    for source in files.list_sources():
        try:
            state = str(files.locate(source))
        except Unavailable as error:
            state = f"missing; {error.remedy}"
        click.echo(f"{source.name}\t{source.size / 1e6:.1f} MB\t{source.licence}\t{state}")


@weights.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def fetch(names: tuple[str, ...]) -> None:
    """Download model files into the cache, pinned by hash."""
    for name in names:
        with download_bar() as progress:
            folder = files.fetch(name, progress)
        click.echo(f"{name}\t{folder}")


@weights.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Compare model files with their pinned hashes; without names, all that are here."""
    missing = []
    for name in names or [source.name for source in files.list_sources()]:
        try:
            click.echo(f"{name}\t{files.verify(name)}")
        except Unavailable:
            if names:
                raise
            missing.append(name)
    if missing and not names:
        click.echo(f"not here: {', '.join(missing)}", err=True)
    if len(missing) == len(files.list_sources()) and missing:
        raise CodecBenchError("no model files are here; fetch some with: codecbench weights fetch NAME")
