"""``codecbench check-published``: hold a run against what papers print."""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.errors import CodecBenchError


@click.command(name="check-published")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--published", type=click.Path(path_type=Path), help="Folder with published-*.json.")
def check_published(out: Path, published: Path | None) -> None:
    """Flag scores of the run in OUT outside the published band for the same codec, rate and test set."""
    from codecbench.analysis.published import check_published as check
    from codecbench.analysis.published import compared, load_published
    from codecbench.analysis.results import measured
    from codecbench.analysis.summary import summary
    from codecbench.store.store import load_run

    run = load_run(out)
    literature = load_published(published)
    results = measured(run, summary(run))
    flags = check(results, literature)
    for flag in flags:
        click.echo(flag)
    if flags:
        raise CodecBenchError(f"{len(flags)} scores are outside the published bands; see the lines above")
    held = sorted(result.codec for result in results if compared(result, literature))
    click.echo(
        f"no score outside the published bands; published figures on {run.manifest['dataset']['name']} "
        f"exist for: {', '.join(held) or 'none of the codecs'}",
        err=True,
    )
