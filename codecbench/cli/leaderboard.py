"""``codecbench leaderboard``: results of many runs and sets in one page or table."""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.cli.progress import note
from codecbench.files import write_atomically
from codecbench.text import names_in, printable

FORMATS = ("html", "md", "csv")


@click.command()
@click.argument("results", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="File to write.  [default: leaderboard.html]")
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="html writes one offline page; md and csv print, unless --to names a file.",
)
@click.option("--metrics", default="", metavar="NAME[,NAME]", help="Show these metrics, in this order.")
def leaderboard(*, results: tuple[Path, ...], to: Path | None, kind: str, metrics: str) -> None:
    """Lay out RESULTS, files or folders that export --results wrote, as a leaderboard.

    There is a table for each speech set, sortable, each row with its codec's signature.  A column holds one
    metric under one signature; scores with another signature stand in another column.
    """
    from codecbench.analysis.leaderboard import across, boards, find, with_metrics
    from codecbench.report.leaderboard import csv, html, markdown

    measured, notes = find(results)
    for line in notes:
        note(line)
    found = boards(measured)
    if metrics:
        found = with_metrics(found, names_in(metrics))
    if kind == "html":
        to = to or Path("leaderboard.html")
        text = html(found, across(found))
    else:
        text = csv(found) if kind == "csv" else markdown(found, across(found))
    if to is None:
        click.echo(text, nl=False)
        return
    write_atomically(to, text)
    click.echo(printable(str(to)))
