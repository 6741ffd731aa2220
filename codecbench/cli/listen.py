"""``codecbench listen``: make listening tests from a run and read their answers."""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.cli.progress import note
from codecbench.cli.tables import print_json, print_table, rows_of
from codecbench.errors import InvalidInput
from codecbench.text import printable

KINDS = ("mushra", "abx")


@click.group()
def listen() -> None:
    """Make a listening test from a run's kept audio, and read the answers."""


@listen.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--to", required=True, type=click.Path(path_type=Path),
    help="A new or empty folder; as RUN/listening/NAME the report finds the answers in it.",
)  # fmt: skip
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="Kind of test.")
@click.option("--points", default="", help="CODEC@POINT, separated by commas; by default one of each codec.")
@click.option(
    "--trials", type=click.IntRange(min=1, max=1000), default=12, show_default=True,
    help="Utterances of a MUSHRA test, judgements of each condition in an ABX test.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses and orders trials."
)
@click.option("--title", default="Speech quality", show_default=True, help="What listeners see.")
@click.option(
    "--anchors", default="3500,7000", show_default=True, help="Cut-offs of the low and the mid anchor in Hz."
)
def export(
    *, run: Path, to: Path, kind: str, points: str, trials: int, seed: int, title: str, anchors: str
) -> None:
    """Write a MUSHRA test (a page of its own, and webMUSHRA's configuration) or an ABX page."""
    from codecbench.listen.export import export as write

    made = write(
        run,
        to,
        "abx" if kind == "abx" else "mushra",
        seed=seed,
        points=[point.strip() for point in points.split(",") if point.strip()],
        trials=trials,
        title=title,
        anchors_hz=_cutoffs(anchors),
    )
    for remark in made.remarks:
        note(str(remark))
    note(f"{made.page.parent} is for listeners; {made.key} says what is what and is not")
    click.echo(printable(str(made.page)))
    if made.configuration is not None:
        click.echo(printable(str(made.configuration)))


@listen.command()
@click.argument("answers", metavar="ANSWERS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The key.json of the test.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def read(answers: tuple[Path, ...], key: Path, as_json: bool) -> None:
    """Print one row a condition with its interval, and the tests of pairs; ANSWERS are files or folders."""
    from codecbench.listen.answers import read_test

    test = read_test(answers, key)
    result = test.result
    for who in result.excluded:
        note(f"left out is {who} (post-screening, ITU-R BS.1534-3)")
    for line in test.notes:
        note(line)
    if as_json:
        print_json({
            "test": test.key["test"], "kind": test.key["kind"], "method": result.method,
            "conditions": rows_of(result.table), "pairs": rows_of(result.pairs),
            "excluded": [vars(who) for who in result.excluded], "notes": list(test.notes),
        })  # fmt: skip
        return
    note(result.method)
    print_table(result.table, as_json=False)
    if len(result.pairs):
        click.echo()
        print_table(result.pairs, as_json=False)


def _cutoffs(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInput(f"--anchors {text!r} is not two cut-offs in Hz, such as 3500,7000") from None
