"""The command line: what scripts rely on, exit status, and one line an error."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

import write_docs
from codecbench import registry
from codecbench.analysis import results
from codecbench.cli import COMMANDS, cli, status_of
from codecbench.store.store import load_run
from write_docs import outdated, pages

INTERRUPTED = "codecbench: interrupted; what is stored stays, the same command continues"
QUICK = ("--metrics", "fake-snr", "--executor", "serial")
FIXED = [
    "codec", "point", "nominal_kbps", "payload_kbps", "declared_kbps", "entropy_kbps", "n", "failures",
    "lag_ms", "delay_ms", "rtf_encode", "rtf_decode",
]  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_run_prints_the_table_and_writes_it(cli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = cli("run", "--codecs", "fake,fake-8k", "--data", folder, "--out", out, *QUICK)
    assert answer.status == 0, answer.err
    table = rows(out / "table.csv")
    assert list(table[0]) == [*FIXED, "fake-snr", "fake-snr_low", "fake-snr_high", "fake-snr_n"]
    assert [(row["codec"], row["point"], row["n"]) for row in table] == [
        ("fake", "64", "5"),
        ("fake", "32", "5"),
        ("fake-8k", "32", "5"),
    ]
    assert float(table[0]["payload_kbps"]) == pytest.approx(64)
    assert float(table[0]["delay_ms"]) == 2.5
    assert 0 < float(table[0]["entropy_kbps"]) < 64
    printed = answer.out.splitlines()
    assert printed[0].split() == [*FIXED, "fake-snr"]
    assert len(printed) == 4
    assert "15 cells to compute" in answer.err


def test_run_prints_json(cli, folder: Path, tmp_path: Path) -> None:
    answer = cli("run", "--codecs", "fake-8k", "--data", folder, "--out", tmp_path / "o", "--json", *QUICK)
    (row,) = json.loads(answer.out)
    assert row["codec"] == "fake-8k"
    assert row["payload_kbps"] == pytest.approx(32)
    assert row["delay_ms"] is None
    assert set(row) >= set(FIXED)


def test_the_manifest_says_what_was_run(cli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cli(
        "run",
        "--codecs",
        "fake-8k,fake-absent",
        "--data",
        folder,
        "--out",
        out,
        "--limit",
        2,
        "--seed",
        3,
        *QUICK,
    )
    manifest = load_run(out).manifest
    assert manifest["dataset"] | {"revision": ""} == {
        "name": "speech", "revision": "", "licence": "", "description": "", "synthetic": False,
        "n": 2, "limit": 2, "seed": 3,
    }  # fmt: skip
    assert manifest["codecs"]["fake-8k"]["signature"] == "fake-8k|fs:8000|lib:1"
    assert manifest["codecs"]["fake-8k"]["info"]["licence"] == "CC0-1.0"
    assert manifest["codecs"]["fake-8k"]["points"] == [
        {"name": "32", "nominal_kbps": 32, "frame_rate_hz": None}
    ]
    assert manifest["metrics"]["fake-snr"]["signature"] == "fake-snr|eps:1e-09|fs:16000|resample:soxr-hq|v:1"
    assert manifest["left_out"] == [
        {
            "kind": "codec",
            "name": "fake-absent",
            "reason": "its library is not here",
            "remedy": "run: install it",
        }
    ]
    assert {item["speaker"] for item in manifest["utterances"]} == {"a", "b"}
    assert all((out / item["audio"]).exists() for item in manifest["utterances"])
    assert manifest["machine"]["cores"] >= 1
    assert manifest["started"] <= manifest["finished"]


def test_a_second_run_computes_what_is_missing(cli, folder: Path, tmp_path: Path) -> None:
    base = ("run", "--data", folder, "--out", tmp_path / "out", *QUICK)
    cli(*base, "--codecs", "fake@64", "--limit", 2)
    first = (tmp_path / "out" / "records.jsonl").read_bytes()
    again = cli(*base, "--codecs", "fake@64", "--limit", 2)
    assert "0 cells to compute, 2 stored" in again.err
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == first
    more = cli(*base, "--codecs", "fake,fake-8k")
    assert "13 cells to compute, 2 stored" in more.err
    table = rows(tmp_path / "out" / "table.csv")
    assert [(row["codec"], row["point"], row["n"]) for row in table] == [
        ("fake", "64", "5"),
        ("fake", "32", "5"),
        ("fake-8k", "32", "5"),
    ]
    assert (tmp_path / "out" / "records.jsonl").read_bytes().startswith(first)
    everything = cli(*base, "--codecs", "fake-8k", "--rerun", "all")
    assert "5 cells to compute" in everything.err


def test_what_does_not_compare_within_a_run_is_said_and_completed(cli, folder: Path, tmp_path: Path) -> None:
    base = ("run", "--data", folder, "--out", tmp_path / "out", "--executor", "serial")
    cli(*base, "--codecs", "fake@64", "--limit", 2, "--metrics", "fake-snr")
    uneven = cli(*base, "--codecs", "fake-8k", "--metrics", "fake-snr,fake-level")
    assert "fake@64 ran on fewer than the 5 utterances of the others" in uneven.err
    assert "not asked for in some of 7 decoded cells: fake-level in 2;" in uneven.err
    table = cli("table", tmp_path / "out", "--format", "md")
    assert "| fake@64† |" in table.out
    assert "| fake-8k@32 |" in table.out
    assert "ran on fewer" in cli("table", tmp_path / "out").err
    even = cli(*base, "--codecs", "fake@64,fake-8k", "--metrics", "fake-snr,fake-level")
    assert "3 cells to compute, 7 stored, 2 of them to score with fake-level besides" in even.err
    assert "fewer" not in even.err
    assert "not asked for" not in even.err
    assert "†" not in cli("table", tmp_path / "out", "--format", "md").out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--metrics", "fake-level"), None),
        (("--device", "cuda"), "device cpu there, cuda here"),
        (("--codecs", "fake-late:7"), None),
        (("--data", "other"), "dataset 'speech'"),
    ],
)
def test_results_that_do_not_compare_do_not_share_a_folder(cli, folder, tmp_path, change, message) -> None:
    out = tmp_path / "out"
    given = {
        "--codecs": "fake@64",
        "--data": folder,
        "--out": out,
        "--metrics": "fake-snr",
        "--executor": "serial",
    }
    assert cli("run", *(part for pair in given.items() for part in pair)).status == 0
    before = (out / "records.jsonl").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / "quiet-0.wav").write_bytes((folder / "quiet-0.wav").read_bytes())
    name, value = change
    given[name] = other if value == "other" else value
    answer = cli("run", *(part for pair in given.items() for part in pair))
    if message is None:
        assert answer.status == 0
        return
    assert answer.status == 1
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert "choose another --out, or delete the old run with --overwrite" in answer.err
    assert (out / "records.jsonl").read_bytes() == before
    if name == "--device":
        return  # there is none here
    assert cli("run", *(part for pair in given.items() for part in pair), "--overwrite").status == 0
    assert (out / "records.jsonl").read_bytes() != before


def test_a_changed_codec_is_refused(cli, folder: Path, tmp_path: Path, monkeypatch) -> None:
    base = ("run", "--codecs", "fake@64", "--data", folder, "--out", tmp_path / "out", *QUICK)
    cli(*base)
    monkeypatch.setattr(registry.load(registry.CODECS, "fake"), "signature", lambda self: "fake|v:2")
    answer = cli(*base)
    assert answer.status == 1
    assert "codec fake has the signature fake|fs:16000|lib:1 there, fake|v:2 here" in answer.err


def test_overwrite_deletes_only_a_run(cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    base = ("run", "--codecs", "fake@64", "--data", folder, "--out", tmp_path, "--overwrite", *QUICK)
    assert cli(*base).status == 0
    assert cli(*base).status == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(load_run(tmp_path).records) == 5


def test_what_is_left_out_is_named_and_strict_counts_it(cli, folder: Path, tmp_path: Path) -> None:
    base = ("run", "--data", folder, "--out", tmp_path / "o", *QUICK)
    answer = cli(*base, "--codecs", "fake-absent,fake,fake-8k", "--kbps", 64)
    assert answer.status == 0
    assert "fake-absent is left out: its library is not here; run: install it" in answer.err
    assert (
        "fake-8k is left out: no point near 64 kbit/s, its nearest has 32; name that one, fake-8k@32"
        in answer.err
    )
    assert [row["codec"] for row in rows(tmp_path / "o" / "table.csv")] == ["fake"]
    told = load_run(tmp_path / "o").manifest["left_out"]
    assert [(item["kind"], item["name"]) for item in told] == [("codec", "fake-absent"), ("rate", "fake-8k")]
    assert cli(*base, "--codecs", "fake-absent,fake", "--kbps", 64, "--strict").status == 1
    assert cli(*base, "--codecs", "fake,fake-8k", "--kbps", 64, "--strict").status == 1
    assert cli(*base, "--codecs", "fake", "--kbps", 64, "--strict").status == 0
    assert cli(*base, "--codecs", "fake-absent").status == 1


def test_a_metric_that_scored_nothing_is_said_and_strict_counts_it(cli, folder: Path, tmp_path: Path) -> None:
    metrics = ("--metrics", "fake-snr,fake-raise,fake-missing", "--executor", "serial")
    base = ("run", "--data", folder, "--out", tmp_path, "--codecs", "fake", *metrics)
    answer = cli(*base)
    assert answer.status == 0
    said = answer.err.splitlines()
    assert said[-2:] == [
        "codecbench: fake-raise scored none of 10 decoded utterances; 8 times: never can",
        "codecbench: fake-missing scored none of 10 decoded utterances; 10 times: "
        "unavailable: its library is not here; run: install it",
    ]
    assert cli("table", tmp_path).err.splitlines() == said[-2:]
    assert cli(*base, "--strict").status == 1
    alone = (*base[:-4], "--metrics", "fake-snr,fake-raise", "--executor", "serial", "--out", tmp_path / "x")
    assert cli(*alone, "--strict").status == 1


def test_failed_cells_are_told_with_their_reason(cli, folder: Path, tmp_path: Path) -> None:
    base = ("run", "--data", folder, "--out", tmp_path / "o", "--codecs", "fake-faulty:raise@64", *QUICK)
    answer = cli(*base)
    assert answer.status == 0
    assert "1 failed with fake-faulty:raise: RuntimeError: cannot encode this" in answer.err
    assert [(row["n"], row["failures"], row["fake-snr_n"]) for row in rows(tmp_path / "o" / "table.csv")] == [
        ("4", "1", "4")
    ]
    assert cli(*base, "--strict").status == 0
    assert cli(*base, "--strict", "--rerun", "failed").status == 1
    whole = cli("run", "--data", folder, "--out", tmp_path / "x", "--codecs", "fake-faulty:open@64", *QUICK)
    assert whole.status == 1
    assert "all 5 cells failed; correct the cause and add --rerun failed" in whole.err


@pytest.mark.parametrize(("audio", "kept"), [("none", 0), ("0", 0), ("2", 2), ("all", 5)])
def test_speech_is_kept_as_asked(cli, folder: Path, tmp_path: Path, audio: str, kept: int) -> None:
    cli("run", "--data", folder, "--out", tmp_path, "--codecs", "fake@64", "--audio", audio, *QUICK)
    run = load_run(tmp_path)
    assert run.records["audio"].notna().sum() == kept
    assert len(list(tmp_path.glob("audio/fake@64/*.flac"))) == kept
    assert sum(item["audio"] is not None for item in run.manifest["utterances"]) == kept


def test_score_matches_files_by_stem(cli, folder: Path, tmp_path: Path) -> None:
    # Such a folder is what a run keeps: its name must not be taken for an operating point.
    decoded = tmp_path / "opus@7.5"
    decoded.mkdir()
    for path in folder.glob("*.wav"):
        wave, rate_hz = soundfile.read(path)
        soundfile.write(decoded / f"{path.stem}.flac", wave * 0.9, rate_hz)
    base = ("score", "--ref", folder, "--deg", decoded, *QUICK, "--json")
    (row,) = json.loads(cli(*base, "--kbps", 6, "--out", tmp_path / "a").out)
    assert (row["codec"], row["point"], row["nominal_kbps"], row["n"]) == ("folder:opus@7.5", "6", 6, 5)
    assert row["payload_kbps"] is None
    assert row["fake-snr"] == pytest.approx(20, abs=0.1)
    (row,) = json.loads(cli(*base, "--out", tmp_path / "b").out)
    assert row["nominal_kbps"] is None


def test_list_names_everything_and_why_not(cli) -> None:
    answer = cli("list", "--json")
    listed = json.loads(answer.out)
    assert {row["name"] for row in listed["codecs"]} == set(registry.names(registry.CODECS))
    assert {row["name"] for row in listed["metrics"]} == set(registry.names(registry.METRICS))
    assert {row["name"] for row in listed["datasets"]} == set(registry.names(registry.DATASETS))
    by_name = {row["name"]: row for row in listed["codecs"]}
    assert by_name["fake"]["points"] == ["64", "32"]
    assert by_name["fake"]["other_points"] == ["16", "16-again"]
    assert by_name["fake"]["available"] is True
    assert by_name["fake-absent"]["available"] is False
    assert (by_name["fake-absent"]["reason"], by_name["fake-absent"]["remedy"]) == (
        "its library is not here",
        "run: install it",
    )
    shown = cli("list", "codecs")
    (line,) = [line for line in shown.out.splitlines() if line.startswith("fake-absent")]
    assert line.endswith("no: install it")
    card = cli("list", "fake-absent").out
    assert "reason                its library is not here" in card
    assert "remedy                run: install it" in card
    assert "stoi|extended:False" in cli("list", "stoi").out
    assert json.loads(cli("list", "fake", "--json").out)[0]["points"] == ["64", "32"]
    unknown = cli("list", "fkae")
    assert (unknown.status, "did you mean 'fake'" in unknown.err) == (2, True)
    assert cli("list", "nonsense").status == 2


def test_table_and_export_read_a_stored_run(cli, folder: Path, tmp_path: Path) -> None:
    import pandas as pd

    out = tmp_path / "out"
    ran = cli("run", "--codecs", "fake", "--data", folder, "--out", out, *QUICK)
    assert cli("table", out).out == ran.out
    assert len(json.loads(cli("table", out, "--json").out)) == 2
    assert cli("export", out, "--parquet", tmp_path / "r.parquet", "--csv", tmp_path / "r.csv").status == 0
    for table in (pd.read_parquet(tmp_path / "r.parquet"), pd.read_csv(tmp_path / "r.csv")):
        assert len(table) == 10
        assert table["payload_kbps"].iloc[0] == pytest.approx(64)
    assert cli("export", out).status == 2
    assert cli("export", out, "--results", tmp_path / "results").status == 0
    (result,) = (results.read(path) for path in (tmp_path / "results" / "speech").iterdir())
    assert (result.codec, result.points[0].scores["fake-snr"].n) == ("fake", 5)
    missing = cli("table", tmp_path / "nothing")
    assert missing.status == 1
    assert "no run here" in missing.err


def test_encode_and_decode(cli, folder: Path, tmp_path: Path) -> None:
    source, _ = soundfile.read(folder / "quiet-0.wav", dtype="float32")
    soundfile.write(tmp_path / "odd.wav", source[:9001], 11_025)
    coded = cli(
        "encode", tmp_path / "odd.wav", folder / "quiet-0.wav", "--codec", "fake@32", "--to", tmp_path / "c"
    )
    assert coded.status == 0, coded.err
    assert "2400 bytes of payload, 32 kbit/s" in coded.err
    decoded = cli(
        "decode", tmp_path / "c" / "odd.cbn", tmp_path / "c" / "quiet-0.cbn", "--to", tmp_path / "d"
    )
    assert decoded.status == 0, decoded.err
    wave, rate_hz = soundfile.read(tmp_path / "d" / "odd.wav")
    assert (wave.size, rate_hz) == (9001, 11_025)
    wave, rate_hz = soundfile.read(tmp_path / "d" / "quiet-0.wav", dtype="float32")
    assert np.corrcoef(wave[::4], source[::4])[0, 1] > 0.99
    again = cli("decode", tmp_path / "c" / "odd.cbn", "--to", tmp_path / "d")
    assert again.status == 1
    assert "odd.wav exists; add --overwrite" in again.err
    assert cli("decode", tmp_path / "c" / "odd.cbn", "--to", tmp_path / "d", "--overwrite").status == 0
    other = cli("decode", tmp_path / "c" / "odd.cbn", "--codec", "fake-8k", "--to", tmp_path / "e")
    assert "coded by fake|fs:16000|lib:1, which fake-8k|fs:8000|lib:1 here cannot decode" in other.err
    twice = cli("encode", tmp_path / "odd.wav", folder / "quiet-0.wav", "--codec", "fake,pcm")
    assert "must name one codec" in twice.err


def test_every_command_has_help(cli) -> None:
    answer = cli("--help")
    assert answer.status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in answer.out
        assert cli(name, "--help").out.startswith(f"Usage: codecbench {name}")
    assert cli("--version").out.startswith("codecbench, version ")


def test_plugins_bring_commands_and_a_broken_one_breaks_nothing(cli) -> None:
    assert "fake-hello" in cli("--help").out
    assert cli("fake-hello").out == "hello\n"
    broken = cli("fake-broken", "--any", "thing")
    assert broken.status == 1
    assert (
        "fake-broken cannot be loaded (No module named 'codecbench_fakes_missing'); install or" in broken.err
    )


def test_an_unknown_command_suggests_the_nearest(cli) -> None:
    answer = cli("rum")
    assert answer.status == 2
    assert "unknown command 'rum'; did you mean 'run'?" in answer.err


@click.command()
@click.argument("kind")
def failing(kind: str) -> None:
    raise {"interrupt": KeyboardInterrupt(), "defect": TypeError("two\nlines")}[kind]


def test_exit_status_and_one_line(monkeypatch, capsys) -> None:
    monkeypatch.setattr(type(cli), "get_command", lambda self, context, name: failing)
    assert status_of(["x", "interrupt"]) == 130
    assert capsys.readouterr().err.strip() == INTERRUPTED
    assert status_of(["x", "defect"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "TypeError: two lines; run codecbench --debug" in error
    monkeypatch.setenv("CODECBENCH_DEBUG", "1")
    assert status_of(["x", "defect"]) == 1
    assert "Traceback" in capsys.readouterr().err


def imported(*commands: str) -> set[str]:
    """Return what is not Python's own among the packages that a fresh process imports for these commands."""
    program = (
        "import sys; before = set(sys.modules); from codecbench.cli import status_of;"
        f"[status_of(command.split()) for command in {list(commands)}];"
        "print('imported', *{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = set(done.stdout.splitlines()[-1].split()[1:])
    return {name for name in found - sys.stdlib_module_names if not name.startswith(("_", "codecbench"))}


@pytest.mark.parametrize(
    ("commands", "allowed"),
    [
        (("--help", "--version"), {"click", "colorama"}),
        (("run --help", "report --help"), {"click", "colorama", "numpy", "platformdirs", "rich"}),
        # Plugins are asked whether they can run here, which only some of their libraries tell.
        (
            ("list",),
            {"click", "colorama", "numpy", "platformdirs", "safetensors", "huggingface_hub"},
        ),
    ],
)
def test_a_command_imports_only_what_it_needs(commands, allowed) -> None:
    assert imported(*commands) <= allowed


def test_the_help_says_of_each_command_what_it_says_of_itself() -> None:
    context = click.Context(cli)
    for name, lazy in COMMANDS.items():
        assert cli.get_command(context, name).get_short_help_str(200) == lazy.first_line, name


def test_the_help_costs_little_beside_the_interpreter_and_numpy() -> None:
    """Measured in processor time of one run against the import of numpy, as machines differ and are busy."""
    resource = pytest.importorskip("resource")

    def seconds(*arguments: str) -> float:
        times = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times)

    bare = seconds("-c", "pass")
    help_, numpy = seconds("-m", "codecbench", "--help"), seconds("-c", "import numpy, click")
    assert help_ - bare < 2.0 * (numpy - bare)


