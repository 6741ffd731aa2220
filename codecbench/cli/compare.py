"""``codecbench compare``: is one system better than another on the same utterances?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codecbench.cli import contenders
from codecbench.cli.progress import note
from codecbench.cli.tables import print_json, print_table, rows_of
from codecbench.text import csv_safe, names_in

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("text", "json", "md", "csv")


@click.command()
@click.argument("systems", metavar="A B...", nargs=-1, required=True)
@click.option("--metrics", default="", metavar="NAME[,NAME]", help="[default: all that every run has]")
@click.option("--format", "kind", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, as --format json does.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="DIR", help="Draw the paired differences.")
@click.option("--seed", default=0, show_default=True, help="Of the sample, sign patterns and bootstrap.")
@contenders.options
def compare(
    *,
    systems: tuple[str, ...],
    metrics: str,
    kind: str,
    as_json: bool,
    plot: Path | None,
    seed: int,
    **how: Any,
) -> None:
    """Compare stored runs, or codecs, with the first one, on the utterances that both have.

    Each is RUN, RUN:CODEC or RUN:CODEC@POINT, RUN being the --out folder of a run, or a codec as in
    codecbench run --codecs, which is run first on --data.  One point each is compared whatever their names;
    else points of the same name.  Differences are "b minus a" in the metric's
    unit with a 95 % interval clustered by speaker; p_holm is the sign-flip p-value after Holm's correction
    over all rows.
    """
    from codecbench.analysis.paired import smallest_p
    from codecbench.analysis.paired_table import LEVEL, paired_table, utterance_differences

    if len(systems) < 2:
        raise click.UsageError("name two systems or more, each RUN, RUN:CODEC, RUN:CODEC@POINT or a codec")
    read = contenders.contest(systems, metrics=names_in(metrics), seed=seed, costs=False, **how).systems()
    table = paired_table(read, names_in(metrics), seed)
    if plot is not None:
        _draw(table, utterance_differences(read, names_in(metrics)), plot)
    _print(table, "json" if as_json else kind)
    if (least := float(smallest_p(int(table["speakers"].min())) * len(table))) > LEVEL:
        few = f"so few speakers ({table['speakers'].min()}) and so many rows ({len(table)})"
        note(
            f"p_holm cannot come below {min(least, 1.0):.2g} with {few}; "
            "run more speakers, or compare fewer metrics and points"
        )


def _draw(table: pd.DataFrame, points: pd.DataFrame, folder: Path) -> None:
    from codecbench.report.differences import draw_differences
    from codecbench.report.style import save

    save(draw_differences(table, points), points, folder, "paired-differences")
    note(f"{folder}: paired-differences.svg, .pdf, .png, .csv")


def _print(table: pd.DataFrame, kind: str) -> None:
    if kind == "json":
        print_json(rows_of(table))
    elif kind == "csv":
        click.echo(csv_safe(table).to_csv(index=False, lineterminator="\n"), nl=False)
    elif kind == "md":
        from codecbench.report.table_formats import markdown_rows

        click.echo(markdown_rows(table), nl=False)
    else:
        print_table(table, as_json=False)
