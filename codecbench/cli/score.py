"""``codecbench score``: speech that codecs have decoded already, against its references."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from codecbench.anchors import Folder
from codecbench.cli import how, remarks
from codecbench.cli.progress import download_bar, note
from codecbench.data.folders import Dataset, listed_dataset, load_dataset
from codecbench.errors import WrongUsage
from codecbench.run.plan import Request, distinct, make_plan
from codecbench.run.scoring import ALIGN
from codecbench.text import names_in


@click.command()
@click.option("--ref", help="Folder with the reference files, or one file.")
@click.option(
    "--deg",
    "decoded",
    multiple=True,
    metavar="[NAME=]DIR[@KBPS]",
    help="Folder with decoded files, or one file; names match by path, else by stem. May be given again.",
)
@click.option(
    "--pairs",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="In place of --ref and --deg: a .csv with columns ref and deg, or a .scp of ID REF DEG.",
)
@click.option(
    "--kbps", type=click.FloatRange(min=0, min_open=True), help="The rate to show for them, in kbit/s."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: runs/DEG]"
)
@click.option(
    "--align",
    type=click.Choice(ALIGN),
    default=ALIGN[0],
    show_default=True,
    help="Undo before scoring: the lag of all files together, of each file by itself, or none.",
)
@how.options
def score(
    *,
    ref: str | None,
    decoded: tuple[str, ...],
    pairs: Path | None,
    kbps: float | None,
    out: Path | None,
    metrics: str,
    limit: int | None,
    seed: int,
    **options: Any,
) -> int:
    """Score speech that codecs have decoded already, against its references.

    Rates are those that you declare.  Files without a counterpart are named and left out.
    """
    how.check(**options)
    if (pairs is None) == (ref is None or not decoded) or (pairs and (ref or decoded)):
        raise click.UsageError("give --ref and --deg, or --pairs")
    requests = [_request(text, kbps) for text in ([str(pairs)] if pairs else decoded)]
    distinct(requests)
    whole = _references(ref, pairs, [Path(_argument(request)) for request in requests], out)
    folders = [Folder(_argument(request)) for request in requests]
    for folder in folders:
        folder.check()
    paired, said = remarks.with_files(whole, folders)
    for line in said:
        note(line)
    plan = make_plan(paired.sample(limit, seed), requests, names_in(metrics))
    name = requests[0].name or Path(_argument(requests[0])).resolve().stem
    default = Path("runs") / (name if len(requests) == 1 else f"{whole.name}-scored")
    status = how.execute(plan, whole, out or default, **options)
    return 1 if options["strict"] and said else status


def _references(ref: str | None, pairs: Path | None, decoded: list[Path], out: Path | None) -> Dataset:
    if pairs is not None:
        return listed_dataset(pairs)
    assert ref is not None
    single = [path for path in (Path(ref), *decoded) if path.is_file()]
    if not single:
        with download_bar() as progress:
            return load_dataset(ref, [*decoded, *([out] if out else [])], progress)
    if len(single) != 1 + len(decoded):
        raise WrongUsage(
            f"{single[0]} is a file; give one file to --ref and one to each --deg, or folders to all"
        )
    return listed_dataset(Path(ref))


def _request(text: str, kbps: float | None) -> Request:
    """Return what ``[NAME=]DIR[@KBPS]`` asks for; what exists as it stands is a path."""
    name, path = "", text
    named = re.fullmatch(r"([A-Za-z0-9][\w.+-]*)=(.+)", text)
    if named and not Path(text).exists():
        name, path = named[1], named[2]
    rate = "" if kbps is None else f"{kbps:g}"
    before, separator, after = path.rpartition("@")
    if separator and not Path(path).exists() and "/" not in after:
        path, rate = before, after
    return Request(f"{Folder.info.name}:{path}", (rate,) if rate else (), name)


def _argument(request: Request) -> str:
    return request.spec.partition(":")[2]
