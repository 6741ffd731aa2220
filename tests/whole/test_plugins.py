"""Plugins that break their contract: told where they enter, or at the cost of their cell; others go on."""

from __future__ import annotations

import gc
import json
import locale
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hostile
from codecbench import calls, contract, registry
from codecbench.cli import status_of
from codecbench.data.folders import load_dataset
from codecbench.errors import PluginStopped, StorageError
from codecbench.guard import guarded
from codecbench.run.cell import Task, compute
from codecbench.run.plan import make_plan
from codecbench.store.records import Record, decode_codes
from codecbench.store.store import load_run
from codecbench.testing.codecs import check_codec
from codecbench.testing.metrics import selftest

pytestmark = pytest.mark.usefixtures("hostile_plugins")


@pytest.fixture
def records(folder: Path) -> Callable[..., dict[str, Record]]:
    """Return what gives the records of codecs and metrics by utterance."""

    def make(codecs: str, metrics: str = "si-sdr") -> dict[str, Record]:
        plan = make_plan(load_dataset(str(folder)), codecs, metrics.split(","))
        cells = [cell for cell in plan if cell.utterance.id in CLIPS]
        return {cell.utterance.id: compute(Task(cell, plan.metrics)).record for cell in cells}

    return make


CLIPS = ("quiet-0", "the-loud")
"""On the second one faults trigger."""


def readable(record: Record) -> None:
    line = json.dumps(record, allow_nan=False, ensure_ascii=False)
    assert json.loads(line.encode()) == record
    assert len(line) < 20_000


