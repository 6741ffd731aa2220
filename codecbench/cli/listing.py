"""``codecbench list``: codecs, metrics and datasets, and whether each can run here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from codecbench import contract, plain, registry, returned
from codecbench.errors import Unavailable, told
from codecbench.guard import guarded

KINDS = ("codecs", "metrics", "datasets")
Row = dict[str, Any]

_COLUMNS = {
    "codecs": ("name", "points", "kHz", "licence", "runs here"),
    "metrics": ("name", "description", "kHz", "better", "runs here"),
    "datasets": ("name", "description", "licence", "MB", "runs here"),
}
_MAKERS: dict[str, Callable[[str], Any]] = {
    "codecs": registry.codec,
    "metrics": registry.metric,
    "datasets": registry.dataset,
}


@click.command(name="list")
@click.argument("kinds", nargs=-1, type=click.Choice(KINDS))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_all(kinds: tuple[str, ...], as_json: bool) -> None:
    """Show codecs, metrics and datasets, what they are, and whether they can run here."""
    rows = {kind: describe(kind) for kind in kinds or KINDS}
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for kind, entries in rows.items():
        console.print(_table(kind, entries))
        for row in entries:
            if not row["available"]:
                why = "; ".join(filter(None, (row["reason"], row["remedy"])))
                click.echo(f"  {row['name']}: {why}")
            if row.get("remark"):
                click.echo(f"  {row['name']}: {row['remark']}")
        click.echo()


def describe(kind: str) -> list[Row]:
    """Return what is registered of a kind: name, facts, ``available``, else ``reason`` and ``remedy``."""
    facts = {"codecs": _codec, "metrics": _metric, "datasets": _dataset}[kind]
    return [_describe(kind, name, facts) for name in registry.names(f"codecbench.{kind}")]


def _describe(kind: str, name: str, facts: Any) -> Row:
    row: Row = {"name": name}
    try:
        made = _MAKERS[kind](name)
        with guarded():
            row |= facts(made)
        if kind == "datasets":
            with guarded():
                made.check()
        else:
            contract.check_here(made)
            row["signature"] = contract.signature(made)
    except Unavailable as error:
        return {**row, "available": False, "reason": error.reason, "remedy": error.remedy}
    except Exception as error:
        return {**row, "available": False, "reason": told(error), "remedy": ""}
    return {**row, "available": True, "reason": "", "remedy": ""}


def _codec(codec: Any) -> Row:
    return {
        "description": codec.info.description,
        "remark": returned.text(codec.remark(), "remark()"),
        "kind": codec.info.kind,
        "sample_rate_hz": codec.info.sample_rate_hz,
        "licence": codec.info.licence,
        "weights_licence": codec.info.weights_licence,
        "algorithmic_delay_ms": codec.info.algorithmic_delay_ms,
        "points": [point.name for point in codec.points if point.default],
        "other_points": [point.name for point in codec.points if not point.default],
    }


def _metric(metric: Any) -> Row:
    return {
        "description": f"{metric.label}, {metric.unit}" if metric.unit else metric.label,
        "higher_is_better": metric.higher_is_better,
        "sample_rate_hz": metric.sample_rate_hz,
        "citation": metric.citation,
    }


def _dataset(source: Any) -> Row:
    return {
        "description": returned.text(source.description, "description"),
        "licence": returned.text(source.licence, "licence"),
        "size_bytes": plain.whole(source.size_bytes),
    }


def _table(kind: str, rows: list[Row]) -> Any:
    from rich.table import Table

    table = Table(title=kind, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS[kind]:
        table.add_column(column, overflow="fold")
    for row in rows:
        shown = _shown(row)
        table.add_row(*(shown.get(column, "") for column in _COLUMNS[kind]))
    return table


def _shown(row: Row) -> dict[str, str]:
    licences = dict.fromkeys(filter(None, (row.get("licence"), row.get("weights_licence"))))
    shown = {"name": row["name"], "description": row.get("description", ""), "licence": ", ".join(licences)}
    if "points" in row:
        shown["points"] = " ".join(row["points"]) + (" ..." if row["other_points"] else "")
    if "sample_rate_hz" in row:
        shown["kHz"] = f"{row['sample_rate_hz'] / 1000:g}"
    if "higher_is_better" in row:
        shown["better"] = "higher" if row["higher_is_better"] else "lower"
    if "size_bytes" in row:
        shown["MB"] = f"{row['size_bytes'] / 1e6:.0f}" if row["size_bytes"] else "included"
    shown["runs here"] = "yes" if row["available"] else "no, see below"
    return shown
