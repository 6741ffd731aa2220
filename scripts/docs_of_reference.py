"""README's part on the reference run and docs/thesis.md, from tables alone; what other pages quote of it.

The tables are those of the reference report (``reports/reference``), and ``docs/measured/thesis-*.csv``,
which ``codecbench compare`` prints: results/README.md has the commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spliced import ROOT, between, table

TABLES = ROOT / "reports" / "reference" / "tables"
FIGURES = ROOT / "reports" / "reference" / "figures"
MEASURED = ROOT / "docs" / "measured"
MARKS = ("<!-- reference:begin -->\n", "<!-- reference:end -->\n")
QUOTED = re.compile(r"\{([\w-]+@[\d.]+):([\w-]+)(?::(\d))?\}|\{rho:([\w-]+):([\w-]+)\}")
"""In notes: a point's mean, `{spc@7.5:stoi:3}` (decimals), or a rank correlation, `{rho:stoi:visqol}`."""
SIGNIFICANT = 0.05
Row = Mapping[str, Any]

SCORES = {"stoi": ("STOI", 3), "pesq-wb": ("PESQ-WB", 2), "visqol": ("ViSQOL", 2), "mcd": ("MCD, dB", 2),
          "dnsmos": ("DNSMOS", 2), "dwer": ("dWER, %", 1)}  # fmt: skip
"""Columns of the tables, with their headings and decimals."""
SHOWN = (
    "pcm@256", "codec2@3.2", "lyra@3.2", "spc@3.75", "rvq@3.75", "amr-nb@4.75", "spc@5", "rvq@5", "lyra@6",
    "opus@6", "amr-nb@7.4", "lyra@7.4", "spc-hifigan@7.5", "rvq@7.5", "spc@7.5", "opus@8", "opus@12",
    "lc3@16", "opus@24",
)  # fmt: skip
"""Points of README's table, by bitrate."""
OURS = ("spc",)
AGAINST = (
    ("spc@7.5", ("lyra@7.4", "opus@8", "rvq@7.5", "spc-hifigan@7.5")),
    ("spc@3.75", ("lyra@3.2", "codec2@3.2", "rvq@3.75", "lyra@6")),
)
"""What is compared with what."""
RATES = ("7.5", "6.25", "5", "3.75")
THESIS = {
    "consistency": "samples by consistency, as shipped",
    "vocoder": "the same tokens through the shared vocoder",
}

NOTES = Path(__file__).parent / "reference_notes.md"
"""README's text around its two tables."""
THESIS_NOTES = Path(__file__).parent / "thesis_notes.md"


def read(path: Path) -> list[Row]:
    """Return the rows of a table, points as text."""
    rows: Any = pd.read_csv(path, dtype={"point": str}).to_dict("records")
    return list(rows)


def summary() -> dict[str, Row]:
    """Return the report's means by point."""
    return {f"{row['codec']}@{row['point']}": row for row in read(TABLES / "summary.csv")}


def differences() -> dict[tuple[str, str, str], Row]:
    """Return the report's paired differences `a - b` by metric, a and b, in both directions."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in read(TABLES / "pairs.csv"):
        found[row["metric"], row["a"], row["b"]] = row
        turned = {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
        found[row["metric"], row["b"], row["a"]] = {**row, **turned}
    return found


def thesis(name: str) -> dict[tuple[str, str], Row]:
    """Return a table of differences between spc (b) and rvq (a) by metric and rate."""
    rows = read(MEASURED / f"thesis-{name}.csv")
    return {(row["metric"], row["a"].partition("@")[2]): row for row in rows}


def signed(value: float, decimals: int) -> str:
    """Return a number with its sign, a true minus in front of negative ones."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"


def interval(row: Row, decimals: int) -> str:
    """Return a difference with its interval; bold where it is significant after Holm's correction."""
    low, high = (signed(row[name], decimals) for name in ("low", "high"))
    text = f"{signed(row['difference'], decimals)} [{low}, {high}]"
    return f"**{text}**" if row["p_holm"] <= SIGNIFICANT else text


def lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without the end of its last line."""
    return table(head, rows).rstrip("\n")


def name_of(label: str) -> str:
    """Return a point's name in type for code, our own in bold."""
    return f"**`{label}`**" if label.partition("@")[0] in OURS else f"`{label}`"


def readme() -> str:
    """Return README.md with the part between its marks written anew."""
    return between(ROOT / "README.md", *MARKS, _section())


