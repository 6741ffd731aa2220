"""What a user gets: sdist and wheel, installed into empty environments away from the sources, and used.

``python scripts/release_check.py`` builds both, checks metadata, contents and sizes, and makes an environment
for each interpreter that it finds: the wheel goes into every one, the sdist into one more of the first.  In
each of them benchmark, report, self-test, training and the tutorial's plugin run in a folder that holds
nothing else.  One line a step; what the steps printed lies in ``build/release/logs``.  The exit status is 0
if all passed.  ``--constraint FILE`` pins the versions; without it users' newest ones are installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEEL_LIMIT_BYTES = 45_000_000
SDIST_LIMIT_BYTES = 100_000_000  # PyPI takes no larger file
VERSIONS = ("3.11", "3.12", "3.13")
TOOLS = ("build", "twine", "validate-pyproject[all]")
TRAINED = "spc:trained/spc.safetensors"
CODECS = "pcm,spc@7.5,rvq@7.5,opus@6,codec2@3.2"
WHERE = (
    "import codecbench, codecbench_spc.training.recipe as recipe, pathlib; "
    "here = pathlib.Path(codecbench.__file__); demo = here.parent / 'data' / 'demo'; "
    "print(here, recipe.shipped_recipe('cpu'), demo, sep='\\n')"
)
FEW_STEPS = (
    *("data.sources={LibriSpeech = 1.0}", "data.held_out=4", "data.validation_utterances=2"),
    *("vqvae.channels=8", "vocoder.channels=16", 'stages.vocoder.codecs=["spc.safetensors"]'),
    *("stages.vqvae.steps=3", "stages.vqvae.batch_size=2", "stages.vqvae.quantize_from=1"),
    *("stages.vocoder.steps=2", "stages.vocoder.batch_size=2", "data.cache=cache"),
)


class Failed(Exception):
    """A step did not do what it is for; the message says why."""


@dataclass
class Steps:
    """Steps done one after another, a line and a log for each; ``failures`` counts those that failed."""

    logs: Path
    name: str = ""
    failures: int = 0

    def do(self, name: str, step: Callable[[], str]) -> bool:
        """Do a step, say how it ended, and return whether it passed."""
        self.name, begun = name.replace(" ", "-"), time.monotonic()
        try:
            said, verdict = step(), "ok"
        except Failed as error:
            said, verdict = str(error), "FAILED"
            self.failures += 1
        sys.stdout.write(f"{verdict:6}  {name:22} {time.monotonic() - begun:5.0f} s  {said}\n")
        sys.stdout.flush()
        return verdict == "ok"

    def call(self, *command: object, cwd: Path, status: int = 0) -> str:
        """Return what a command printed; it is `Failed` if it ends with another status."""
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables |= {"PYTHONNOUSERSITE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        words = list(map(str, command))
        done = subprocess.run(
            words, cwd=cwd, env=variables, capture_output=True, text=True, check=False, encoding="utf-8"
        )
        log = self.logs / f"{self.name}.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
        if done.returncode != status:
            last = (done.stderr or done.stdout).strip().rpartition("\n")[2][:300]
            raise Failed(f"{' '.join(words[:4])}: status {done.returncode}: {last} ({log})")
        return done.stdout


def main() -> int:
    """Check everything; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--constraint", type=Path, help="file of pins for pip")
    parser.add_argument(
        "--python",
        action="append",
        metavar="EXE",
        help=f"interpreters [default: {', '.join(VERSIONS)}, where found]",
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "release", help="folder to work in, made anew"
    )
    options = parser.parse_args()
    work, pins = options.work.resolve(), options.constraint.resolve() if options.constraint else None
    shutil.rmtree(work, ignore_errors=True)
    steps = Steps(work / "logs")
    steps.logs.mkdir(parents=True)
    interpreters = dict(_interpreters(options.python or VERSIONS))
    if not steps.do("build", lambda: build(steps, work)):
        return 1
    (wheel,), (sdist,) = (work / "dist").glob("*.whl"), (work / "dist").glob("*.tar.gz")
    steps.do("metadata", lambda: metadata(steps, work, wheel, sdist))
    steps.do("contents", lambda: contents(wheel, sdist))
    example = next((work / "sources").glob("*/examples/codecbench_mulaw"), None)
    for index, (version, python) in enumerate(interpreters.items()):
        for artefact in (wheel, sdist) if not index else (wheel,):
            kind = "wheel" if artefact is wheel else "sdist"
            name = f"{kind}-{Path(version).name}"
            Installed(steps, work / name, artefact).use(python, pins, example)
    for version in sorted(set(options.python or VERSIONS) - set(interpreters)):
        sys.stdout.write(f"NOT HAD Python {version}: no such interpreter here\n")
    return 1 if steps.failures or not interpreters else 0


