"""Make a report's folder from runs, whole or not at all.

The folder holds ``index.html``, ``report.md``, ``tables/`` (Markdown, CSV, LaTeX), ``figures/`` (SVG, PDF,
PNG and each figure's data), and beside the page ``audio/`` and ``spectrograms/``, unless they are inside it.
"""

from __future__ import annotations

import collections
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codecbench import results
from codecbench.errors import InvalidInput, StorageError
from codecbench.report import comparisons, data, figures, methods, page, paper, pictures, render, tables
from codecbench.report.assets import Assets
from codecbench.report.payload import embed, payload
from codecbench.report.style import marks
from codecbench.store import Run

MARKER = "codecbench-report"
"""A file that says a folder is a report and may be replaced."""


def build(runs: Sequence[Path], to: Path, single_file: bool = False, published: Path | None = None) -> Path:
    """Write the report of one or several comparable runs and return the path of its page.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs on the same utterances.
    to : Path
        The report's folder; an earlier report there is replaced, anything else is not.
    single_file : bool
        Put audio, spectrograms and figures into the page instead of beside it.
    published : Path, optional
        Folder of ``published-*.json``; by default the repository's ``results/`` where there is one.

    Raises
    ------
    InvalidInput
        If the runs do not compare, or `to` holds something else than a report.
    StorageError
        If the folder cannot be written.
    """
    run = data.load([Path(folder) for folder in runs])
    literature = results.table(results.read_published(published or _repository_results()))
    to = Path(to)
    if to.exists() and any(to.iterdir() if to.is_dir() else [to]) and not (to / MARKER).is_file():
        raise InvalidInput(f"{to}: not an earlier report, so it is not replaced; choose another folder")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as scratch:
            made = Path(scratch) / "report"
            made.mkdir()
            _write(run, literature, made, single_file)
            _replace(made, to, Path(scratch) / "old")
    except OSError as error:
        raise StorageError(
            f"cannot write {to}: {error.strerror}; free space or choose another folder"
        ) from None
    return to / "index.html"


def _write(run: Run, literature: pd.DataFrame, to: Path, single_file: bool) -> None:
    summary = tables.summary(run)
    table = paper.paper_table(run, summary)
    pairs, deltas = comparisons.pairs(run), comparisons.deltas(run)
    lags, failures = comparisons.lags(run), comparisons.failures(run)
    known = literature[literature["metric"].isin(run.manifest["metrics"])]
    drawn = marks([*data.ordered(list(run.manifest["codecs"])), *known["codec"].unique()])
    folder = to / "tables"
    folder.mkdir()
    for name, text in (
        ("md", render.markdown(table)),
        ("csv", render.csv(table)),
        ("tex", render.latex(table)),
    ):
        (folder / f"table.{name}").write_text(text, encoding="utf-8")
    frames = {"summary": summary, "pairs": pairs, "bd": deltas, "lags": lags, "failures": failures}
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
    shown = figures.write_figures(run, summary, known, drawn, to / "figures")
    shown += pictures.write_pictures(run, to / "figures")
    assets = Assets(to, single_file)
    context = _context(run, table, lags, failures)
    context["published"] = len(known)
    context["figures"] = _figures(shown, to, assets)
    context["data"] = embed(
        payload(
            run, {"summary": summary, "pairs": pairs, "deltas": deltas, "published": known}, drawn, assets
        )
    )
    (to / "index.html").write_text(page.render(context), encoding="utf-8")
    (to / "report.md").write_text(_markdown(run, table, shown), encoding="utf-8")
    (to / MARKER).write_text(
        "made by codecbench report; replaced as a whole when made again\n", encoding="utf-8"
    )


def _replace(made: Path, to: Path, old: Path) -> None:
    """Put the new folder where the old one was; the old one comes back if that fails."""
    if to.exists():
        to.rename(old)
    try:
        made.rename(to)
    except OSError:
        if old.exists():
            old.rename(to)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _context(run: Run, table: paper.PaperTable, lags: pd.DataFrame, failures: pd.DataFrame) -> dict[str, Any]:
    manifest = run.manifest
    speakers = len({item["speaker"] for item in manifest["utterances"]})
    reasons = collections.Counter(failures["reason"]).most_common(6)
    return {
        "title": f"Speech codecs on {manifest['dataset']['name']}",
        "dataset": manifest["dataset"],
        "codecs": manifest["codecs"],
        "count": sum(len(codec["points"]) for codec in manifest["codecs"].values()),
        "utterances": manifest["utterances"],
        "seconds": sum(item["seconds"] for item in manifest["utterances"]),
        "speakers": speakers,
        "failures": failures.to_dict("records"),
        "reasons": reasons,
        "lags": lags.to_dict("records"),
        "metric_labels": {name: metric["label"] for name, metric in manifest["metrics"].items()},
        "finished": manifest.get("finished") or "not finished",
        "table": table,
        "fixed": paper.fixed,
        "with_audio": any(item["audio"] for item in manifest["utterances"]),
        "unavailable": manifest["unavailable"],
        "unmatched": manifest["unmatched"],
        "methods": methods.paragraphs(run),
        "bibtex": methods.bibtex(run),
        "command": shlex.join(str(word) for word in manifest["command"]),
        "machine": manifest["machine"],
        "versions": manifest["versions"],
        "git": manifest["git"],
    }


def _figures(names: Sequence[str], to: Path, assets: Assets) -> list[dict[str, str]]:
    """Return what the page shows of each figure; the single metrics' charts are left to the live ones."""
    shown = []
    for name in names:
        if name in CAPTIONS:
            kind = "png" if name in pictures.RASTER else "svg"
            path = to / "figures" / f"{name}.{kind}"
            source = assets.write(path.read_bytes(), f"figures/{path.name}")
            table = next((to / "figures").glob(f"{name}.csv*")).name
            shown.append({"name": name, "src": source, "caption": CAPTIONS[name], "data": table})
    return shown


CAPTIONS = {
    "rate-quality": "Quality over measured bitrate, with 95 % intervals; hollow points are published.",
    "distribution": "Spread over utterances: 5 to 95 %, the middle half, and the median.",
    "speed-quality": "Quality over the real-time factor of encoding plus decoding.",
    "codebook-use": "Codewords each stream uses at all, and effectively (two to the entropy).",
    "spectrograms": "One utterance through each codec: spectrogram and mel spectrogram.",
    "tokens": "The tokens of that utterance as pictures: streams upwards, time to the right.",
}


def _markdown(run: Run, table: paper.PaperTable, shown: Sequence[str]) -> str:
    """Return the report as Markdown: main plot, table, methods."""
    name = render.escape_markdown(str(run.manifest["dataset"]["name"]))
    parts = [
        f"# Speech codecs on {name}",
        "![Quality over bitrate](figures/rate-quality.svg)",
        render.markdown(table),
    ]
    parts += [
        f"![{CAPTIONS[item]}](figures/{item}.png)"
        for item in shown
        if item in CAPTIONS and item != "rate-quality"
    ]
    parts += ["## Methods", *[render.escape_markdown(text) for text in methods.paragraphs(run)]]
    return "\n\n".join(parts) + "\n"


def _repository_results() -> Path:
    return Path(__file__).resolve().parents[2] / "results"
