"""How small a fault of a checkpoint does ``codecbench gate`` find?  The worked example of docs/regression.md.

``python scripts/gate_example.py SPEECH`` runs the shipped ``spc`` at 7.5 kbit/s, the same weights with
Gaussian noise of stated size, and earlier checkpoints of the repository's history through the speech of a
folder, then holds each against the shipped one on 10, 35 and 134 utterances.  It writes `TABLE`; started
again, it runs what is missing.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import torch

from codecbench import benchmark, load_dataset, make_plan
from codecbench.analysis.gate import Gate, default_margins, gate
from codecbench.analysis.parts import with_utterances
from codecbench.analysis.systems import System, read_system
from codecbench.data.sets import Dataset
from codecbench.errors import CodecBenchError
from codecbench_spc.model import checkpoint

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "codecs" / "spc" / "checkpoints" / "spc.safetensors"
TABLE = ROOT / "docs" / "measured" / "gate-example.csv"
NOISE_PERCENT = (1.0, 2.0, 3.0, 3.5, 4.0, 6.0)
EARLIER = ("0b758cf",)
"""Commits whose weights are held against the shipped ones."""
METRICS = ("stoi", "pesq-wb", "mcd")
POINT = "7.5"
SAMPLES = (10, 35, 134)
DRAWS = 50
"""Samples of one size, by their seeds: how often a fault is found hangs on which utterances are taken."""


@click.command()
@click.argument("speech", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--work", type=click.Path(path_type=Path), default=Path("gate-example"), show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--noise", default=",".join(f"{size:g}" for size in NOISE_PERCENT), show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="Take so many utterances, to try it out.")
def main(speech: Path, work: Path, workers: int, noise: str, limit: int | None) -> None:
    """Measure the smallest fault of spc that the gate finds, and write the table."""
    try:
        sizes = [float(size) for size in noise.split(",")]
    except ValueError:
        raise click.BadParameter(f"{noise!r} is not numbers separated by commas, in percent") from None
    work.mkdir(parents=True, exist_ok=True)
    weights = {f"noise-{size:g}": _damaged(work / f"noise-{size:g}", size) for size in sizes}
    weights |= {f"commit-{commit}": file for commit in EARLIER if (file := _earlier(work, commit))}
    try:
        data = load_dataset(str(speech)).sample(limit)
        codecs = {"shipped": SHIPPED, **weights}
        named = ",".join(f"{name}=spc:{file}@{POINT}" for name, file in codecs.items())
        plan = make_plan(data, named, metrics=METRICS)
        benchmark(plan, work / "run", workers=workers, audio="none")
        _write(rows(data, work / "run", list(weights)))
    except CodecBenchError as error:
        raise click.ClickException(str(error)) from error


def rows(data: Dataset, run: Path, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield what the gate found for each checkpoint and sample size."""
    base = read_system(f"{run}:shipped")
    for name in names:
        new = read_system(f"{run}:{name}")
        for size in (size for size in SAMPLES if size <= len(data.utterances)):
            draws = DRAWS if size < len(data.utterances) else 1
            found = [_judged(base, new, data.sample(size, seed)) for seed in range(draws)]
            caught = sum(one.verdict == "worse" for one in found)
            yield _row(name, size, found[0], f"{100 * caught / draws:.0f}", draws)


def damage(source: Path, target: Path, percent: float, seed: int = 0) -> None:
    """Write a checkpoint with noise on all its weights.

    Parameters
    ----------
    source, target : Path
    percent : float
        Standard deviation of the Gaussian noise on a tensor, in percent of the tensor's root mean square.
    seed : int
        Of the noise: of one seed it is the same, but for its size.
    """
    old = checkpoint.load(source)
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(old.groups["vqvae"])
    for name in sorted(tensors):  # a file gives them in any order
        tensor = tensors[name]
        if tensor.is_floating_point():
            scale = tensor.square().mean().sqrt() * percent / 100
            tensors[name] = tensor + scale * torch.randn(tensor.shape, generator=generator)
    vocoder = target.with_name(old.vocoder_file) if old.vocoder_file else None
    checkpoint.save(target, old.config, {**old.groups, "vqvae": tensors}, old.summary, vocoder)


def _damaged(folder: Path, percent: float) -> Path:
    file = folder / SHIPPED.name
    if not file.is_file():  # a file written again has other bytes, hence another signature
        folder.mkdir(exist_ok=True)
        shutil.copy(SHIPPED.with_name("vocoder.safetensors"), folder)
        damage(SHIPPED, file, percent)
    return file


def _earlier(work: Path, commit: str) -> Path | None:
    """Return the weights of a commit, None where the clone does not have it."""
    folder = work / commit
    folder.mkdir(exist_ok=True)
    for file in (SHIPPED, SHIPPED.with_name("vocoder.safetensors")):
        shown = subprocess.run(
            ["git", "-C", ROOT, "show", f"{commit}:{file.relative_to(ROOT)}"],
            capture_output=True, check=False,
        )  # fmt: skip
        if shown.returncode:
            click.echo(f"commit {commit} is not in this clone; its weights are left out", err=True)
            return None
        (folder / file.name).write_bytes(shown.stdout)
    return folder / SHIPPED.name


def _judged(base: System, new: System, sample: Dataset) -> Gate:
    ids = {item.id for item in sample.utterances}
    old, candidate = (replace(system, run=with_utterances(system.run, ids)) for system in (base, new))
    return gate(old, candidate, default_margins(), METRICS)


def _row(name: str, size: int, found: Gate, caught: str, draws: int) -> dict[str, str]:
    kind, _, value = name.partition("-")
    row = {"kind": kind, "value": value, "utterances": str(size), "verdict": found.verdict}
    row |= {"caught_percent": caught, "draws": str(draws)}
    for check in found.checks:
        if check.check in METRICS:
            row |= {f"{check.check}_gain": f"{check.gain:.4g}", f"{check.check}_verdict": check.verdict}
    return row


def _write(found: Iterator[dict[str, str]]) -> None:
    written = list(found)
    TABLE.parent.mkdir(exist_ok=True)
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(written[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)
    click.echo(f"wrote {TABLE}")


if __name__ == "__main__":
    main()
