"""Whether the hub's codecs give here what papers print of them: fetched, checked, run, held against bands.

``python scripts/verify_hub.py`` needs a network, and nothing by hand.  It fetches the speech set and each
codec's weights by their pinned hashes, runs the codec on a stated sample at its default rates and at those
that papers print, holds the scores against the published bands, and writes ``results/SET/CODEC.json`` and the
tables of what is verified.  One line a codec; the same command goes on where one was stopped: transfers in
their middle, a run with the cells that are missing.  The exit status is 0 if no codec failed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from codecbench import weights as files
from codecbench.analysis.published import RATE_TOLERANCE, compared, held, load_published
from codecbench.analysis.results import Result, measured, read, write
from codecbench.analysis.summary import summary
from codecbench.cli.progress import download_bar
from codecbench.data.folders import load_dataset
from codecbench.data.sets import Dataset
from codecbench.errors import CodecBenchError, Unavailable
from codecbench.files import write_atomically
from codecbench.names import safe_name
from codecbench.run.benchmark import Benchmarked, benchmark
from codecbench.run.plan import make_plan
from codecbench.text import names_in, one_line
from codecbench_hub import weights
from codecbench_hub.table import MODELS, HubModel

ROOT = Path(__file__).resolve().parents[1]
SET = "librispeech-test-clean"
METRICS = ("paper", "estoi")
BEGIN, END = "<!-- verified:begin -->", "<!-- verified:end -->"
FAILED, VERIFIED, OUTSIDE, UNHELD = "failed", "verified", "OUTSIDE", "not in papers"
"""Verdicts: the codec did not run; all scores are in their bands, some are not; no paper has this set."""


@dataclass(frozen=True)
class Check:
    """What the codecs are run on, how, and what they are held against."""

    sample: Dataset
    whole: int
    published: Sequence[Result]
    work: Path
    results: Path
    metrics: Sequence[str] = METRICS
    workers: int | None = None
    executor: str = "processes"
    device: str = "cpu"
    align: str = "codec"

    @property
    def folder(self) -> Path:
        """Where results and their table lie."""
        return self.results / self.sample.name

    @property
    def said(self) -> str:
        """The sample in words."""
        count = len(self.sample.utterances)
        return f"{count} of {self.whole} utterances, seed {self.sample.seed}"

    def run(self, model: HubModel) -> Benchmarked:
        """Run a codec on the sample at its rates; what a folder of the same sample holds is not run again."""
        request = f"{model.name}@{'+'.join(self.rates(model))}"
        plan = make_plan(self.sample, request, self.metrics)
        name = f"{safe_name(model.name)}-{len(self.sample.utterances)}-{self.sample.seed}"
        done = benchmark(
            plan,
            self.work / name,
            workers=self.workers,
            executor=self.executor,
            device=self.device,
            align=self.align,
            audio="none",
            rerun="failed",
        )
        if lost := [str(item) for item in done.left_out]:
            raise Unavailable(lost[0])
        if len(done.run.failures):
            cause = done.failures().iloc[0]
            raise CodecBenchError(f"{len(done.run.failures)} cells failed, most often: {cause['error']}")
        if done.run.unscored:
            raise CodecBenchError(f"no utterance could be scored by {', '.join(done.run.unscored)}")
        return done

    def rates(self, model: HubModel) -> list[str]:
        """Return the names of the points to run: the default ladder, and what papers print on this set."""
        meta = {"dataset": self.sample.name}
        sources = compared(Result(model.name, "measured", meta), self.published)
        printed = [point.nominal_kbps or 0.0 for source in sources for point in source.points]
        return [
            point.name
            for point in model.points
            if point.default
            or any(abs(point.nominal_kbps - rate) <= RATE_TOLERANCE * rate for rate in printed)
        ]


def verify(model: HubModel, check: Check) -> tuple[str, str]:
    """Fetch, check and run a codec, write its results; return the verdict and what there is to say."""
    try:
        try:
            files.locate(files.source(model.name))
        except Unavailable:
            with download_bar() as progress:
                files.fetch(model.name, progress)
        digest = weights.verify(model)
        run = check.run(model).run
    except CodecBenchError as error:
        return FAILED, str(error)
    (result,) = measured(run, summary(run))
    scores = held(result, check.published)
    outside = [str(score) for score in scores if not score.inside]
    verdict = UNHELD if not scores else OUTSIDE if outside else VERIFIED
    meta = {
        "verdict": verdict,
        "date": str(run.manifest["finished"] or run.manifest["started"])[:10],
        "sample": check.said,
        "held": len(scores),
        "outside": outside,
        "commit": weights.find(model).revision,
        "sha256": digest,
        "pinned": model.sha256 is not None,
        "versions": {"codecbench": run.manifest["codecbench"], **run.manifest["versions"]},
    }
    write(replace(result, meta={**result.meta, "verified": meta}), check.folder)
    pinned = "as pinned" if model.sha256 else "recorded, none is pinned"
    inside = f"{len(scores) - len(outside)} of {len(scores)} scores in published bands"
    rates = "+".join(point.point for point in result.points)
    return verdict, "; ".join([inside, f"{rates} kbit/s", f"sha256 {digest[:12]} {pinned}", *outside])


def verdicts(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return what the results in a folder say of their verification, by codec; without the hub's others."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in MODELS:
        path = folder / f"{safe_name(name)}.json"
        if path.is_file() and (said := (result := read(path)).meta.get("verified")):
            found[name] = {**said, "points": [point.point for point in result.points]}
    return found


def page(dataset: str, done: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of what has been verified, of `verdicts`: date, sample, versions, hashes."""
    lines = [
        f"# Hub codecs on {dataset}, against published figures\n",
        "Written by `make verify-hub`; do not edit.\n",
        "| codec | kbit/s | verdict | in bands | verified on | sample | with | commit | sha256 |",
        "|---|---|---|--:|---|---|---|---|---|",
    ]
    for name, said in done.items():
        versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items() if value)
        inside = f"{said['held'] - len(said['outside'])} of {said['held']}"
        pinned = "pinned" if said["pinned"] else "not pinned"
        lines.append(
            f"| `{name}` | {', '.join(said['points'])} | {said['verdict']} | {inside} | {said['date']} | "
            f"{said['sample']} | {versions} | {said['commit'] or 'unknown'} | {said['sha256']} ({pinned}) |"
        )
    outside = [f"- {line}" for said in done.values() for line in said["outside"]]
    return "\n".join([*lines, "", *(["Outside:", "", *outside, ""] if outside else [])])