def quoted(notes: str) -> str:
    """Return notes with means and rank correlations of the reference report put in."""
    points = summary()
    over_codecs = {
        frozenset((row["one"], row["other"])): row["rho"]
        for row in read(FIGURES / "agreement.csv")
        if row["over"] == "codecs"
    }

    def value(found: re.Match[str]) -> str:
        point, metric, decimals, one, other = found.groups()
        if point is None:
            return f"{over_codecs[frozenset((one, other))]:.2f}"
        return f"{points[point][metric]:.{decimals or 2}f}"

    return QUOTED.sub(value, notes)


def _section() -> str:
    points, paired = summary(), differences()
    shown = sorted(((label, points[label]) for label in SHOWN), key=lambda pair: pair[1]["payload_kbps"])
    (count,) = {row["n"] for _, row in shown}
    headings = [heading for heading, _ in SCORES.values()]
    rows = [
        (
            name_of(label),
            f"{row['payload_kbps']:.2f}",
            *(mean(row, metric) for metric in SCORES),
            f"{row['delay_ms']:g}",
        )
        for label, row in shown
    ]
    compared = [
        (f"{name_of(ours)} − `{other}`", *(interval(paired[m, ours, other], SCORES[m][1]) for m in SCORES))
        for ours, others in AGAINST
        for other in others
    ]
    return NOTES.read_text(encoding="utf-8").format(
        count=count,
        points=lines(("codec", "kbit/s, measured", *headings, "delay, ms"), rows),
        differences=lines(("difference", *headings), compared),
        bd_stoi=bd_rate("stoi"),
        bd_pesq=bd_rate("pesq-wb"),
    )


def mean(row: Row, metric: str) -> str:
    """Return a mean with its interval; a dash where the metric does not apply."""
    if pd.isna(row[metric]):
        return "–"
    text, low, high = (f"{row[metric + part]:.{SCORES[metric][1]}f}" for part in ("", "_low", "_high"))
    return f"{text} ({low}–{high})"


def bd_rate(metric: str) -> str:
    """Return the BD-rate of spc against rvq with its interval."""
    found = {(row["metric"], row["anchor"], row["test"]): row for row in read(TABLES / "bd.csv")}
    row = found[metric, "rvq", "spc"]
    low, high = (signed(row[f"rate_{end}"], 1) for end in ("low", "high"))
    return f"{signed(row['rate'], 1)} % [{low}, {high}]"


def thesis_page() -> str:
    """Return docs/thesis.md: patches against residual columns at four rates, by way of synthesis."""
    parts = []
    for name, told in THESIS.items():
        compared = thesis(name)
        first = next(iter(compared.values()))
        parts.append(
            f"## {told[0].upper()}{told[1:]}\n\n{first['n']} utterances of {first['speakers']} speakers.\n\n"
            + thesis_table(compared)
        )
    findings = "\n".join(line for name in THESIS for line in thesis_findings(name))
    return THESIS_NOTES.read_text(encoding="utf-8").format(
        tables="\n\n".join(parts), findings=f"## What the tables say\n\n{findings}"
    )


def thesis_table(compared: Mapping[tuple[str, str], Row]) -> str:
    """Return the means of both codecs and the paired difference, a row a rate."""
    metrics = [name for name in SCORES if (name, RATES[0]) in compared]
    rows = []
    for rate in RATES:
        cells = []
        for metric in metrics:
            row, decimals = compared[metric, rate], SCORES[metric][1]
            means = " / ".join(f"{row[name]:.{decimals}f}" for name in ("mean_b", "mean_a"))
            cells.append(f"{means}<br>{interval(row, decimals)}")
        rows.append((rate, *cells))
    return lines(("kbit/s", *(SCORES[metric][0] for metric in metrics)), rows)


def thesis_findings(name: str) -> list[str]:
    """Return what a table says, counted from it, a line a rate."""
    compared, said_of = thesis(name), []
    for rate in RATES:
        sides: dict[str, list[str]] = {"a": [], "b": [], "": []}
        for metric, (heading, _) in SCORES.items():
            row = compared[metric, rate]
            sides["" if pd.isna(row["better"]) else row["better"]].append(heading.partition(",")[0])
        said = {
            "`spc` better in": sides["b"],
            "`rvq` better in": sides["a"],
            "no significant difference in": sides[""],
        }
        told = "; ".join(f"{words} {', '.join(names)}" for words, names in said.items() if names)
        said_of.append(f"- {THESIS[name][0].upper()}{THESIS[name][1:]}, {rate} kbit/s: {told}.")
    return said_of
