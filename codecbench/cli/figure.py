"""``codecbench figure``: one figure of stored runs for a paper."""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.cli.progress import note
from codecbench.files import unwritable
from codecbench.text import names_in, printable

KINDS = (
    "rate-quality", "speed-quality", "distribution", "codebook-use", "agreement", "spectrograms", "tokens",
)  # fmt: skip
FORMATS = (".pdf", ".svg", ".png")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="What to draw.")
@click.option("--to", type=click.Path(path_type=Path), help="A .pdf, .svg or .png file.  [default: KIND.pdf]")
@click.option("--metrics", default="", metavar="NAME[,NAME]", help="A plot each.  [default: one]")
@click.option("--codecs", default="", metavar="NAME[,NAME]", help="Codecs, with all their points.")
@click.option("--points", default="", metavar="CODEC@POINT[,...]", help="Points, besides those of --codecs.")
@click.option("--ours", default="", metavar="NAME[,NAME]", help="Codecs to set off as your own.")
@click.option("--title", default="", help="Above the plots.  [default: none; papers have a caption]")
@click.option(
    "--width",
    type=click.FloatRange(min=2, max=20),
    default=3.5,
    show_default=True,
    help="In inches: 3.5 is one column of an IEEE page, 7.16 both.",
)
@click.option(
    "--published", type=click.Path(path_type=Path), help="Folder with published-*.json.  [default: results/]"
)
@click.option("--other-sets", is_flag=True, help="Draw published figures on other speech sets too.")
def figure(
    *,
    runs: tuple[Path, ...],
    kind: str,
    to: Path | None,
    metrics: str,
    codecs: str,
    points: str,
    ours: str,
    title: str,
    width: float,
    published: Path | None,
    other_sets: bool,
) -> None:
    """Draw one figure of one or several runs, made to be printed at its width in type of 8 pt."""
    from codecbench.analysis.parts import choose
    from codecbench.analysis.runs import load_runs, ordered
    from codecbench.report.one_figure import draw, published_points
    from codecbench.report.style import save_as

    to = to or Path(f"{kind}.pdf")
    if to.suffix not in FORMATS:
        raise click.UsageError(f"--to {str(to)!r} must end in {', '.join(FORMATS)}")
    named = names_in(metrics)
    whole = load_runs(list(runs), names_in(ours))
    run = choose(whole, codecs=names_in(codecs), points=names_in(points), metrics=named)
    literature = published_points(run, published, other_sets=other_sets)
    drawn = draw(
        run,
        kind,
        metrics=named,
        width=width,
        title=title,
        literature=literature,
        beside=ordered(whole, whole.manifest["codecs"]),
    )
    try:
        save_as(drawn, to)
    except OSError as error:
        raise unwritable(to, error) from None
    inches = drawn.get_size_inches()
    note(f"{inches[0]:.2f} by {inches[1]:.2f} inches")
    click.echo(printable(str(to)))