def readme_block(done: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what README says of `verdicts`: a row for each hub codec, verified or not yet."""
    lines = [BEGIN, "| codec | against published figures |", "|---|---|"]
    for name in MODELS:
        if said := done.get(name):
            inside = f"{said['held'] - len(said['outside'])} of {said['held']} scores in the bands"
            lines.append(f"| `{name}` | {said['verdict']} on {said['date']}: {inside}, {said['sample']} |")
        else:
            lines.append(f"| `{name}` | not verified yet |")
    return "\n".join([*lines, END])


def with_block(text: str, block: str) -> str:
    """Return a page with the part between the two marks replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + block + rest.partition(END)[2]


def write_pages(folder: Path, readme: Path) -> None:
    """Write the table beside the results, and README's rows."""
    done = verdicts(folder)
    if done:
        write_atomically(folder / "README.md", page(folder.name, done))
    write_atomically(readme, with_block(readme.read_text(encoding="utf-8"), readme_block(done)))


def chosen(names: str) -> list[HubModel]:
    """Return the models of these names, all without any.

    Raises
    ------
    click.BadParameter
        If one is no hub codec.
    """
    wanted = names_in(names) or list(MODELS)
    if unknown := [name for name in wanted if name not in MODELS]:
        raise click.BadParameter(f"{unknown[0]!r} is no hub codec; these are: {', '.join(MODELS)}")
    return [MODELS[name] for name in wanted]


def verify_all(models: Iterable[HubModel], check: Check, readme: Path) -> bool:
    """Verify codecs one after another, a line each; return whether none failed or lies outside."""
    good = True
    for model in models:
        verdict, said = verify(model, check)
        good &= verdict in {VERIFIED, UNHELD}
        click.echo(f"{model.name:10}  {verdict:13}  {one_line(said)}")
        write_pages(check.folder, readme)
    return good


@click.command(help=__doc__.partition("\n\n")[0])
@click.option("--codecs", default="", metavar="NAME[,NAME]", help="These hub codecs.  [default: all]")
@click.option("--limit", default=100, show_default=True, help="Utterances, spread over the speakers.")
@click.option("--seed", default=0, show_default=True, help="Which utterances.")
@click.option("--workers", type=int, help="Processes.  [default: one a core]")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps.")
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "build" / "verify-hub", help="Runs.")
def main(*, codecs: str, limit: int, seed: int, workers: int | None, device: str, work: Path) -> None:
    """Verify the hub's codecs."""
    models = chosen(codecs)
    try:
        with download_bar() as progress:
            speech = load_dataset(SET, progress=progress)
        check = Check(
            speech.sample(limit, seed), len(speech.utterances), load_published(), work, ROOT / "results",
            workers=workers, device=device,
        )  # fmt: skip
    except CodecBenchError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{SET}: {check.said}", err=True)
    sys.exit(0 if verify_all(models, check, ROOT / "README.md") else 1)


if __name__ == "__main__":
    main()
