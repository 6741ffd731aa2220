"""``codecbench gate``: may a new checkpoint replace the old one?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codecbench.cli import contenders
from codecbench.cli.progress import note
from codecbench.cli.tables import print_json, print_table, rows_of
from codecbench.errors import CodecBenchError
from codecbench.files import write_atomically
from codecbench.text import names_in, one_line

if TYPE_CHECKING:
    from codecbench.analysis.gate import Gate
    from codecbench.analysis.systems import System

FORMATS = ("text", "json", "md", "junit", "sarif")
SHOWN = (
    "check", "unit", "base_value", "new_value", "gain", "low", "high", "margin", "power", "needed", "n",
    "verdict",
)  # fmt: skip
REGRESSION, DATA_ERROR, UNSETTLED = 1, 2, 3


class DataError(click.ClickException):
    """What a gate cannot be decided from; its exit status is not that of a regression."""

    exit_code = DATA_ERROR

    def show(self, file: Any = None) -> None:
        """Print one line."""
        click.echo("codecbench: " + one_line(self.message), err=True)


@click.command()
@click.argument("systems", metavar="BASE [NEW]", nargs=-1, required=True)
@click.option("--margins", type=click.Path(path_type=Path), metavar="FILE.toml",
              help="[gate.NAME] margin = NUMBER each, in place of the defaults.")  # fmt: skip
@click.option("--metrics", default="", metavar="NAME[,NAME]", help="[default: all that both have]")
@click.option("--format", "kind", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, as --format json does.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="BASE.json", help="Store BASE alone; NEW is not given."
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Write one offline page: the checks, and the ten utterances that changed most, with players.",
)
@click.option(
    "--sequential",
    is_flag=True,
    help="Run codecs on a growing part of the speech, until every verdict is settled.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 where nothing is worse but something is unsettled.")
@click.option("--seed", default=0, show_default=True, help="Of the sample, sign patterns and bootstrap.")
@contenders.options
def gate(
    *,
    systems: tuple[str, ...],
    margins: Path | None,
    metrics: str,
    kind: str,
    as_json: bool,
    save: Path | None,
    page: Path | None,
    sequential: bool,
    strict: bool,
    seed: int,
    **how: Any,
) -> int:
    """Decide whether NEW may replace BASE, from the paired differences on the utterances that both have.

    Each is RUN, RUN:CODEC or RUN:CODEC@POINT, RUN being the --out folder of a run, or a codec as in
    codecbench run --codecs, which is run first on --data; BASE may be a file of --save.  A check is worse,
    equivalent (its 90 % interval lies inside the margin), better, or inconclusive.  Without a change the
    whole gate fails in at most 5 % of cases, also under --sequential.  Exit status: 0 pass, 1 regression, 2
    usage or data error, 3 inconclusive under --strict.
    """
    if len(systems) != (1 if save else 2):
        raise click.UsageError("name BASE and NEW, or with --save BASE alone")
    if save and sequential:
        raise click.UsageError("--sequential judges NEW; leave it out with --save")
    try:
        own = _own_margins(margins)
        asked = contenders.contest(
            systems, metrics=names_in(metrics), judged=_margins(own), seed=seed, costs=not save, **how
        )
        if save:
            _save(asked.systems()[0], save)
            return 0
        judge = partial(_gate, own=own, metrics=names_in(metrics), seed=seed)
        if sequential:
            found, (base, new) = _grown(asked, judge, seed)
        else:
            base, new = asked.systems()
            found = judge(base, new)
        if page is not None:
            _write_page(found, base, new, page)
    except CodecBenchError as error:
        raise DataError(str(error)) from error
    _print(found, "json" if as_json else kind, systems[1])
    return _status(found, strict)


def _own_margins(path: Path | None) -> dict[str, float]:
    from codecbench.analysis.gate import read_margins

    return read_margins(path) if path else {}


def _margins(own: Mapping[str, float]) -> dict[str, float]:
    from codecbench.analysis.gate import default_margins

    return default_margins() | dict(own)


def _gate(
    base: System,
    new: System,
    *,
    own: Mapping[str, float],
    metrics: list[str],
    seed: int,
    alpha: float | None = None,
) -> Gate:
    from codecbench.analysis import gate as gates

    spent = {} if alpha is None else {"alpha": alpha}
    return gates.gate(base, new, _margins(own), metrics, seed=seed, required=own, **spent)


def _grown(asked: contenders.Contest, judge: Callable[..., Gate], seed: int) -> tuple[Gate, list[System]]:
    """Judge ever more of the speech until the gate is settled, see `codecbench.analysis.sequential`."""
    from codecbench.analysis import sequential

    whole = asked.dataset
    total = len(whole.utterances)
    seen: list[list[System]] = []

    def gate_at(look: sequential.Look) -> Gate:
        note(f"look {len(seen) + 1}: {look.utterances} of {total} utterances, at {look.alpha:.2g}")
        seen.append(asked.systems(whole.sample(look.utterances, seed)))
        return judge(*seen[-1], alpha=look.alpha)

    found, last = sequential.sequential(sequential.looks(total, asked.checks), gate_at)
    note(f"stopped after {last.utterances} of {total} utterances")
    return found, seen[-1]


def _write_page(found: Gate, base: System, new: System, page: Path) -> None:
    from codecbench.analysis.changes import most_changed
    from codecbench.report.gate_page import html

    write_atomically(page, html(found, most_changed(found, base, new)))
    note(f"wrote {page}")


def _save(system: System, path: Path) -> None:
    from codecbench.store.baseline import baseline

    write_atomically(path, baseline(system.run, system.entries))
    note(f"{path}: {len(system.entries)} points of {system.run.out}")


def _print(found: Gate, kind: str, new: str) -> None:
    from codecbench.report import gate_formats

    if kind == "json":
        print_json({
            "verdict": found.verdict, "interval": found.level, "checks": rows_of(found.table()),
            "not_compared": found.not_compared,
        })  # fmt: skip
    elif kind == "md":
        click.echo(gate_formats.markdown(found), nl=False)
    elif kind == "junit":
        click.echo(gate_formats.junit(found), nl=False)
    elif kind == "sarif":
        click.echo(gate_formats.sarif(found, new), nl=False)
    else:
        table = found.table()
        several = table["new"].nunique() > 1
        print_table(table[["new", *SHOWN] if several else list(SHOWN)], as_json=False)
    for line in found.not_compared:
        note(line)
    note(f"{found.verdict}: {gate_formats.counts(found)}")


def _status(found: Gate, strict: bool) -> int:
    if found.verdict == "worse":
        return REGRESSION
    return UNSETTLED if strict and found.verdict == "inconclusive" else 0
