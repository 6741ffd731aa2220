"""``codecbench run --config``: options from TOML, and a run done again from its manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codecbench import registry
from codecbench.store.records import read_records, without_timings


def test_a_toml_file_has_the_names_of_the_options_as_keys(cli, folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "bench.toml"
    config.write_text(
        f'codecs = ["fake@64", "fake-8k"]\ndata = "{folder}"\nmetrics = "fake-snr"\nlimit = 2\n'
        f'executor = "serial"\nout = "{tmp_path / "out"}"\njson = true\n',
        encoding="utf-8-sig",  # as editors on Windows save it
    )
    rows = json.loads(cli("run", "--config", config).out)
    assert [(row["codec"], row["n"]) for row in rows] == [("fake", 2), ("fake-8k", 2)]
    # The command line wins.
    rows = json.loads(cli("run", "--config", config, "--limit", 1, "-o", tmp_path / "other").out)
    assert [row["n"] for row in rows] == [1, 1]


def test_a_manifest_is_run_again_exactly(cli, folder: Path, tmp_path: Path, monkeypatch) -> None:
    first = (
        "run",
        "--codecs",
        "fake@64,fake-8k",
        "--data",
        folder,
        "--limit",
        3,
        "--seed",
        4,
        "-o",
        tmp_path / "a",
    )
    words = [*map(str, first), "--metrics", "fake-snr,stoi", "--executor", "serial"]
    monkeypatch.setattr("sys.argv", ["codecbench", *words])
    assert cli(*words).status == 0
    again = cli("run", "--config", tmp_path / "a" / "manifest.json", "-o", tmp_path / "b")
    assert again.status == 0
    first, second = (
        {record["key"]: without_timings(record) for record in read_records(tmp_path / name)} for name in "ab"
    )
    assert first == second
    monkeypatch.setattr(registry.load(registry.CODECS, "fake"), "signature", lambda self: "fake|v:2")
    changed = cli("run", "--config", tmp_path / "a" / "manifest.json", "-o", tmp_path / "c")
    assert changed.status == 1
    assert "would not be the same run: codec fake has the signature" in changed.err
    assert not (tmp_path / "c" / "records.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "text", "status", "message"),
    [
        ("x.toml", "codec = 'fake'", 2, "unknown key 'codec'; did you mean 'codecs'"),
        ("x.toml", "codecs = {a = 1}", 2, "the key 'codecs' must be a text"),
        ("x.toml", "codecs = ", 1, "x.toml: not TOML"),
        ("x.json", "{}", 2, "not called manifest.json"),
        ("manifest.json", "{}", 1, "not a manifest of format"),
    ],
)
def test_what_is_no_configuration_is_said(cli, tmp_path: Path, name, text, status, message) -> None:  # noqa: PLR0917
    (tmp_path / name).write_text(text)
    answer = cli("run", "--config", tmp_path / name, "-o", tmp_path / "out")
    assert answer.status == status
    assert message in answer.err
    assert not (tmp_path / "out").exists()
