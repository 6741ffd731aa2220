"""``codecbench run``: push speech through codecs, score it, print the table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from codecbench import weights as weights_lookup
from codecbench.cli import config, how
from codecbench.cli.progress import download_bar
from codecbench.data.folders import load_dataset
from codecbench.run.plan import make_plan
from codecbench.run.requests import parse_rates, parse_tolerance
from codecbench.text import names_in


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=config.read,
    help="A TOML file with the names of these options as keys; or a manifest.json, to run it again exactly.",
)
@click.option(
    "--codecs",
    required=True,
    help="[LABEL=]NAME[:FILE][@POINT+POINT], separated by commas; or all, available, classical, neural.",
)
@click.option("--data", default="demo", show_default=True, help="A folder of audio or the name of a set.")
@click.option(
    "--kbps",
    default="",
    help="Run the point nearest to this rate (or rates: 6,9,12) of each codec, default points first.",
)
@click.option("--tolerance", default="10%", show_default=True, help="How far off --kbps a point may be.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: runs/SET]"
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with model files by codec, DIR/<codec>/; sets CODECBENCH_WEIGHTS.",
)
@click.option(
    "--costs",
    is_flag=True,
    help="Make speed and memory comparable for codecbench gate: codecs take turns on each utterance, fresh "
    "processes tell each point's peak memory.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Code so many utterances of like length at once, where a codec can with the same result.",
)
@how.options
def run(
    *,
    codecs: str,
    data: str,
    kbps: str,
    tolerance: str,
    out: Path | None,
    weights: Path | None,
    metrics: str,
    limit: int | None,
    seed: int,
    **options: Any,
) -> int:
    """Push a speech set through codecs and score every utterance.

    Records go to OUT/records.jsonl the moment they exist; the same command continues an interrupted run.  The
    table is printed and written to OUT/table.csv.
    """
    if weights is not None:
        # The environment is what workers inherit.
        os.environ[weights_lookup.VARIABLE] = str(weights.resolve())
    how.check(**options)
    with download_bar() as progress:
        whole = load_dataset(data, [out] if out else [], progress)
    plan = make_plan(
        whole.sample(limit, seed),
        codecs,
        names_in(metrics),
        parse_rates(kbps) if kbps else (),
        parse_tolerance(tolerance),
    )
    config.check_exact(plan, options["device"])
    return how.execute(plan, whole, out or Path("runs") / whole.name, **options)
