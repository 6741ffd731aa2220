"""Charts of a run: quality over rate, spread over utterances, quality over speed, use of the codebooks."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from codecbench.analysis.entropy import by_stream, entropy_bits
from codecbench.analysis.runs import (
    is_declared,
    is_ground_truth,
    ordered,
    point_label,
    points,
    scored,
    shown_kbps,
    tells_of,
    without_truth,
)
from codecbench.report.agreement_figure import metric_agreement
from codecbench.report.plots import (
    RATE_TICKS,
    SPEED_TICKS,
    columns_of,
    grid,
    legend,
    log_axis,
    name_axis,
    place_legend,
)
from codecbench.report.selection import narrow_metrics
from codecbench.report.style import FORMATS, INK, PAGE_INCHES, Mark, save, styled
from codecbench.store.store import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_figures(  # noqa: PLR0917
    run: Run,
    summary: pd.DataFrame,
    published: pd.DataFrame,
    marks: Mapping[str, Mark],
    folder: Path,
    formats: Collection[str] = FORMATS,
) -> list[str]:
    """Draw every chart into a folder and return the names of those for which there was data.

    Parameters
    ----------
    run, summary
        The run and its `tables.summary`.
    published : DataFrame
        Points of the literature, see `results.table`.
    marks : Mapping[str, Mark]
        How each codec is drawn.
    folder : Path
        Where to.
    formats : collection of str
        Some of `FORMATS`; what page and ``report.md`` show is written as SVG and PNG besides.
    """
    drawn = {
        "rate-quality": rate_quality(run, summary, published, marks),
        "speed-quality": speed_quality(run, summary, marks),
        "distribution": distribution(run, marks),
        "codebook-use": codebook_use(run, marks),
        "agreement": metric_agreement(run, summary),
    }
    shown = {*formats, "svg", "png"}
    kinds = dict.fromkeys(drawn, shown)
    for metric in run.metrics:
        drawn[f"rate-quality-{metric}"] = rate_quality(run, summary, published, marks, [metric])
    names = []
    for name, result in drawn.items():
        if result is not None:
            save(*result, folder, name, kinds.get(name, formats))
            names.append(name)
    return names


def rate_quality(
    run: Run,
    summary: pd.DataFrame,
    published: pd.DataFrame,
    marks: Mapping[str, Mark],
    metrics: Sequence[str] = (),
    *,
    width: float = PAGE_INCHES,
) -> tuple[Figure, pd.DataFrame]:
    """Draw metrics over the measured rate (log axis) with 95 % intervals; published points are hollow.

    Without ``metrics`` the four are drawn that a narrow table has.  Points at a declared rate have a ring.
    """
    chosen = list(metrics or narrow_metrics(run.metrics))
    summary = summary.assign(kbps=shown_kbps(summary))
    rows: list[dict[Any, Any]] = []
    with styled():
        figure, axes = grid(len(chosen), 2.15, width)
        for metric, axis in zip(chosen, axes, strict=True):
            name_axis(axis, run.manifest["metrics"][metric])
            for codec in ordered(run, run.manifest["codecs"]):
                if not tells_of(run, metric, codec):
                    continue
                curve = summary[(summary["codec"] == codec) & summary[metric].notna()].sort_values("kbps")
                _curve(axis, curve, metric, marks[codec], is_ground_truth(run, codec))
                if is_declared(run, codec):
                    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": marks[codec].colour}
                    axis.plot(curve["kbps"], curve[metric], "o", markersize=9, zorder=2, **ring)
                rows += _rows(curve, metric)
            literature = published[published["metric"] == metric]
            for name, known in literature.groupby("codec", sort=False):
                mark = marks[str(name)]
                axis.plot(known["kbps"], known["mean"], linestyle="", marker=mark.marker,
                          markerfacecolor="none", markeredgecolor=mark.colour, zorder=2)  # fmt: skip
            rows += literature.to_dict("records")
            rates = [*without_truth(run, summary)["kbps"], *literature["kbps"]]
            declared = " (ringed: declared)" if summary["declared_kbps"].notna().any() else ""
            log_axis(axis, rates, RATE_TICKS, f"bitrate, kbit/s{declared}")
        literature = published[published["metric"].isin(chosen)]
        legend(figure, ordered(run, run.manifest["codecs"]), marks, hollow=list(literature["codec"].unique()))
    return figure, pd.DataFrame(rows)


def speed_quality(
    run: Run,
    summary: pd.DataFrame,
    marks: Mapping[str, Mark],
    metrics: Sequence[str] = (),
    width: float = PAGE_INCHES,
) -> tuple[Figure, pd.DataFrame] | None:
    """Draw each metric over the real-time factor of encoding plus decoding (log axis)."""
    table = without_truth(run, summary).copy()
    table["rtf"] = table["rtf_encode"] + table["rtf_decode"]
    table = table[table["rtf"] > 0]
    if table.empty:
        return None
    metrics = list(metrics or narrow_metrics(run.metrics))
    with styled():
        figure, axes = grid(len(metrics), 2.15, width)
        for metric, axis in zip(metrics, axes, strict=True):
            name_axis(axis, run.manifest["metrics"][metric])
            for codec, part in table.groupby("codec", sort=False):
                mark = marks[str(codec)]
                axis.plot(part["rtf"], part[metric], linestyle="", marker=mark.marker, color=mark.colour,
                          markersize=mark.size, markeredgecolor="white", markeredgewidth=0.4)  # fmt: skip
            log_axis(axis, table["rtf"].tolist(), SPEED_TICKS, "real-time factor (lower is faster)")
        legend(figure, list(table["codec"].unique()), marks, lines=False)
    return figure, table[["codec", "point", "payload_kbps", "rtf_encode", "rtf_decode", "rtf", *metrics]]


def distribution(
    run: Run, marks: Mapping[str, Mark], metrics: Sequence[str] = (), width: float = PAGE_INCHES
) -> tuple[Figure, pd.DataFrame]:
    """Draw each metric's spread over utterances: 5 to 95 % thin, the middle half thick, the median a dot."""
    metrics = list(metrics or narrow_metrics(run.metrics))
    shown = [(codec, point) for codec, point in points(run) if not is_ground_truth(run, codec)]
    decoded = scored(run)
    rows = []
    with styled():
        figure, axes = grid(len(metrics), max(1.2, 0.6 + 0.13 * len(shown)), width)
        for column, (metric, axis) in enumerate(zip(metrics, axes, strict=True)):
            name_axis(axis, run.manifest["metrics"][metric], vertical=False)
            for place, (codec, point) in enumerate(shown):
                part = decoded[(decoded["codec"] == codec) & (decoded["point"] == point)][metric].dropna()
                if part.empty:
                    continue
                cuts = np.quantile(part, [0.05, 0.25, 0.5, 0.75, 0.95])
                colour = marks[codec].colour
                axis.plot(cuts[[0, 4]], [place, place], color=colour, linewidth=0.8, solid_capstyle="butt")
                axis.plot(cuts[[1, 3]], [place, place], color=colour, linewidth=3.2, solid_capstyle="butt")
                axis.plot(cuts[2], place, marker="o", color="white", markeredgecolor=colour, markersize=3)
                names = ("q05", "q25", "median", "q75", "q95")
                rows.append({"codec": codec, "point": point, "metric": metric, "n": len(part)}
                            | dict(zip(names, cuts, strict=True)))  # fmt: skip
            axis.set_ylim(len(shown) - 0.4, -0.6)
            axis.grid(axis="y", visible=False)
            axis.set_yticks(range(len(shown)))
            first = column % columns_of(len(metrics), width) == 0
            axis.set_yticklabels(
                [point_label(*pair) for pair in shown] if first else [], fontsize=7, color=INK
            )
    return figure, pd.DataFrame(rows)


