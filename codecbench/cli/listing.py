"""``codecbench list``: codecs, metrics and datasets, and whether each can run here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from codecbench import contract, plain, registry, returned
from codecbench.errors import Unavailable, WrongUsage, told
from codecbench.guard import guarded
from codecbench.registry import unknown
from codecbench.text import one_line

KINDS = ("codecs", "metrics", "datasets")
Row = dict[str, Any]

_COLUMNS = {
    "codecs": ("name", "kHz", "points", "runs here"),
    "metrics": ("name", "description", "kHz", "better", "runs here"),
    "datasets": ("name", "MB", "licence", "runs here"),
}
_MAKERS: dict[str, Callable[[str], Any]] = {
    "codecs": registry.codec,
    "metrics": registry.metric,
    "datasets": registry.dataset,
}


@click.command(name="list")
@click.argument("what", nargs=-1, metavar="[codecs|metrics|datasets|NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_all(what: tuple[str, ...], as_json: bool) -> None:
    """Show codecs, metrics and datasets, one a line, and whether they can run here; or all about a NAME."""
    if what and not set(what) <= set(KINDS):
        cards = [_card(name) for name in what]
        if as_json:
            click.echo(json.dumps(cards, indent=1))
        else:
            click.echo("\n\n".join(map(_in_words, cards)))
        return
    rows = {kind: describe(kind) for kind in what or KINDS}
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    click.echo("\n\n".join(_lines(kind, entries) for kind, entries in rows.items()))


def _card(name: str) -> Row:
    """Return what is registered under a name, of whatever kind."""
    kinds = {kind: registry.names(f"codecbench.{kind}") for kind in KINDS}
    for kind, names in kinds.items():
        if name.partition(":")[0] in names:
            return {"kind of plugin": kind.removesuffix("s"), **_describe(kind, name, _FACTS[kind])}
    raise WrongUsage(unknown("name", name, [*KINDS, *(known for names in kinds.values() for known in names)]))


def _in_words(card: Row) -> str:
    """Return a card, a fact a line."""
    lines = []
    for fact, value in card.items():
        told = " ".join(map(str, value)) if isinstance(value, list) else value
        told = ("no", "yes")[told] if isinstance(told, bool) else told
        if told not in {None, ""}:
            lines.append(f"{fact.replace('_', ' '):22}{one_line(str(told))}")
    return "\n".join(lines)


def _lines(kind: str, rows: list[Row]) -> str:
    """Return a heading and one line an entry, its columns below one another."""
    columns = _COLUMNS[kind]
    cells = [[_shown(row).get(column, "") for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    padded = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (list(columns), *cells)
    )
    return "\n".join([kind, *padded])


def describe(kind: str) -> list[Row]:
    """Return what is registered of a kind: name, facts, ``available``, else ``reason`` and ``remedy``."""
    return [_describe(kind, name, _FACTS[kind]) for name in registry.names(f"codecbench.{kind}")]


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
        "frame_rate_hz": codec.info.frame_rate_hz,
        "causal": codec.info.causal,
        "parameters": codec.info.parameters,
        "citation": codec.info.citation,
        "url": codec.info.url,
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


def _shown(row: Row) -> dict[str, str]:
    licences = dict.fromkeys(filter(None, (row.get("licence"), row.get("weights_licence"))))
    shown = {"name": row["name"], "description": row.get("description", ""), "licence": ", ".join(licences)}
    if "points" in row:
        shown["points"] = one_line(" ".join(row["points"]), 40) + (" ..." if row["other_points"] else "")
    if "sample_rate_hz" in row:
        shown["kHz"] = f"{row['sample_rate_hz'] / 1000:g}"
    if "higher_is_better" in row:
        shown["better"] = "higher" if row["higher_is_better"] else "lower"
    if "size_bytes" in row:
        shown["MB"] = f"{row['size_bytes'] / 1e6:.0f}" if row["size_bytes"] else "included"
    remark = f" ({one_line(row['remark'], 60)})" if row.get("remark") else ""
    shown["runs here"] = f"yes{remark}" if row["available"] else f"no: {one_line(_why(row), 90)}"
    return shown


def _why(row: Row) -> str:
    return str(row["remedy"] or row["reason"]).removeprefix("run: ")


_FACTS: dict[str, Callable[[Any], Row]] = {"codecs": _codec, "metrics": _metric, "datasets": _dataset}