@pytest.mark.parametrize("entry", hostile.SETS)
def test_a_set_of_a_package_that_cannot_be_used_says_why(
    entry: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert status_of(["run", "--data", entry, "--codecs", "pcm", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert f"codecbench: dataset {entry!r}" in said.err and hostile.SETS[entry][1] in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("entry", hostile.ENTERS)
def test_a_codec_that_is_none_is_left_out_with_a_reason_and_others_go_on(entry: str, folder: Path) -> None:
    plan = make_plan(load_dataset(str(folder)), f"enters-{entry},hostile", ["si-sdr"])
    assert [item.label for item in plan.contestants] == ["hostile"]
    (absent,) = plan.left_out
    assert absent.name == f"enters-{entry}" and f"'enters-{entry}'" in absent.reason
    assert hostile.ENTERS[entry][1] in absent.reason
    assert "docs/plugins.md" in absent.remedy
    assert f"{absent.reason}{absent.remedy}".isprintable()


@pytest.mark.parametrize("entry", hostile.METRICS)
def test_a_metric_that_is_none_is_left_out_with_a_reason_and_others_go_on(entry: str, folder: Path) -> None:
    plan = make_plan(load_dataset(str(folder)), "hostile", ["si-sdr", entry])
    assert [metric.name for metric in plan.metrics] == ["si-sdr"]
    (absent,) = plan.left_out
    assert absent.name == entry and hostile.METRICS[entry][1] in absent.reason
    assert "docs/plugins.md" in absent.remedy


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("imports-raise", "importing hostile_at_import failed (RuntimeError: not today)"),
        ("imports-exit", "failed (SystemExit: 5 (raised by the plugin))"),
        ("imports-nothing", "cannot be loaded (No module named 'hostile_missing')"),
        ("bad name/", "a name is letters, digits"),
    ],
)
def test_a_module_that_fails_at_import_costs_its_codec_only(name: str, reason: str, folder: Path) -> None:
    plan = make_plan(load_dataset(str(folder)), f"{name},hostile", ["si-sdr"])
    assert [item.label for item in plan.contestants] == ["hostile"]
    assert reason in plan.left_out[0].reason


def test_the_projects_own_names_cannot_be_taken() -> None:
    assert type(registry.codec("pcm")).__module__ == "codecbench.anchors"


def test_only_metrics_that_cannot_enter_are_an_error(folder: Path) -> None:
    with pytest.raises(Exception, match="no metric can score: metric 'measures-stoi'"):
        make_plan(load_dataset(str(folder)), "hostile", ["measures-stoi"])


@pytest.mark.parametrize(
    ("fault", "error"),
    [(fault, row[1]) for fault, row in (hostile.ENCODES | hostile.DECODES).items()],
)
def test_what_a_codec_returns_wrongly_costs_its_cell_only(records: Any, fault: str, error: str) -> None:
    found = records(f"hostile:{fault}")
    bad = found.pop("the-loud")
    assert bad["status"] == "failed" and error in bad["error"]
    assert bad["payload_bytes"] is None and bad["scores"] == {}
    readable(bad)
    assert [record["status"] for record in found.values()] == ["ok"]
    good = records("hostile:none-at-all")["the-loud"]
    assert good["status"] == "ok" and good["scores"]["si-sdr"] > 30, "the reference is as it was"


@pytest.mark.parametrize("fault", hostile.DELAYS)
def test_a_wrong_delay_costs_the_cell(records: Any, fault: str) -> None:
    found = records(f"hostile:{fault}")["quiet-0"]
    assert found["status"] == "failed" and "delay_ms is" in found["error"]


@pytest.mark.parametrize("fault", hostile.CASTS)
def test_what_is_right_but_of_another_type_is_cast(records: Any, fault: str) -> None:
    found = records(f"hostile:{fault}")["the-loud"]
    assert found["error"] is None
    for field, value in hostile.CASTS[fault][1].items():
        assert found[field] == value and type(found[field]) is type(value)
    if fault == "small codes":
        assert decode_codes(found["codes"]).tolist() == [[1] * 9]
    readable(found)


@pytest.mark.parametrize("fault", hostile.SCORES)
def test_what_a_metric_returns_wrongly_costs_its_score_only(records: Any, fault: str) -> None:
    name, reason = f"scores-{fault}", hostile.SCORES[fault][1]
    found = records("hostile", f"{name},cited,si-sdr")["quiet-0"]
    assert found["status"] == "ok" and found["scores"]["si-sdr"] > 20 and found["scores"]["cited"] > 0
    if reason is None:
        assert type(found["scores"][name]) is float and name not in found["reasons"]
    else:
        assert found["scores"][name] is None and reason in found["reasons"][name]
    readable(found)


def test_numbers_of_numpy_on_classes_are_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    point = hostile.OperatingPoint("1", np.float64(1), {"bits": np.int64(3)}, np.True_)
    codec = hostile.Good()
    codec.points = [point]
    codec.info = hostile.replace(
        hostile.INFO, sample_rate_hz=np.int32(16_000), algorithmic_delay_ms=np.float32(2)
    )
    made = contract.codec(codec, "hostile")
    assert type(made.info.sample_rate_hz) is int and type(made.info.algorithmic_delay_ms) is float
    (cast,) = made.points
    assert type(cast.nominal_kbps) is float and cast.default is True and type(cast.settings["bits"]) is int
    metric = registry.metric("cited")
    assert metric.value_range == (0.0, 1.0) and type(metric.version) is int


def test_a_codec_that_is_right_is_left_as_it_is() -> None:
    codec = hostile.Good()
    made = contract.codec(codec, "hostile")
    assert made is codec and made.info is hostile.INFO and made.points is hostile.Good.points


SMALL = np.finfo(np.float32).tiny


def state() -> dict[str, Any]:
    import torch

    return {
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
        "errors": np.geterr(),
        "warnings": list(warnings.filters),
        "signal": signal.getsignal(signal.SIGINT),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "torch": torch.get_rng_state().tolist(),
        "device": torch.zeros(1).device.type,
        "precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "backends": (torch.backends.mkldnn.enabled, torch.backends.cudnn.benchmark),
        "subnormal": SMALL / 2 > 0,
        "buffers": (np.geterrcall(), np.getbufsize()),
        "interpreter": (gc.isenabled(), locale.setlocale(locale.LC_ALL), sys.getprofile(), list(sys.path)),
        "alarm": signal.getitimer(signal.ITIMER_REAL),
        "stdout": sys.stdout,
    }


def test_what_a_plugin_changes_in_the_process_is_put_back(records: Any) -> None:
    before = state()
    found = records("hostile:turn")["the-loud"]
    assert found["status"] == "ok"
    assert state() == before


def test_hooks_for_errors_and_the_limit_on_recursion_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.excepthook, sys.unraisablehook, threading.excepthook, sys.getrecursionlimit()
    with guarded():
        monkeypatch.setattr(sys, "excepthook", None)
        monkeypatch.setattr(sys, "unraisablehook", None)
        monkeypatch.setattr(threading, "excepthook", None)
        sys.setrecursionlimit(before[3] + 1000)
    assert (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.getrecursionlimit()) == before
    threading.Thread(target=int).start()


def test_opening_may_add_variables_but_not_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTILE_OLD", "1")
    monkeypatch.delenv("HOSTILE_NEW", raising=False)
    with guarded(loading=True):
        os.environ |= {"HOSTILE_NEW": "1", "HOSTILE_OLD": "2", "CODECBENCH_WEIGHTS_X": "/"}
    assert os.environ.pop("HOSTILE_NEW") == "1" and os.environ["HOSTILE_OLD"] == "1"
    assert "CODECBENCH_WEIGHTS_X" not in os.environ


FIRST = """
from codecbench.guard import guarded
with guarded():
    import torch
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.enabled = False
print(torch.zeros(1).device, torch.get_default_dtype())
print(torch.get_float32_matmul_precision(), torch.backends.mkldnn.enabled)
"""


def test_torch_is_as_new_after_the_call_that_imports_it() -> None:
    pytest.importorskip("torch")
    told = subprocess.check_output([sys.executable, "-c", FIRST], text=True, timeout=300)
    assert told == "cpu torch.float32\nhighest True\n"


@pytest.mark.parametrize(
    "backend", ["backends", "backends.cuda.matmul", "backends.mkldnn", "backends.mkldnn.matmul"]
)
def test_precision_of_single_backends_is_put_back(backend: str) -> None:
    """While it is set so, torch does not tell the precision that holds for all."""
    torch = pytest.importorskip("torch")
    if not hasattr(torch.backends, "fp32_precision"):
        pytest.skip("this torch has one precision for all backends")
    setting = attrgetter(backend)(torch)
    before = setting.fp32_precision
    with guarded():
        setting.fp32_precision = "bf16" if "mkldnn" in backend else "tf32"
        with guarded():
            torch.set_float32_matmul_precision("medium")
        assert setting.fp32_precision != before
    assert (setting.fp32_precision, torch.get_float32_matmul_precision()) == (before, "highest")


def test_loading_may_add_folders_of_modules_behind_all_others() -> None:
    before = list(sys.path)
    with guarded(loading=True):
        sys.path[:] = ["/hostile", *before[1:]]
    assert sys.path == [*before, "/hostile"]
    sys.path.remove("/hostile")
    with guarded():
        sys.path = ["/hostile"]
    assert sys.path == before


def test_a_plugin_that_forks_gives_one_record_a_cell(folder: Path, tmp_path: Path, capfd: Any) -> None:
    for executor in ("serial", "processes"):
        out = tmp_path / executor
        status = status_of(
            f"run --codecs hostile:forked,pcm --metrics si-sdr --data {folder} --out {out} "
            f"--executor {executor} --workers 1".split()
        )
        assert status == 0, capfd.readouterr().err
        lines = [json.loads(line)["key"] for line in (out / "records.jsonl").read_text().splitlines()]
        manifest = json.loads((out / "manifest.json").read_text())
        assert len(lines) == len(set(lines)) == 2 * len(manifest["utterances"])


def test_ctrl_c_stays_the_users_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt), guarded():
        raise KeyboardInterrupt
    monkeypatch.setattr(multiprocessing, "parent_process", object)  # as in workers
    with pytest.raises(PluginStopped, match="KeyboardInterrupt"), guarded():
        raise KeyboardInterrupt
    monkeypatch.undo()
    with pytest.raises(Exception, match="full") as caught, guarded():
        raise StorageError("full")
    assert not isinstance(caught.value, StorageError)


