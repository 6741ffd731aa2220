"""``codecbench listen``: make listening tests from a run and read their answers."""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.cli.progress import note
from codecbench.cli.tables import print_table
from codecbench.text import names_in, printable

KINDS = ("mushra", "abx")


@click.group()
def listen() -> None:
    """Make a listening test from a run's kept audio, and read the answers."""


@listen.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A new or empty folder.")
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="Kind of test.")
@click.option("--points", default="", help="CODEC@POINT, separated by commas; by default one of each codec.")
@click.option("--trials", type=click.IntRange(min=1), default=12, show_default=True, help="Number of trials.")
@click.option("--seed", default=0, show_default=True, help="Chooses and orders trials.")
@click.option("--title", default="Speech quality", show_default=True, help="What listeners see.")
def export(*, run: Path, to: Path, kind: str, points: str, trials: int, seed: int, title: str) -> None:
    """Write a MUSHRA set for webMUSHRA, or an ABX page that works from a file."""
    from codecbench.listen.export import export as write

    made = write(
        run,
        to,
        "abx" if kind == "abx" else "mushra",
        seed=seed,
        points=names_in(points),
        trials=trials,
        title=title,
    )
    click.echo(printable(str(made)))


@listen.command()
@click.argument("answers", metavar="ANSWERS", type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The key.json of the test.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def read(answers: Path, key: Path, as_json: bool) -> None:
    """Print one row a condition with its interval."""
    from codecbench.listen.answers import read_test

    test = read_test(answers, key)
    for line in test.notes:
        note(line)
    print_table(test.table, as_json=as_json)
