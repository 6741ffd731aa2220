"""Write what README and docs/thesis.md say of the reference run, from its tables alone.

``python scripts/write_reference.py`` writes the part of README.md between its marks and the page
docs/thesis.md; ``--check`` compares them with the tables and fails where they differ.  The tables are
those of the reference report (`reports/reference/tables`), and ``docs/measured/thesis-*.csv``, which
``codecbench compare`` prints: results/README.md has the commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "reports" / "reference" / "tables"
MEASURED = ROOT / "docs" / "measured"
MARKS = ("<!-- reference:begin -->\n", "<!-- reference:end -->\n")
SIGNIFICANT = 0.05

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


def summary() -> pd.DataFrame:
    """Return the report's means, a row a point."""
    table = pd.read_csv(TABLES / "summary.csv", dtype={"point": str})
    return table.set_index(table["codec"] + "@" + table["point"])


def differences() -> dict[tuple[str, str, str], pd.Series]:
    """Return the report's paired differences `a - b` by metric, a and b, in both directions."""
    found: dict[tuple[str, str, str], pd.Series] = {}
    for _, row in pd.read_csv(TABLES / "pairs.csv").iterrows():
        found[row["metric"], row["a"], row["b"]] = row
        turned = row.copy()
        turned["difference"] = -row["difference"]
        turned["low"], turned["high"] = -row["high"], -row["low"]
        found[row["metric"], row["b"], row["a"]] = turned
    return found


def signed(value: float, decimals: int) -> str:
    """Return a number with its sign, a true minus in front of negative ones."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"


def interval(row: Mapping[str, float], decimals: int) -> str:
    """Return a difference with its interval; bold where it is significant after Holm's correction."""
    low, high = (signed(row[name], decimals) for name in ("low", "high"))
    text = f"{signed(row['difference'], decimals)} [{low}, {high}]"
    return f"**{text}**" if row["p_holm"] <= SIGNIFICANT else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown, the first column to the left."""
    rule = "|---|" + "--:|" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)])


def name_of(label: str) -> str:
    """Return a point's name in type for code, our own in bold."""
    return f"**`{label}`**" if label.partition("@")[0] in OURS else f"`{label}`"


def readme_section() -> str:
    """Return the text between README's marks."""
    points, paired = summary(), differences()
    shown = points.loc[list(SHOWN)].sort_values("payload_kbps", kind="stable")
    (count,) = set(shown["n"])
    head = ("codec", "kbit/s, measured", *(heading for heading, _ in SCORES.values()), "delay, ms")

    def cell(row: pd.Series, metric: str) -> str:
        decimals = SCORES[metric][1]
        if pd.isna(row[metric]):
            return "–"
        mean, low, high = (f"{row[metric + part]:.{decimals}f}" for part in ("", "_low", "_high"))
        return f"{mean} ({low}–{high})"

    rows = [
        (
            name_of(str(label)),
            f"{row['payload_kbps']:.2f}",
            *(cell(row, metric) for metric in SCORES),
            f"{row['delay_ms']:g}",
        )
        for label, row in shown.iterrows()
    ]
    compared = [
        (f"{name_of(ours)} − `{other}`", *(interval(paired[m, ours, other], SCORES[m][1]) for m in SCORES))
        for ours, others in AGAINST
        for other in others
    ]
    bd = pd.read_csv(TABLES / "bd.csv").set_index(["metric", "anchor", "test"])
    headings = [heading for heading, _ in SCORES.values()]
    return NOTES.read_text(encoding="utf-8").format(
        count=count,
        points=table(head, rows),
        differences=table(("difference", *headings), compared),
        bd_stoi=bd_text(bd, "stoi"),
        bd_pesq=bd_text(bd, "pesq-wb"),
    )


def bd_text(bd: pd.DataFrame, metric: str) -> str:
    """Return the BD-rate of spc against rvq with its interval."""
    row = bd.loc[(metric, "rvq", "spc")]
    low, high = (signed(row[f"rate_{end}"], 1) for end in ("low", "high"))
    return f"{signed(row['rate'], 1)} % [{low}, {high}]"


def thesis_page() -> str:
    """Return docs/thesis.md: patches against residual columns at four rates, by way of synthesis."""
    parts = []
    for name, told in THESIS.items():
        compared = pd.read_csv(MEASURED / f"thesis-{name}.csv")
        compared["rate"] = compared["a"].str.partition("@")[2]
        count, speakers = (int(compared[column].iloc[0]) for column in ("n", "speakers"))
        parts.append(
            f"## {told[0].upper()}{told[1:]}\n\n{count} utterances of {speakers} speakers.\n\n"
            + thesis_table(compared.set_index(["metric", "rate"]))
        )
    return THESIS_NOTES.read_text(encoding="utf-8").format(
        tables="\n\n".join(parts), findings=thesis_findings()
    )


def thesis_table(compared: pd.DataFrame) -> str:
    """Return the means of both codecs and the paired difference, a row a rate."""
    metrics = [name for name in SCORES if name in compared.index.get_level_values("metric")]
    rows = []
    for rate in RATES:
        cells = []
        for metric in metrics:
            row, decimals = compared.loc[(metric, rate)], SCORES[metric][1]
            means = " / ".join(f"{row[name]:.{decimals}f}" for name in ("mean_b", "mean_a"))
            cells.append(f"{means}<br>{interval(row, decimals)}")
        rows.append((rate, *cells))
    return table(("kbit/s", *(SCORES[metric][0] for metric in metrics)), rows)


def thesis_findings() -> str:
    """Return what the tables say, counted from them."""
    lines = []
    for name, told in THESIS.items():
        compared = pd.read_csv(MEASURED / f"thesis-{name}.csv")
        compared["rate"] = compared["a"].str.partition("@")[2]
        for rate in RATES:
            part = compared[(compared["rate"] == rate) & compared["metric"].isin(SCORES)]
            better = {"b": [], "a": [], "": []}
            for _, row in part.iterrows():
                better["" if pd.isna(row["better"]) else row["better"]].append(SCORES[row["metric"]][0])
            said = [
                f"{who} better in {', '.join(better[side])}"
                for side, who in (("b", "`spc`"), ("a", "`rvq`"))
                if better[side]
            ]
            rest = f"no significant difference in {', '.join(better[''])}" if better[""] else ""
            lines.append(f"- {told}, {rate} kbit/s: {'; '.join([*said, *filter(None, [rest])])}.")
    return "## What the tables say\n\n" + "\n".join(lines)


def pages() -> dict[Path, str]:
    """Return the text of each file that is written."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = readme.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return {
        ROOT / "README.md": f"{before}{MARKS[0]}{readme_section()}{MARKS[1]}{after}",
        ROOT / "docs" / "thesis.md": f"{thesis_page()}\n",
    }


def outdated() -> list[str]:
    """Return the names of files that differ from the tables."""
    return [
        path.name
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


@click.command(help=__doc__.split("\n", 1)[0])
@click.option("--check", is_flag=True, help="Write nothing; fail where a file is outdated.")
def main(check: bool) -> None:
    """Write or check."""
    if check:
        if stale := outdated():
            raise click.ClickException(
                f"outdated: {', '.join(stale)}; run: python scripts/write_reference.py"
            )
        return
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
