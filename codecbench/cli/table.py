"""``codecbench table``: a stored run as text, JSON, or laid out for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from codecbench.cli.progress import note
from codecbench.cli.tables import print_table, say_unscored, write_table
from codecbench.store.store import Run, load_run
from codecbench.text import names_in

if TYPE_CHECKING:
    import pandas as pd

    from codecbench.report.table import PaperTable

FORMATS = ("text", "json", "md", "csv", "latex")


@click.command()
@click.argument("out", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="latex is a table for one column of a two-column paper.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, as --format json does.")
@click.option(
    "--columns",
    default="",
    metavar="NAME[,NAME]",
    help="Columns after the codec, e.g. kbps,stoi,delay_ms.  [default: all; latex: rate and four scores]",
)
@click.option("--codecs", default="", metavar="NAME[,NAME]", help="Codecs, with all their points.")
@click.option("--points", default="", metavar="CODEC@POINT[,...]", help="Points, besides those of --codecs.")
@click.option(
    "--sort",
    default="",
    metavar="[-]NAME",
    help="Order the rows of a band by a column, scores best first; with - the other way round.",
)
@click.option(
    "--interval",
    type=click.Choice(("low-high", "none")),
    help="Print the 95 % interval of each score in md and latex.  [default: md low-high, latex none]",
)
@click.option("--ours", default="", metavar="NAME[,NAME]", help="Codecs to set last, as your own.")
@click.option("--by-speaker", is_flag=True, help="Print means over the speakers' means; write nothing.")
def table(
    *,
    out: Path,
    kind: str,
    as_json: bool,
    columns: str,
    codecs: str,
    points: str,
    sort: str,
    interval: str | None,
    ours: str,
    by_speaker: bool,
) -> None:
    """Print the table of a stored run; as text and JSON, of the whole run, also write it to RUN/table.csv.

    Codecs, points and columns come in the order of the options; --columns takes the names that
    --format csv prints.
    """
    kind = "json" if as_json else kind
    if kind in {"text", "json"} and (sort or interval or ours):
        raise click.UsageError("--sort, --interval and --ours go with --format md, csv or latex; add one")
    from codecbench.analysis import gaps

    run = load_run(out)
    chosen = _chosen(run, names_in(codecs), names_in(points))
    if kind in {"text", "json"}:
        rows = write_table(chosen, by_speaker=by_speaker, keep=chosen is run)
        print_table(_columns(rows, names_in(columns)), as_json=kind == "json")
        say_unscored(chosen)
        for line in gaps.remarks(run):
            note(line)
        return
    paper = _paper(chosen, names_in(ours), by_speaker)
    click.echo(_laid_out(paper, kind, names_in(columns), sort, interval), nl=False)


def _chosen(run: Run, codecs: list[str], points: list[str]) -> Run:
    from codecbench.analysis.parts import choose

    return choose(run, codecs=codecs, points=points) if codecs or points else run


def _columns(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the columns named of a table of means, with the point's name."""
    from codecbench.report.selection import column_keys

    if not names:
        return rows
    known = [name for name in rows.columns if name not in {"codec", "point"}]
    return rows[["codec", "point", *column_keys(names, known)]]


def _paper(run: Run, ours: list[str], by_speaker: bool) -> PaperTable:
    from codecbench.analysis.runs import with_ours
    from codecbench.analysis.summary import summary
    from codecbench.report.table import paper_table

    run = with_ours(run, ours)
    return paper_table(run, summary(run, by_speaker=by_speaker))


def _laid_out(paper: PaperTable, kind: str, columns: list[str], sort: str, interval: str | None) -> str:
    """Return a paper's table in one of its languages."""
    from codecbench.report import latex_table, selection, table_formats

    if sort:
        paper = selection.sorted_by(paper, sort)
    if columns:
        paper = selection.with_columns(paper, columns)
    elif kind == "latex":
        paper = selection.narrow(paper)
    if kind == "csv":
        return table_formats.csv(paper)
    if kind == "latex":
        return latex_table.latex(paper, interval=interval == "low-high")
    return table_formats.markdown(paper, interval=interval != "none")
