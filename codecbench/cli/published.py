"""``codecbench check-published``: hold a run against what papers print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codecbench.errors import CodecBenchError, WrongUsage

if TYPE_CHECKING:
    from codecbench.analysis.results import Result


@click.command(name="check-published")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--published", type=click.Path(path_type=Path), help="Folder with published-*.json.")
@click.option(
    "--as",
    "codec",
    default="",
    metavar="CODEC[@KBPS]",
    help="Hold the run's one codec against the figures of this one, e.g. decoded files against mimi@1.1.",
)
@click.option("--dataset", default="", help="Name of the speech set in the literature.  [default: the run's]")
def check_published(*, out: Path, published: Path | None, codec: str, dataset: str) -> None:
    """Flag scores of the run in OUT outside the published band for the same codec, rate and test set."""
    from codecbench.analysis.published import check_published as check
    from codecbench.analysis.published import compared, load_published
    from codecbench.analysis.results import measured
    from codecbench.analysis.summary import summary
    from codecbench.store.store import load_run

    run = load_run(out)
    literature = load_published(published)
    results = _renamed(measured(run, summary(run)), codec, dataset)
    flags = check(results, literature)
    for flag in flags:
        click.echo(flag)
    if flags:
        raise CodecBenchError(f"{len(flags)} scores are outside the published bands; see the lines above")
    held = sorted(result.codec for result in results if compared(result, literature))
    click.echo(
        "no score outside the published bands; published figures on "
        f"{dataset or run.manifest['dataset']['name']} "
        f"exist for: {', '.join(held) or 'none of the codecs'}",
        err=True,
    )


def _renamed(results: list[Result], codec: str, dataset: str) -> list[Result]:
    """Return results under the names that the literature has for their codec, rate and speech set."""
    if dataset:
        results = [replace(result, meta={**result.meta, "dataset": dataset}) for result in results]
    if not codec:
        return results
    name, _, rate = codec.partition("@")
    try:
        kbps = float(rate) if rate else None
    except ValueError:
        raise WrongUsage(f"--as {codec!r}: {rate!r} is no rate; write e.g. mimi@1.1") from None
    if len(results) != 1 or (kbps is not None and len(results[0].points) != 1):
        found = ", ".join(f"{result.codec}@{point.point}" for result in results for point in result.points)
        raise WrongUsage(f"--as {codec} needs a run of one codec at one point; this one has {found}")
    (result,) = results
    points = (
        result.points if kbps is None else (replace(result.points[0], point=f"{kbps:g}", nominal_kbps=kbps),)
    )
    return [replace(result, codec=name, points=points)]
