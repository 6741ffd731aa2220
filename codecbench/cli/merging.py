"""``codecbench merge``: parts of a run put together, then the table."""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.cli.progress import note
from codecbench.cli.tables import print_table, say_unscored, write_table
from codecbench.run.settle import moved
from codecbench.store.merging import merge_runs
from codecbench.store.store import Store, load_run


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the merged run.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a cell is missing or must be scored again.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def merge(*, runs: tuple[Path, ...], out: Path, strict: bool, as_json: bool) -> int:
    """Put runs of the same speech together: codecbench merge runs/x/shard-* --out runs/x.

    The command of the shards without --shard computes there what is still missing.
    """
    merged = merge_runs(runs, out)
    with Store(out) as store:
        again = moved(store)
    note(f"{merged.taken} records taken into {out}")
    to_do = "run the same command without --shard for them"
    if merged.missing:
        note(f"{merged.missing} of {merged.cells} cells are missing; {to_do}")
    if again:
        note(f"{again} records are scored with another lag undone than that of all parts; {to_do}")
    run = load_run(out)
    print_table(write_table(run), as_json=as_json)
    say_unscored(run)
    return 1 if strict and (merged.missing or again) else 0