def build(steps: Steps, work: Path) -> str:
    """Build the sdist from the sources, and the wheel from the sdist, as package indexes' users would."""
    steps.call(sys.executable, "-m", "venv", work / "tools", cwd=work)
    steps.call(work / "tools/bin/pip", "install", "--quiet", *TOOLS, cwd=work)
    steps.call(work / "tools/bin/python", "-m", "build", "--outdir", work / "dist", ROOT, cwd=work)
    with tarfile.open(next((work / "dist").glob("*.tar.gz"))) as archive:
        archive.extractall(work / "sources", filter="data")
    return " ".join(sorted(path.name for path in (work / "dist").iterdir()))


def metadata(steps: Steps, work: Path, wheel: Path, sdist: Path) -> str:
    """Have twine and validate-pyproject read what indexes and installers will read."""
    steps.call(work / "tools/bin/twine", "check", "--strict", wheel, sdist, cwd=work)
    steps.call(work / "tools/bin/validate-pyproject", ROOT / "pyproject.toml", cwd=work)
    return "twine check --strict, validate-pyproject"


def contents(wheel: Path, sdist: Path) -> str:
    """Compare what is in the artefacts with what git has, and their sizes with the limits."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    shipped = {_place_in_wheel(name) for name in tracked} - {""}
    if missing := sorted(shipped - inside) + sorted(set(tracked) - packed):
        raise Failed(f"{len(missing)} files of the project are missing, the first: {missing[0]}")
    strange = [name for name in inside - shipped if ".dist-info/" not in name]
    if strange or (strange := sorted(packed - set(tracked) - {"PKG-INFO"})):
        raise Failed(f"{len(strange)} files that git does not have were packed, the first: {strange[0]}")
    sizes = {wheel: WHEEL_LIMIT_BYTES, sdist: SDIST_LIMIT_BYTES}
    for path, limit in sizes.items():
        if path.stat().st_size > limit:
            raise Failed(f"{path.name} has {path.stat().st_size / 1e6:.1f} MB, {limit / 1e6:.0f} are allowed")
    return f"{len(inside)} files; " + ", ".join(f"{path.stat().st_size / 1e6:.1f} MB" for path in sizes)


def _place_in_wheel(name: str) -> str:
    """Return where a file of the project lies in the wheel, "" for one that is not for users."""
    parts = name.split("/")
    if parts[0] == "codecbench":
        return name
    if parts[0] == "codecs" and len(parts) > 3:
        if parts[2].startswith("codecbench_"):
            return "/".join(parts[2:])
        if parts[2] in {"checkpoints", "recipes"}:
            return "/".join((f"codecbench_{parts[1]}", *parts[2:]))
    return ""


@dataclass(frozen=True)
class Installed:
    """An environment with one artefact in it, and a folder to work in that holds nothing else."""

    steps: Steps
    folder: Path
    artefact: Path

    def command(self, tool: str, *words: object) -> str:
        """Return what a tool of the environment printed, called in the empty folder."""
        return self.steps.call(self.folder / "env" / "bin" / tool, *words, cwd=self.home)

    @property
    def home(self) -> Path:
        """Where the commands run."""
        return self.folder / "home"

    def use(self, python: str, pins: Path | None, example: Path | None) -> None:
        """Install the artefact and do what its users do, a step each."""
        self.home.mkdir(parents=True)
        if not self.steps.do(f"{self.folder.name} install", lambda: self.install(python, pins)):
            return
        for step in (self.lists, self.runs, self.reports, self.tests_itself, self.trains):
            self.steps.do(f"{self.folder.name} {step.__name__.replace('_', ' ')}", step)
        self.steps.do(f"{self.folder.name} takes a plugin", lambda: self.takes_a_plugin(example))

    def install(self, python: str, pins: Path | None) -> str:
        """Install the artefact with all extras, and see that it is what is imported."""
        constraint = ("--constraint", pins) if pins else ()
        self.steps.call(python, "-m", "venv", self.folder / "env", cwd=self.home)
        self.command("pip", "install", "--quiet", "--no-compile", *constraint, f"{self.artefact}[all]")
        self.command("pip", "check")
        where = self.paths()[0]
        if not where.is_relative_to(self.folder / "env"):
            raise Failed(f"codecbench is imported from {where}, not from the environment")
        return f"{self.artefact.name}[all]"

    def paths(self) -> tuple[Path, Path, Path]:
        """Return where the package, a recipe and the demo set lie."""
        package, recipe, demo = map(Path, self.command("python", "-c", WHERE).splitlines())
        return package, recipe, demo

    def lists(self) -> str:
        """List all entry points."""
        return f"{len(self.command('codecbench', 'list').splitlines())} lines"

    def runs(self) -> str:
        """Run codecs on the demo set; anything left out or failed is a failure here."""
        choice = ("--data", "demo", "--codecs", CODECS, "--limit", 2, "--strict")
        self.command("codecbench", "run", *choice, "--out", "run")
        return f"{len((self.home / 'run/records.jsonl').read_text().splitlines())} records"

    def reports(self) -> str:
        """Write the report of the run."""
        self.command("codecbench", "report", "run", "--to", "report")
        return f"a page of {(self.home / 'report/index.html').stat().st_size / 1e3:.0f} kB"

    def tests_itself(self) -> str:
        """Check all metrics against their golden values."""
        printed = self.command("codecbench", "selftest")
        return f"{sum(line.startswith('ok ') for line in printed.splitlines())} golden values"

    def trains(self) -> str:
        """Train a small model for a few steps, and run the codec that comes out, which codes badly."""
        _, recipe, demo = self.paths()
        settings = [word for pair in (f"data.folder={demo}", *FEW_STEPS) for word in ("--set", pair)]
        self.command("codecbench", "train", recipe, "--out", "trained", "--accelerator", "cpu", *settings)
        choice = ("--codecs", TRAINED, "--metrics", "stoi", "--limit", 1, "--out", "of-trained")
        self.command("codecbench", "run", *choice)
        if '"status":"ok"' not in (self.home / "of-trained/records.jsonl").read_text():
            raise Failed(f"{TRAINED} decoded nothing")
        return f"{TRAINED} codes"

    def takes_a_plugin(self, example: Path | None) -> str:
        """Install the plugin of docs/plugins.md and use its codec and its metric."""
        if example is None:
            raise Failed("examples/codecbench_mulaw is not in the sdist")
        self.command("pip", "install", "--quiet", shutil.copytree(example, self.home / "mulaw"))
        self.command("codecbench", "selftest", "--codec", "mulaw")
        choice = ("--codecs", "mulaw", "--metrics", "stoi,seg-snr", "--limit", 2, "--strict")
        self.command("codecbench", "run", *choice, "--out", "plugin")
        return "mulaw and seg-snr run"


def _interpreters(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield name and path of the interpreters that can be had: by path, on PATH, or of pyenv or uv."""
    for name in names:
        for found in _candidates(name):
            works = subprocess.run([found, "-c", "import venv"], capture_output=True, check=False)
            if works.returncode == 0:
                yield name, found
                break


def _candidates(name: str) -> Iterator[str]:
    if os.sep in name:
        yield name
        return
    for executable in (f"python{name}", name):
        if path := shutil.which(executable):
            yield path
    if shutil.which("uv"):
        asked = subprocess.run(["uv", "python", "find", name], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            yield asked.stdout.strip()
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from map(str, sorted(versions.glob(f"{name}.*/bin/python")))


if __name__ == "__main__":
    sys.exit(main())