def codebook_use(
    run: Run, marks: Mapping[str, Mark], width: float = PAGE_INCHES
) -> tuple[Figure, pd.DataFrame] | None:
    """Draw how many codewords each stream effectively uses (two to its entropy) and uses at all."""
    from matplotlib.ticker import MaxNLocator

    table = codebook_table(run)
    if table.empty:
        return None
    groups = [
        (str(codec), str(point), part)
        for (codec, point), part in table.groupby(["codec", "point"], sort=False)
    ]
    with styled():
        figure, axes = grid(len(groups), 1.7, width)
        for axis, (codec, point, part) in zip(axes, groups, strict=True):
            mark = marks[codec]
            axis.set_title(point_label(codec, point))
            axis.vlines(
                part["stream"], part["perplexity"], part["distinct"], color=mark.colour, linewidth=0.8
            )
            axis.plot(part["stream"], part["distinct"], linestyle="", marker="o", color=mark.colour,
                      markerfacecolor="white", markersize=3.5, label="used at all")  # fmt: skip
            axis.plot(part["stream"], part["perplexity"], linestyle="", marker="o", color=mark.colour,
                      markersize=3.5, label="effectively used")  # fmt: skip
            axis.set_yscale("log", base=2)
            axis.set_ylim(0.5 * float(table["perplexity"].min()), 2.0 * float(table["distinct"].max()))
            axis.set_xlabel("stream")
            axis.set_ylabel("codewords")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, labels = axes[0].get_legend_handles_labels()
        place_legend(figure, handles, labels)
    return figure, table


def codebook_table(run: Run) -> pd.DataFrame:
    """Return for each codec, point and stream: tokens, distinct ones, entropy, perplexity, largest."""
    rows: list[dict[str, Any]] = []
    for codec, point in points(run):
        for stream, tokens in enumerate(by_stream(run.codes(codec, point))):
            if tokens.size == 0:
                continue
            bits = entropy_bits(tokens)
            rows.append({
                "codec": codec, "point": point, "stream": stream, "tokens": tokens.size,
                "distinct": np.unique(tokens).size, "entropy_bits": bits, "perplexity": 2.0**bits,
                "largest": int(tokens.max()),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _curve(axis: Axes, curve: pd.DataFrame, metric: str, mark: Mark, ground_truth: bool) -> None:
    if curve.empty:
        return
    if ground_truth:
        axis.axhline(float(curve[metric].iloc[0]), color=mark.colour, linestyle=mark.dashes, linewidth=1)
        return
    limits = np.abs(
        np.stack([curve[metric] - curve[f"{metric}_low"], curve[f"{metric}_high"] - curve[metric]])
    )
    axis.errorbar(
        curve["kbps"], curve[metric], yerr=np.nan_to_num(limits), color=mark.colour,
        marker=mark.marker, markersize=mark.size, markeredgecolor="white",
        markeredgewidth=0.4, linestyle=mark.dashes, linewidth=mark.width, elinewidth=0.8, capsize=1.5,
        zorder=3,
    )  # fmt: skip


def _rows(curve: pd.DataFrame, metric: str) -> list[dict[str, Any]]:
    return [
        {"codec": row["codec"], "kind": "declared" if math.isnan(row["payload_kbps"]) else "measured",
         "point": row["point"], "kbps": row["kbps"],
         "metric": metric, "mean": row[metric], "low": row[f"{metric}_low"], "high": row[f"{metric}_high"],
         "n": row[f"{metric}_n"]}
        for _, row in curve.iterrows()
    ]  # fmt: skip