def test_output_of_plugins_goes_to_stderr(capfd: Any, folder: Path, tmp_path: Path) -> None:
    for executor in ("serial", "processes"):
        out = tmp_path / executor
        status = status_of(
            f"run --codecs hostile:print,imports-print --metrics scores-print --data {folder} --out {out} "
            f"--executor {executor} --workers 1 --json".split()
        )
        told = capfd.readouterr()
        assert status == 0, told.err
        assert {row["codec"] for row in json.loads(told.out)} == {"hostile:print", "imports-print"}
        assert told.err.count("NOISE") > 10
    assert status_of(["list", "codecs", "metrics", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    reasons = {row["name"]: row["reason"] for rows in rows.values() for row in rows}
    for entry, (_, reason) in hostile.ENTERS.items():
        assert reason in reasons[f"enters-{entry}"]
    assert status_of(["list"]) == 0


def test_a_run_among_hostile_plugins_leaves_a_readable_folder(
    folder: Path, tmp_path: Path, capfd: Any
) -> None:
    faults = [
        "surrogate",
        "escape",
        "long",
        "exit",
        "stop",
        "interrupt",
        "container nan",
        "codes large",
        "delay nan",
    ]
    codecs = ",".join(["pcm", "enters-delay-nan", *(f"hostile:{fault}" for fault in faults)])
    metrics = "si-sdr,scores-escape,scores-text,measures-stoi"
    argv = [
        "run",
        "--codecs",
        codecs,
        "--metrics",
        metrics,
        "--data",
        str(folder),
        "--out",
        str(tmp_path / "run"),
    ]
    status = status_of([*argv, "--workers", "1"])
    told = capfd.readouterr()
    assert status == 0, told.err
    assert (
        "enters-delay-nan is left out: codec 'enters-delay-nan': info.algorithmic_delay_ms is nan" in told.err
    )
    assert "\x1b" not in told.err and max(map(len, told.err.splitlines())) < 2100
    run = load_run(tmp_path / "run")
    assert (run.records["codec"] == "pcm").sum() == 5
    failed = run.failures.groupby("codec").size()
    assert failed["hostile:exit"] == failed["hostile:interrupt"] == 1
    assert failed["hostile:delay nan"] == 5 and "pcm" not in failed
    assert status_of(["table", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("fault", ["exit", "raise", "codes flat", "escape", "in place"])
def test_encoding_a_file_says_in_one_line_whose_fault_it_is(fault: str, folder: Path, capfd: Any) -> None:
    assert status_of(["encode", str(folder / "the-loud.wav"), "--codec", f"hostile:{fault}"]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"codecbench: codec 'hostile:{fault}' failed encoding") and line.isprintable()
    assert hostile.ENCODES[fault][1] in line and "defect" not in line
    assert not list(folder.glob("*.cbn"))


def test_reports_print_a_metrics_own_entry(folder: Path, tmp_path: Path) -> None:
    from codecbench.report import methods

    out = tmp_path / "run"
    argv = f"run --codecs pcm --metrics cited --data {folder} --out {out} --workers 1".split()
    assert status_of(argv) == 0
    assert "@misc{doe2020" in methods.bibtex(load_run(out))


def test_the_selftest_runs_a_metrics_own_golden_values() -> None:
    results = {result.check: result.passed for result in selftest(["cited"])}
    assert {"identity", "noise", "band", "swap", "delay 100 ms"} <= set(results)
    assert results["identity"] and not results["noise"], "one of its values is right, one is wrong"
    (refused,) = selftest(["measures-stoi"])
    assert refused.passed is False and "entry point" in str(refused.measured)


@pytest.mark.parametrize(
    ("spec", "failed"),
    [
        ("pcm", set()),
        ("enters-delay-nan", {"contract"}),
        ("imports-exit", {"contract"}),
        ("hostile:by address", {"input"}),
        ("hostile:careless", {"damage"}),
        ("imports-print", set()),
    ],
)
def test_the_selftest_of_codecs_finds_what_is_wrong(spec: str, failed: set[str]) -> None:
    found = {result.check for result in check_codec(spec) if not result.passed}
    assert found == failed


def test_scores_and_waves_given_to_plugins_are_copies() -> None:
    wave = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    seen: list[Any] = []
    metric = hostile.metric("seen", lambda self, ref, deg: seen.extend((ref, deg)) or 1.0)()
    assert calls.score(metric, wave, wave) == 1.0
    assert not any(item.flags.writeable or np.shares_memory(item, wave) for item in seen)
    coded, _ = calls.encode(hostile.Good(), wave, hostile.POINT)
    decoded, _ = calls.decode(hostile.Good(), coded, hostile.POINT)
    assert not decoded.flags.writeable and wave.flags.writeable


def test_the_command_line_in_a_process_of_its_own(hostile_plugins: str, tmp_path: Path) -> None:
    """Entry points as they are installed, none filtered; what prints at exit does not reach the output."""
    environment = {**os.environ, "PYTHONPATH": hostile_plugins}
    command = [sys.executable, "-m", "codecbench"]
    listed = subprocess.run([*command, "list", "--json"], env=environment, capture_output=True, check=True)
    assert json.loads(listed.stdout)["codecs"] and b"NOISE" in listed.stderr
    helped = subprocess.run([*command, "--help"], env=environment, capture_output=True, check=True)
    assert b"selftest" in helped.stdout
    tested = subprocess.run(
        [*command, "selftest", "--codec", "enters-slash"], env=environment, capture_output=True, check=False
    )
    assert tested.returncode == 1
    assert b"FAILED    enters-slash  contract" in tested.stdout
    assert b"1 of 1 checks failed: enters-slash contract" in tested.stderr
