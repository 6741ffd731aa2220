"""Several devices: what names them, and which worker computes on which."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from codecbench import benchmark, load_dataset, make_plan
from codecbench.errors import Unavailable, WrongUsage
from codecbench.run.benchmark import Watch
from codecbench.run.devices import check_device, own_device, parse_devices
from codecbench.run.pool import WorkerPool


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("cpu", ["cpu"]),
        ("cuda:0,cuda:1", ["cuda:0", "cuda:1"]),
        ("cuda:0,1, 3", ["cuda:0", "cuda:1", "cuda:3"]),
        ("cpu,cpu", ["cpu", "cpu"]),
    ],
)
def test_devices_are_read(text: str, devices: list[str]) -> None:
    assert list(parse_devices(text)) == devices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpu", "'tpu' is not usable"),
        ("cuda:", "'cuda:' is not usable"),
        ("cuda:0,", "'cuda:0,' is not usable"),
        ("cuda:one", "'cuda:one' is not usable"),
        ("0,1", "'0,1' is not usable"),
        ("cuda:0,cpu", "'cuda:0,cpu' names devices of several kinds"),
    ],
)
def test_what_is_no_device_is_refused(text: str, message: str) -> None:
    with pytest.raises(WrongUsage, match=message):
        parse_devices(text)


def test_each_device_is_looked_for(monkeypatch) -> None:
    torch = SimpleNamespace(__version__="0", cuda=SimpleNamespace(device_count=lambda: 2))
    monkeypatch.setitem(sys.modules, "torch", torch)
    check_device("cuda:0,1")
    with pytest.raises(Unavailable, match=r"--device cuda:2: torch 0 finds 2 .*; name some of cuda:0, "):
        check_device("cuda:0,1,2")


def _meet(folder: Path, devices: str) -> str:
    """Return this worker's device once each of two has come here."""
    device = own_device(devices)
    (folder / device).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    return device


def test_each_worker_has_its_device(tmp_path: Path) -> None:
    with WorkerPool(2) as pool:
        met = [pool.submit(_meet, tmp_path, "cuda:0,cuda:1") for _ in range(2)]
        assert sorted(future.result() for future in met) == ["cuda:0", "cuda:1"]
    assert own_device("cuda:0,cuda:1") == "cuda:0"


def test_a_run_on_two_devices(fakes: Path, folder: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    opened.mkdir()
    codec = f"fake-faulty:where={str(opened).replace('/', '|')}@64"
    plan = make_plan(load_dataset(folder), codec, ["fake-snr"])
    notes: list[str] = []

    def run(name: str, workers: int, device: str):
        return benchmark(plan, tmp_path / name, workers=workers, device=device, watch=Watch(notes.append)).run

    two = run("out", 2, "cpu:0,1")
    assert two.manifest["device"] == "cpu:0,cpu:1"
    assert "here cpu:0" in {path.name for path in opened.iterdir()} <= {"here cpu:0", "here cpu:1"}
    one = run("one", 1, "cpu:0,1")
    assert "1 workers use 1 of 2 devices; raise --workers" in notes
    assert list(one.records["fake-snr"]) == list(two.records["fake-snr"])
    assert len(run("out", 1, "cpu").records) == 5, "the same kind of device continues a folder"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"executor": "serial"}, "--executor serial computes on one device"),
        ({"costs": True}, "speed is compared on one device"),
    ],
)
def test_what_needs_one_device_refuses_two(fakes, folder: Path, tmp_path: Path, how, message) -> None:
    plan = make_plan(load_dataset(folder), "fake@64", ["fake-snr"])
    with pytest.raises(WrongUsage, match=message):
        benchmark(plan, tmp_path / "out", device="cpu:0,cpu:1", **how)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("device", "status", "message"),
    [
        ("tpu", 2, "--device 'tpu' is not usable"),
        ("cpu,cpu", 2, "--device 'cpu,cpu' names several and one is used here; name one"),
        ("cuda:9", 1, "--device cuda:9: torch 0 finds 2 such devices here; name some of cuda:0, cuda:1"),
    ],
)
def test_encode_and_decode_look_for_the_device_first(  # noqa: PLR0917
    cli, folder: Path, tmp_path: Path, monkeypatch, device: str, status: int, message: str
) -> None:
    torch = SimpleNamespace(__version__="0", cuda=SimpleNamespace(device_count=lambda: 2))
    monkeypatch.setitem(sys.modules, "torch", torch)
    for command in (("encode", "--codec", "fake@64"), ("decode",)):
        answer = cli(*command, folder / "quiet-0.wav", "--to", tmp_path / "to", "--device", device)
        assert answer.status == status
        assert message in answer.err
        assert answer.err.count("\n") == 1
    assert not (tmp_path / "to").exists()
