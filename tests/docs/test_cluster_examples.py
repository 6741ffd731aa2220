"""The cluster configurations under ``examples/cluster`` run, as far as one machine can tell."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import ROOT

pytest.importorskip("distributed")
EXAMPLES = ROOT / "examples" / "cluster"
WHAT = ("run", "--codecs", "fake@64", "--metrics", "fake-snr", "--audio", "none", "--json")

SBATCH = """#!/bin/sh
setsid sh -c "$(cat "$1")" > /dev/null 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job in "$@"; do kill -TERM -- "-$job"; done
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def args(part: dict) -> list[str]:
    (container,) = part["spec"]["containers"]
    assert container["args"][0] == "dask"
    return [sys.executable, "-m", *container["args"]]


@pytest.mark.slow
def test_kubernetes_starts_commands_that_make_a_cluster(
    folder: Path, process, fakes, tmp_path, started
) -> None:
    """The commands of the containers, as the operator starts them: the worker is told address and name."""
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load((EXAMPLES / "kubernetes.yaml").read_text())["spec"]
    port, health = free_port(), free_port()
    address = f"tcp://127.0.0.1:{port}"
    environment = {
        **os.environ, "PYTHONPATH": str(fakes), "DASK_SCHEDULER_ADDRESS": address, "DASK_WORKER_NAME": "one"
    }  # fmt: skip
    scheduler = [*args(spec["scheduler"]), "--port", str(port), "--dashboard-address", f"127.0.0.1:{health}"]
    worker = [part.replace("$(DASK_WORKER_NAME)", "one") for part in args(spec["worker"])]
    for command in (scheduler, [*worker, "--no-dashboard"]):
        started.append(subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL))
    answer = ask(f"http://127.0.0.1:{health}{probe(spec)}")
    assert answer == 200
    run = process(
        *WHAT, "--data", folder, "--out", tmp_path / "out", "--executor", "dask", "--scheduler", address
    )
    table, said = run.communicate(timeout=120)
    assert json.loads(table)[0]["n"] == 5, said


def probe(spec: dict) -> str:
    return str(spec["scheduler"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"])


def ask(url: str) -> int:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.slow
def test_slurm_jobs_make_a_cluster(folder: Path, fakes: Path, tmp_path: Path) -> None:
    """The file as it stands but for paths and sizes; commands of Slurm start and end the jobs here."""
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    text = (EXAMPLES / "slurm.py").read_text()
    for there, here in (
        ("/shared/venv/bin/python", sys.executable), ("JOBS = 8", "JOBS = 1"), ("cores=8", "cores=2")
    ):  # fmt: skip
        assert text.count(there) == 1
        text = text.replace(there, here)
    (tmp_path / "slurm.py").write_text(text)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    modules = os.pathsep.join([str(fakes), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "slurm.py", *WHAT, "--data", str(folder), "--out", str(tmp_path / "out")],
        env={**os.environ, "PATH": path, "PYTHONPATH": modules},
        cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["n"] == 5