def test_a_closed_pipe_is_no_error(process) -> None:
    with process("list", "--json") as running:
        running.stdout.close()
        assert running.wait(timeout=60) == 1
        # Whatever else is installed may print there.
        told = running.stderr.read()
        assert "Error" not in told and "codecbench:" not in told


def test_table_text_is_plain_columns(cli, folder: Path, tmp_path: Path) -> None:
    answer = cli("run", "--data", folder, "--out", tmp_path, "--codecs", "fake@64", *QUICK)
    header, row = csv.reader(
        io.StringIO("\n".join(",".join(line.split()) for line in answer.out.splitlines()))
    )
    shown = dict(zip(header, row, strict=True))
    assert shown["codec"] == "fake"
    assert shown["payload_kbps"] == "64"


def test_generated_documentation_is_up_to_date() -> None:
    # In a process of its own, as `make docs` runs: other tests have used these commands by now.
    done = subprocess.run(
        [sys.executable, write_docs.__file__, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_documentation_names_what_is_outdated(tmp_path: Path) -> None:
    for name, text in pages().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert outdated(tmp_path) == []
    (tmp_path / "docs" / "cli.md").write_text("old", encoding="utf-8")
    (tmp_path / "docs" / "data.md").unlink()
    assert outdated(tmp_path) == ["docs/cli.md", "docs/data.md"]


def test_documentation_covers_every_command_and_option() -> None:
    text = pages()["docs/cli.md"]
    for name in COMMANDS:
        assert f"## codecbench {name}\n" in text
    for option in ("--codecs", "--tolerance", "--rerun", "--single-file", "--parquet", "--kind"):
        assert option in text


def test_weights_names_the_folder_with_model_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODECBENCH_WEIGHTS", "")
    (tmp_path / "encodec").mkdir()
    assert status_of(["run", "--codecs", "encodec", "--weights", str(tmp_path), "--metrics", "stoi"]) == 1
    assert f"{tmp_path / 'encodec'} " in capsys.readouterr().err
