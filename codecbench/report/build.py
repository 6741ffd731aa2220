"""Report builder: a folder made from runs, whole or not at all.

The folder holds ``index.html``, ``report.md``, ``tables/`` (Markdown, CSV, LaTeX), ``figures/`` (SVG, PDF,
PNG and each figure's data), and beside the page ``audio/``, ``spectrograms/`` and, for a large run,
``data/``, unless they are inside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from codecbench.analysis import comparisons, lags
from codecbench.analysis.judged import against_original
from codecbench.analysis.runs import is_ground_truth, load_runs, ordered, without_audio
from codecbench.analysis.summary import summary
from codecbench.errors import InvalidInput, StorageError
from codecbench.html import embed
from codecbench.listen.answers import answered
from codecbench.report import (
    figures,
    heard,
    judged,
    latex_table,
    methods,
    page,
    parts,
    pictures,
    table_formats,
)
from codecbench.report.assets import Assets, data_uri, slug
from codecbench.report.by import table_by
from codecbench.report.clips import Clips
from codecbench.report.content import EVERYTHING, Content
from codecbench.report.context import CAPTIONS, Findings, lead, page_context
from codecbench.report.one_figure import published_points
from codecbench.report.payload import payload
from codecbench.report.selection import RATE, narrow, scores_of, tokens_of, with_columns
from codecbench.report.style import marks
from codecbench.report.table import PaperTable, paper_table
from codecbench.scratch import put, scratch
from codecbench.store.store import Run
from codecbench.text import csv_safe

MARKER = "codecbench-report"
"""A file that says a folder is a report and may be replaced."""


def build(
    runs: Sequence[Path],
    to: Path,
    *,
    single_file: bool = False,
    published: Path | None = None,
    with_audio: bool = True,
    clips: Clips | None = None,
    ours: Iterable[str] = (),
    content: Content = EVERYTHING,
) -> Path:
    """Write the report of one or several comparable runs and return the path of its page.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs on the same utterances.
    to : Path
        The report's folder; an earlier report there is replaced, anything else is not.
    single_file : bool
        Put audio, spectrograms, figures, tables and all scores into the page, which then may travel alone.
    with_audio : bool
        Whether the page plays the runs' kept audio; without, it stays small enough to be committed.
    clips : Clips, optional
        The few clips that it plays in place of all, as Opus.
    published : Path, optional
        Folder of ``published-*.json``; by default the repository's ``results/`` where there is one.
    ours : iterable of str
        Names of the reader's own models, set off from the others; none by default.
    content : Content
        Which codecs, points and metrics are shown, and how the report is headed.

    Raises
    ------
    InvalidInput
        If the runs do not compare, or `to` holds something else than a report.
    StorageError
        If the folder cannot be written.
    """
    run = content.of(load_runs([Path(folder) for folder in runs], ours))
    literature = published_points(run, published, other_sets=content.other_sets)
    findings = _findings(run, literature, runs, content)
    to = Path(to).absolute()
    if to.exists() and any(to.iterdir() if to.is_dir() else [to]) and not (to / MARKER).is_file():
        raise InvalidInput(f"{to}: not an earlier report, so it is not replaced; choose another folder")
    try:
        with scratch(to) as work:
            made = work / "report"
            made.mkdir()
            _write(run, findings, made, single_file, with_audio, clips, content.formats)
            put(made, to, work)
    except OSError as error:
        raise StorageError(
            f"cannot write {to}: {error.strerror}; free space or choose another folder"
        ) from None
    return to / "index.html"


def _findings(run: Run, literature: pd.DataFrame, runs: Sequence[Path], content: Content) -> Findings:
    rows = summary(run)
    return Findings(
        title=content.heading(run),
        by=_by(run, content.by),
        summary=rows,
        table=paper_table(run, rows),
        pairs=comparisons.pairs(run),
        deltas=comparisons.deltas(run),
        lags=lags.lags(run),
        failures=comparisons.failures(run),
        published=literature,
        heard=tuple(answered(runs)),
        judged=against_original(run),
    )


def _by(run: Run, column: str) -> PaperTable | None:
    if not column:
        return None
    table = table_by(run, column)
    return with_columns(table, [RATE, *table.metrics, "n"])


def _write(  # noqa: PLR0917
    run: Run,
    findings: Findings,
    to: Path,
    single_file: bool,
    with_audio: bool,
    clips: Clips | None,
    formats: Collection[str],
) -> None:
    codecs = ordered(run, run.manifest["codecs"])
    truth = {codec for codec in codecs if is_ground_truth(run, codec)}
    drawn = marks([*codecs, *findings.published["codec"].unique()], truth, run.ours)
    _write_tables(findings, to / "tables")
    folder = to / "figures"
    shown = figures.write_figures(run, findings.summary, findings.published, drawn, folder, formats)
    shown += pictures.write_pictures(run, folder, formats)
    assets = Assets(to, single_file, opus=clips is not None)
    if not with_audio:
        run = without_audio(run)
    elif clips is not None:
        run = clips.of(run)
    frames = {name: getattr(findings, name) for name in ("summary", "pairs", "deltas", "published")}
    context = page_context(run, findings) | {
        "figures": _shown_figures(shown, findings, to, assets),
        "downloads": _downloads(to / "tables", single_file),
        "embedded": single_file,
        "clips": "" if clips is None else clips.told,
        "data": embed(payload(run, frames, drawn)),
        "inside": parts.put(parts.parts(run, assets), to, single_file),
    }
    (to / "index.html").write_text(page.render(context), encoding="utf-8")
    (to / "report.md").write_text(_markdown(run, findings, shown), encoding="utf-8")
    (to / MARKER).write_text("made by codecbench report; replaced whole when made again\n", encoding="utf-8")


def _write_tables(findings: Findings, folder: Path) -> None:
    folder.mkdir()
    table = findings.table
    texts = {
        "md": table_formats.markdown(table),
        "csv": table_formats.csv(table),
        "tex": latex_table.latex(narrow(table)),
    }
    for kind, text in texts.items():
        (folder / f"table.{kind}").write_text(text, encoding="utf-8")
    if findings.by is not None:
        (folder / "by.md").write_text(table_formats.markdown(findings.by), encoding="utf-8")
        (folder / "by.csv").write_text(table_formats.csv(findings.by), encoding="utf-8")
    frames = {
        "summary": findings.summary, "pairs": findings.pairs, "bd": findings.deltas, "lags": findings.lags,
        "failures": findings.failures,
    }  # fmt: skip
    if len(findings.judged):
        frames["judged"] = findings.judged
    for test in findings.heard:
        frames[f"listening-{slug(test.name)}"] = test.result.table
        if len(test.result.pairs):
            frames[f"listening-{slug(test.name)}-pairs"] = test.result.pairs
    for name, frame in frames.items():
        csv_safe(frame).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")


def _downloads(folder: Path, embedded: bool) -> Mapping[str, str]:
    """Return name and address of every table, those laid out for papers first."""
    listed = sorted(folder.iterdir(), key=lambda path: (path.stem != "table", path.name))
    return {
        path.name: data_uri(path.read_bytes(), path.suffix) if embedded else f"tables/{path.name}"
        for path in listed
    }


def _shown_figures(
    names: Sequence[str], findings: Findings, to: Path, assets: Assets
) -> list[dict[str, str]]:
    """Return what the page shows of each figure; the single metrics' charts are left to the live ones."""
    shown = []
    for name in names:
        if name in CAPTIONS:
            path = to / "figures" / f"{name}.{'png' if name in pictures.RASTER else 'svg'}"
            source = assets.write(path.read_bytes(), f"figures/{path.name}")
            shown.append({"name": name, "src": source, "caption": findings.caption(name)})
    return shown


def _markdown(run: Run, findings: Findings, shown: Sequence[str]) -> str:
    """Return the report as Markdown: main plot, table, other figures, listening tests, methods."""
    parts = [f"# {table_formats.escape_markdown(findings.title)}", lead(run)]
    images = [
        f"![{findings.caption(name)}](figures/{name}.png)\n\n*{findings.caption(name)}*"
        for name in shown
        if name in CAPTIONS
    ]
    parts += [*images[:1], table_formats.markdown(scores_of(findings.table))]
    if tokens := tokens_of(findings.table):
        parts += ["## Tokens", table_formats.markdown(tokens)]
    parts += ["".join(f"- **{term}**: {meaning}.\n" for term, meaning in findings.terms)]
    parts += [table_formats.markdown(findings.by)] if findings.by is not None else []
    parts += judged.in_markdown(judged.judged(run, findings.judged, heard=bool(findings.heard)))
    parts += [*images[1:], *heard.markdown(findings.heard)]
    parts += ["## Methods", *[table_formats.escape_markdown(text) for text in methods.paragraphs(run)]]
    return "\n\n".join(parts) + "\n"
