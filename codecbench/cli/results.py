"""``codecbench report`` and ``export``: what stored runs say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from codecbench.cli.progress import note
from codecbench.files import write_atomically, write_bytes_atomically
from codecbench.store.store import Run, load_run
from codecbench.text import csv_safe, names_in, printable

if TYPE_CHECKING:
    from codecbench.report.clips import Clips

_RUN = click.argument("out", metavar="RUN", type=click.Path(path_type=Path))
_PUBLISHED = click.option(
    "--published", type=click.Path(path_type=Path), help="Folder with published-*.json.  [default: results/]"
)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="Folder for the report.  [default: RUN/report]")
@click.option("--single-file", is_flag=True, help="Put audio, figures and all scores into the page.")
@click.option("--no-audio", is_flag=True, help="Leave the players out; figures still show spectrograms.")
@click.option(
    "--clips",
    default="",
    metavar="N[:CODEC@POINT,...]",
    help="Players for the N shortest utterances alone, at these points, as Opus: a small page.",
)
@_PUBLISHED
@click.option("--ours", default="", metavar="NAME[,NAME]", help="Codecs of the run to set off as your own.")
@click.option("--codecs", default="", metavar="NAME[,NAME]", help="Show these codecs, with all their points.")
@click.option(
    "--points", default="", metavar="CODEC@POINT[,...]", help="Show these points, besides --codecs."
)
@click.option("--metrics", default="", metavar="NAME[,NAME]", help="Show these metrics, in this order.")
@click.option("--title", default="", help="Heading of the report.  [default: Speech codecs on SET]")
@click.option(
    "--by",
    default="",
    metavar="COLUMN",
    help="Add a table by a column of the set's manifest.csv (language, gender, ...).",
)
@click.option(
    "--format",
    "formats",
    default="",
    metavar="FORMAT[,FORMAT]",
    help="Files of the figures besides those that the page shows: svg, pdf, png.  [default: all]",
)
@click.option("--other-sets", is_flag=True, help="Draw published figures on other speech sets too.")
def report(
    *,
    runs: tuple[Path, ...],
    to: Path | None,
    single_file: bool,
    no_audio: bool,
    clips: str,
    published: Path | None,
    ours: str,
    codecs: str,
    points: str,
    metrics: str,
    title: str,
    by: str,
    other_sets: bool,
    formats: str,
) -> None:
    """Write tables, plots and one page with players from one or several runs."""
    from codecbench.report.build import build
    from codecbench.report.content import Content
    from codecbench.report.style import FORMATS

    page = build(
        runs,
        to or runs[0] / "report",
        single_file=single_file,
        published=published,
        with_audio=not no_audio,
        clips=_clips(clips),
        ours=names_in(ours),
        content=Content(
            names_in(codecs),
            names_in(points),
            names_in(metrics),
            title=title,
            by=by,
            other_sets=other_sets,
            formats=_formats(formats) or FORMATS,
        ),
    )
    click.echo(printable(str(page)))


def _formats(text: str) -> list[str]:
    """Return the formats named; raises `UsageError` for another."""
    from codecbench.report.style import FORMATS

    chosen = names_in(text)
    if unknown := [name for name in chosen if name not in FORMATS]:
        raise click.UsageError(f"--format takes {', '.join(FORMATS)}, not {unknown[0]!r}")
    return chosen


def _clips(text: str) -> Clips | None:
    """Return what ``--clips`` asks for.

    Raises
    ------
    UsageError
        If it does not begin with a whole number from 1.
    """
    if not text:
        return None
    from codecbench.report.clips import Clips

    count, _, points = text.partition(":")
    if not count.isascii() or not count.isdecimal() or int(count) < 1:
        raise click.UsageError(
            f"--clips takes N or N:CODEC@POINT,..., such as 3:spc@7.5,opus@8, not {text!r}"
        )
    return Clips(int(count), tuple(names_in(points)))


@click.command()
@_RUN
@click.option("--parquet", type=click.Path(path_type=Path), help="Write Parquet.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write CSV; - is standard output.")
@click.option("--results", type=click.Path(path_type=Path), help="Write means as FOLDER/SET/CODEC.json.")
def export(out: Path, parquet: Path | None, csv: Path | None, results: Path | None) -> None:
    """Write a run's records, a row a cell, as Parquet or CSV without tokens; or its means as JSON."""
    if parquet is None and csv is None and results is None:
        raise click.UsageError("name what to write: --parquet FILE, --csv FILE or --results FOLDER")
    run = load_run(out)
    if results is not None:
        _export_results(run, results)
    rows = run.records.drop(columns="codes")
    if parquet:
        write_bytes_atomically(parquet, rows.to_parquet(index=False))
        note(f"{parquet}: {len(rows)} rows")
    if csv == Path("-"):
        click.echo(csv_safe(rows).to_csv(index=False, lineterminator="\n"), nl=False)
    elif csv:
        write_atomically(csv, csv_safe(rows).to_csv(index=False, lineterminator="\n"))
        note(f"{csv}: {len(rows)} rows")


def _export_results(run: Run, folder: Path) -> None:
    from codecbench.analysis.results import measured, write
    from codecbench.analysis.summary import summary

    for result in measured(run, summary(run)):
        note(str(write(result, folder / run.manifest["dataset"]["name"])))
