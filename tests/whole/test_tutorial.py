"""The tutorial of docs/plugins.md: its listings are the example's files, its commands run from nothing."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench.store.store import load_run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "codecbench_mulaw"
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
TOOLS = {"pip": "pip", "codecbench": "codecbench"}


def listings(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_listings_are_the_files_of_the_example() -> None:
    code = EXAMPLE / "codecbench_mulaw"
    assert listings("toml") == [(EXAMPLE / "pyproject.toml").read_text()]
    assert listings("python") == [(code / "codec.py").read_text(), (code / "metric.py").read_text()]


def test_the_example_is_g711(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from codecbench_mulaw.codec import MuLaw

    samples = np.arange(-32_768, 32_768).astype(np.int16)
    codec = MuLaw()
    coded = codec.encode(samples.astype(np.float32) / 32_768, codec.points[0])
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 8_000, format="RAW", subtype="ULAW")
    assert coded.payload == buffer.getvalue()
    buffer.seek(0)
    wave, _ = soundfile.read(
        buffer, samplerate=8_000, channels=1, format="RAW", subtype="ULAW", dtype="float32"
    )
    np.testing.assert_array_equal(codec.decode(coded, codec.points[0]), wave)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a fresh environment that sees the packages of this one, without the network."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    here = sysconfig.get_paths()["purelib"]
    (packages / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    for tool, module in TOOLS.items():
        path = folder / "bin" / tool
        path.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {module} "$@"\n')
        path.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # this spelling turns isolation off
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are those of a POSIX shell")
def test_the_commands_lead_to_a_report(tmp_path: Path, environment: dict[str, str]) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "examples" / EXAMPLE.name)
    output = ""
    for command in "".join(listings("sh")).splitlines():
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        output += done.stdout
    assert "FAILED" not in output and output.count("ok        mulaw") == 12
    assert output.count("ok        seg-snr") == 8
    run = load_run(tmp_path / "runs" / "mulaw")
    means = run.records.groupby("codec")[["payload_kbps", "seg-snr"]].mean()
    assert len(run.records) == 18 and (run.records["status"] == "ok").all()
    assert means.loc["mulaw", "payload_kbps"] == pytest.approx(64, rel=1e-3)
    assert means.loc["mulaw", "seg-snr"] > 20
    page = (tmp_path / "runs" / "mulaw" / "report" / "index.html").read_text(encoding="utf-8")
    assert "mulaw" in page and "quackenbush1988measures" in page
