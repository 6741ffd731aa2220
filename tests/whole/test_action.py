"""The GitHub Action, the pre-commit hook of docs/regression.md, and the house's own baseline."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codecbench import load_dataset, make_plan
from codecbench.run.describe import describe
from codecbench.store.baseline import read_baseline
from codecbench.store.manifest import differences, lag_differences
from house import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML comes with pre-commit (pip install pre-commit)")

ACTION = ROOT / ".github" / "actions" / "gate" / "action.yml"
SHIPPED = ROOT / "codecs" / "spc" / "checkpoints"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def action() -> Any:
    return yaml.safe_load(ACTION.read_text(encoding="utf-8"))


def shell(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a text as GitHub runs a step: ``bash -eo pipefail``."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder, env={**os.environ, "PATH": PATH, **environment}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip


class Job:
    """A job that uses the action: its steps, one after the other, until one fails."""

    def __init__(self, action: Any, folder: Path, **inputs: str) -> None:
        self.folder, self.outputs = folder, {}
        defaults = {name: entry.get("default", "") for name, entry in action["inputs"].items()}
        self.values = {f"inputs.{name}": value for name, value in (defaults | inputs).items()}
        self.values["github.action_path"] = str(ACTION.parent)
        self.summary = folder / "summary.md"
        self.summary.touch()
        for step in action["runs"]["steps"]:
            if "run" in step and step.get("if") is None:
                self.done = self.step(step)
                if self.done.returncode:
                    break

    def step(self, step: Any) -> subprocess.CompletedProcess[str]:
        """Run a step as its environment and shell say."""
        told = self.folder / "output"
        told.write_text("")
        environment = {name: self.filled(value) for name, value in step["env"].items()}
        done = shell(
            step["run"], self.folder, GITHUB_OUTPUT=str(told), GITHUB_STEP_SUMMARY=str(self.summary),
            **environment,
        )  # fmt: skip
        for line in told.read_text().splitlines():
            name, _, value = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{name}"] = value
        return done

    def filled(self, text: str) -> str:
        """Put values in the place of expressions; one that is not known is an error."""
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: self.values[found[1]], text)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a baseline of G.722 on eight utterances of the demo set."""
    pytest.importorskip("av", reason="PyAV is not installed (pip install 'codecbench[classical]')")
    folder = tmp_path_factory.mktemp("baseline")
    run = "codecbench run --codecs g722 --metrics stoi,si-sdr --limit 8 -q --out run"
    done = shell(f"{run} && codecbench gate --save base.json run", folder)
    assert done.returncode == 0, done.stderr
    return folder / "base.json"


def job(action: Any, folder: Path, base: Path, **inputs: str) -> Job:
    """Run the action on eight utterances."""
    return Job(action, folder, baseline=str(base), metrics="stoi,si-sdr", limit="8", **inputs)


def test_the_action_passes_what_has_not_changed(action: Any, base: Path, tmp_path: Path) -> None:
    found = job(action, tmp_path, base, codecs="g722")
    assert found.done.returncode == 0, found.done.stderr
    assert found.summary.read_text().startswith("**EQUIVALENT**")
    assert found.filled(action["outputs"]["status"]["value"]) == "0"
    page = tmp_path / found.filled(action["outputs"]["page"]["value"])
    assert "<title>Gate: equivalent</title>" in page.read_text()


def test_the_action_fails_for_a_worse_codec(action: Any, base: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycodec2", reason="pycodec2 is not installed (pip install 'codecbench[classical]')")
    found = job(action, tmp_path, base, codecs="codec2@1.2", strict="true")
    assert found.done.returncode == 1, found.done.stderr
    assert found.summary.read_text().startswith("**WORSE**")
    assert found.filled(action["outputs"]["status"]["value"]) == "1"


def test_the_action_fails_where_something_was_left_out(action: Any, base: Path, tmp_path: Path) -> None:
    found = job(action, tmp_path, base, codecs="g722,spc:missing.safetensors@7.5")
    assert found.done.returncode == 1
    assert found.summary.read_text().startswith("**EQUIVALENT**")


def test_the_action_tells_what_cannot_be_compared(action: Any, base: Path, tmp_path: Path) -> None:
    found = job(action, tmp_path, base.with_name("none.json"), codecs="g722")
    assert found.done.returncode == 2
    assert "no such file" in found.done.stderr


def test_the_action_installs_its_own_checkout(action: Any, tmp_path: Path) -> None:
    (install,) = (step for step in action["runs"]["steps"] if step["name"] == "Install codecbench")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    python.chmod(0o755)
    source = install["env"]["SOURCE"].replace("${{ github.action_path }}", str(ACTION.parent))
    done = shell(install["run"], tmp_path, SOURCE=source, PATH=f"{tmp_path}{os.pathsep}{PATH}")
    words = done.stdout.splitlines()
    installed = re.sub(r"\[.*\]$", "", words[-1])
    assert (Path(installed) / "pyproject.toml").samefile(ROOT / "pyproject.toml")
    assert Path(words[words.index("--constraint") + 1]).samefile(ROOT / "constraints.txt")


def test_inputs_reach_the_shell_through_the_environment_alone(action: Any) -> None:
    steps = action["runs"]["steps"]
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]
    used = set(re.findall(r"inputs\.([\w-]+)", json.dumps(action["runs"])))
    assert used == set(action["inputs"])


def hooks(tmp_path: Path) -> tuple[Path, str]:
    """Return the configuration on the page, written to a file, and what its hook runs."""
    page = (ROOT / "docs" / "regression.md").read_text(encoding="utf-8")
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "repos:" in text)
    path = tmp_path / ".pre-commit-config.yaml"
    path.write_text(block)
    (hook,) = yaml.safe_load(block)["repos"][0]["hooks"]
    return path, hook["entry"]


def test_pre_commit_takes_the_hook(tmp_path: Path) -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed (pip install pre-commit)")
    path, _ = hooks(tmp_path)
    done = shell(f"python -m pre_commit validate-config {path}", tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_hook_runs(tmp_path: Path) -> None:
    _, entry = hooks(tmp_path)
    shutil.copy(SHIPPED / "spc.safetensors", tmp_path / "model.safetensors")
    shutil.copy(SHIPPED / "vocoder.safetensors", tmp_path)
    before = entry.partition(" && ")[0] + "'"
    done = shell(f"{before}\ncodecbench gate --save base.json runs/gate\n{entry}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "equivalent" in done.stdout


def test_the_baseline_compares_with_this_tree() -> None:
    stored = read_baseline(ROOT / "tests" / "baseline.json").manifest
    codecs = [
        f"{codec}@{'+'.join(point['name'] for point in entry['points'])}"
        for codec, entry in stored["codecs"].items()
    ]
    plan = make_plan(load_dataset("demo"), ",".join(codecs), metrics=list(stored["metrics"]))
    here = describe(plan)
    assert not plan.left_out
    bare = [{**manifest, "codecs": {}} for manifest in (stored, here)]
    assert differences(*bare) + lag_differences(*bare) == []
    assert {word for text in stored["command"] for word in Path(text).parts} & {"tmp", "work"} == set()
