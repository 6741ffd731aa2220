"""The hub codecs through the whole suite, and full-size models once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench import registry
from codecbench.cli import status_of
from codecbench_hub.table import MODELS
from tiny_models import CONFIGS, NAMES, save


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    folder.mkdir()
    time = np.arange(24_000) / 16_000
    hum = (
        sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20)) * np.sin(2 * np.pi * 3 * time) ** 2
    )
    soundfile.write(folder / "one.wav", (0.1 * hum).astype(np.float32), 16_000)
    return folder


def test_run_with_models_by_hand_and_one_that_is_missing(data, tmp_path, monkeypatch, capsys):
    import huggingface_hub.constants

    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("CODECBENCH_WEIGHTS", str(tmp_path / "weights"))
    present = [name for name in NAMES if name != "encodec"]
    for name in present:
        save(name, tmp_path / "weights" / name)
    chosen = [f"{name}@{MODELS[name].points[-1].name}" for name in present]
    arguments = [
        "run",
        "--data",
        str(data),
        "--codecs",
        ",".join([*chosen, "encodec"]),
        "--metrics",
        "si-sdr",
    ]
    arguments += ["--executor", "serial", "--audio", "none", "--out", str(tmp_path / "out")]
    assert status_of(arguments) == 0
    assert "run: codecbench weights fetch encodec" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [(entry["kind"], entry["name"]) for entry in manifest["left_out"]] == [("codec", "encodec")]
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert {record["codec"]: record["status"] for record in records} == dict.fromkeys(present, "ok")
    for record in records:
        frame = MODELS[record["codec"]].hop / MODELS[record["codec"]].sample_rate_hz
        slack = record["nominal_kbps"] * frame / record["seconds"] + 0.01
        assert abs(record["payload_kbps"] - record["nominal_kbps"]) <= slack
    assert status_of([*arguments, "--strict"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encodec", "dac", "dac-24k", "mimi", "xcodec", "snac"])
def test_released_size_codes_a_second(name, tmp_path, monkeypatch):
    """Random weights at full size through the same path; X-Codec2's and NeuCodec's 2.5 GB are left out."""
    full = {
        "dac": {"encoder_hidden_size": 64, "decoder_hidden_size": 1536},
        "dac-24k": {"encoder_hidden_size": 64, "decoder_hidden_size": 1536},
        "snac": {"encoder_dim": 48, "decoder_dim": 1024},
    }.get(name, {})
    if name in {"encodec", "mimi", "xcodec"}:  # the classes' defaults are the released structure
        monkeypatch.setitem(CONFIGS, name, (CONFIGS[name][0], {}))
    model = MODELS[name]
    codec = registry.codec(f"{name}:{save(name, tmp_path / name, **full)}")
    codec.open()
    if model.parameters is not None:
        assert sum(item.numel() for item in codec._driver.network.parameters()) == model.parameters
    wave = (0.1 * np.random.default_rng(0).standard_normal(model.sample_rate_hz)).astype(np.float32)
    for point in (codec.points[0], codec.points[-1]):
        coded = codec.encode(wave, point)
        frames = -(-wave.size // model.hop)
        assert coded.codes.shape == (point.settings["streams"], frames)
        assert len(coded.payload) == -(-frames * point.settings["streams"] * model.bits // 8)
        assert codec.decode(coded, point).shape == wave.shape
