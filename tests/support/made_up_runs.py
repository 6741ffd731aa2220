# ruff: noqa: E501, PLR0917 (tables of made-up values)
"""Runs made up for the report's tests, written exactly as the runner writes them."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codecbench import registry

METRICS: dict[str, tuple[str, str, bool, list[float | None]]] = {
    "stoi": ("STOI", "", True, [-1.0, 1.0]),
    "estoi": ("ESTOI", "", True, [-1.0, 1.0]),
    "pesq-wb": ("PESQ-WB", "MOS-LQO", True, [1.0, 4.644]),
    "pesq-nb": ("PESQ-NB", "MOS-LQO", True, [1.0, 4.549]),
    "mcd": ("MCD", "dB", False, [0.0, None]),
    "visqol": ("ViSQOL", "MOS-LQO", True, [1.0, 5.0]),
    "si-sdr": ("SI-SDR", "dB", True, [None, None]),
    "mel-distance": ("Mel distance", "dB", False, [0.0, None]),
}
CODECS: dict[str, tuple[str, list[float], float, int | None]] = {
    # label: kind, rates in kbit/s, efficiency (rate at which quality is halfway), parameters
    "pcm": ("anchor", [256.0], 0.1, None),
    "opus": ("classical", [6, 8, 12, 16, 24], 7.0, None),
    "codec2": ("classical", [0.7, 1.2, 1.6, 2.4, 3.2], 6.0, None),
    "lyra": ("neural", [3.2, 6, 9.2], 4.5, 3_000_000),
    "encodec": ("neural", [1.5, 3, 6, 12], 3.5, 14_851_810),
    "amr-nb": ("classical", [4.75, 7.95, 12.2], 6.5, None),
    "rvq": ("neural", [2.5, 5, 7.5], 4.2, 5_000_000),
    "spc": ("neural", [7.5], 3.6, 5_200_000),
}


def voice(rng: np.random.Generator, seconds: float) -> NDArray[np.float32]:
    """Return a buzz with syllables, float32 [T] at 16 kHz."""
    t = np.arange(int(16_000 * seconds)) / 16_000
    pitch = 120 + 40 * rng.random() + 20 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    wave = sum(np.sin(k * phase) / k for k in range(1, 30))
    return (0.08 * wave * np.clip(np.sin(2 * np.pi * 2.5 * t) + 0.4, 0, 1)).astype(np.float32)


def scores_of(quality: float, rng: np.random.Generator) -> dict[str, float]:
    """Return plausible scores for a quality between 0 and 1."""
    q = float(np.clip(quality, 0, 1))
    noise = rng.normal(0, 0.3, 8) * (1 - q)
    values = [0.6 + 0.4 * q + 0.03 * noise[0], 0.4 + 0.6 * q + 0.05 * noise[1], 1 + 3.644 * q**1.5 + 0.3 * noise[2],
              1 + 3.549 * q**1.2 + 0.3 * noise[3], 9 * (1 - q) + abs(noise[4]), 1 + 3.9 * q + 0.4 * noise[5],
              -5 + 30 * q + 3 * noise[6], 12 * (1 - q) + abs(noise[7])]  # fmt: skip
    limits = [(-1, 1), (-1, 1), (1, 4.644), (1, 4.549), (0, 99), (1, 5), (-99, 99), (0, 99)]
    return {m: float(np.clip(v, *limit)) for m, v, limit in zip(METRICS, values, limits, strict=True)}


def write_run(
    out: Path,
    *,
    utterances: int = 24,
    speakers: int = 8,
    audio: int = 3,
    codecs: tuple[str, ...] = tuple(CODECS),
    points: int = 9,
    name: Callable[[int], str] = "utt-{:04d}".format,
    fail_every: int = 37,
    tokens: bool = True,
    seconds: float = 1.0,
    metrics: tuple[str, ...] = tuple(METRICS),
) -> Path:
    """Write a run's folder: manifest.json, records.jsonl and the audio of the first utterances."""
    rng = np.random.default_rng(0)
    listed = [
        {
            "id": name(i),
            "speaker": f"s{i % speakers:02d}",
            "seconds": round(seconds * (1 + (i % 5) / 4), 3),
            "audio": f"audio/reference/{i:04d}.flac" if i < audio else None,
            "about": {"gender": "fm"[i % speakers % 2], "language": "it" if i % speakers < 6 else ""},
        }
        for i in range(utterances)
    ]
    voices = [voice(rng, item["seconds"]) for item in listed[:audio]]
    for item, wave in zip(listed, voices, strict=False):
        save(out / str(item["audio"]), wave)
    manifest = manifest_of(listed, codecs, points)
    level = rng.normal(0, 0.05, speakers)
    lines = []
    for label in codecs:
        kind, rates, half, _ = CODECS[label]
        for rate in rates[:points]:
            for i, item in enumerate(listed):
                failed = fail_every and kind != "reference" and (i * 7 + int(rate * 10)) % fail_every == 1
                folder = f"audio/{label}@{rate:g}/{i:04d}.flac"
                quality = 1.0 if kind == "reference" else rate / (rate + half) + level[i % speakers]
                kept = folder if i < audio and not failed else None
                if kept:
                    save(out / kept, degrade(voices[i], quality, rng))
                lines.append(
                    record(item, label, rate, quality, rng, bool(failed), kept, tokens and kind == "neural")
                )
    manifest["metrics"] = {name: manifest["metrics"][name] for name in metrics}
    for line in lines:
        for part in ("scores", "raw_scores", "reasons"):
            line[part] = {name: value for name, value in line[part].items() if name in metrics}
    out.mkdir(parents=True, exist_ok=True)
    (out / "manifest.json").write_text(json.dumps(manifest, allow_nan=False))
    (out / "records.jsonl").write_text("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))
    return out


def save(path: Path, wave: NDArray[np.float32]) -> None:
    """Write 16 kHz FLAC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, 16_000)


def degrade(wave: NDArray[np.float32], quality: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the wave with noise that grows as quality falls."""
    noise = rng.normal(0, 0.02, wave.size) * (1 - min(quality, 1.0))
    return np.clip(wave + noise, -1, 1).astype(np.float32)


def manifest_of(listed: list[dict[str, Any]], codecs: tuple[str, ...], points: int) -> dict[str, Any]:
    """Return a manifest for these utterances and codecs."""
    return {
        "format": 2, "codecbench": "0.1.0",
        "dataset": {"name": "made-up", "revision": "ab" * 32, "licence": "CC0-1.0", "synthetic": True,
                    "n": len(listed), "limit": None, "seed": 0},
        "codecs": {
            label: {
                "signature": f"{label}|fs:16000|lib:1.0",
                "info": {"name": label, "description": f"The {label} codec", "version": "1.0", "sample_rate_hz": 16_000,
                         "licence": "BSD-3-Clause", "weights_licence": "", "kind": kind,
                         "frame_rate_hz": 50.0 if kind != "anchor" else None,
                         "algorithmic_delay_ms": 26.5 if kind == "classical" else None, "causal": kind == "classical",
                         "parameters": parameters, "bandwidth_hz": None,
                         "citation": f"Doe et al. 2024, The {label} codec, arXiv:2401.00001", "url": "https://example.org/c"},
                "points": [{"name": f"{rate:g}", "nominal_kbps": rate} for rate in rates[:points]],
            }
            for label, (kind, rates, _, parameters) in ((name, CODECS[name]) for name in codecs)
        },
        "metrics": {
            m: {"signature": f"{m}|fs:16000|resample:soxr-hq|lib:x-1.0|v:1", "label": label, "unit": unit,
                "higher_is_better": higher, "value_range": span, "citation": "Doe et al., ICASSP 2019",
                "bibtex": registry.load(registry.METRICS, m).bibtex}
            for m, (label, unit, higher, span) in METRICS.items()
        },
        "left_out": [
            {"kind": "codec", "name": "speex", "reason": "libspeex not found", "remedy": "install libspeex1"},
            {"kind": "rate", "name": "g722", "reason": "no point near 6 kbit/s, its nearest has 48",
             "remedy": "name that one, g722@48, or give a wider --tolerance"},
        ],
        "device": "cpu",
        "machine": {"cpu": "made-up CPU", "cores": 2, "system": "Linux"}, "versions": {"numpy": "2.0", "pesq": "0.0.4"},
        "git": {"commit": "0" * 40, "dirty": False}, "utterances": listed,
        "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:10:00Z",
        "command": ["codecbench", "run", "--codecs", ",".join(codecs)],
    }  # fmt: skip


def record(
    item: dict[str, Any], label: str, rate: float, quality: float, rng: np.random.Generator, failed: bool,
    audio: str | None, tokens: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return one record of the store's schema."""
    scores: dict[str, float | None] = dict(scores_of(quality, rng))
    reasons = {}
    if item["id"].endswith("5") and not failed:
        scores["visqol"], reasons["visqol"] = None, "shorter than 0.7 s"
    if label == "pcm":
        scores = {"stoi": 1.0, "estoi": 1.0, "pesq-wb": 4.644, "pesq-nb": 4.549, "mcd": 0.0, "visqol": 4.4,
                  "si-sdr": None, "mel-distance": 0.0}  # fmt: skip
        reasons = {"si-sdr": "the signals are identical"}
    seconds = item["seconds"]
    size = round(rate * seconds * 1000 / 8 * (1 + rng.normal(0, 0.03) * (label == "opus")))
    nothing = dict.fromkeys(scores)
    return {
        "key": f"{label}@{rate:g}/{item['id']}", "utterance": item["id"], "speaker": item["speaker"], "seconds": seconds,
        "codec": label, "point": f"{rate:g}", "nominal_kbps": rate, "status": "failed" if failed else "ok",
        "error": "decoder raised RuntimeError: bad frame" if failed else None,
        "payload_bytes": None if failed else size, "container_bytes": None if failed else 60,
        "payload_kbps": None if failed else size * 8 / seconds / 1000,
        "container_kbps": None if failed else 60 * 8 / seconds / 1000,
        "lag_ms": None if failed else (6.5 if label == "amr-nb" else 0.0),
        "delay_ms": 26.5 if label in ("opus", "codec2", "amr-nb") else None,
        "encode_s": None if failed else 0.01 * seconds, "decode_s": None if failed else 0.02 * seconds,
        "rtf_encode": None if failed else 0.01, "rtf_decode": None if failed else 0.02,
        "scores": nothing if failed else scores, "raw_scores": nothing if failed else scores,
        "reasons": {} if failed else reasons, "codes": codes_of(rng, seconds) if tokens and not failed else None,
        "audio": audio,
    }  # fmt: skip


def codes_of(rng: np.random.Generator, seconds: float) -> dict[str, Any]:
    """Return packed tokens [4, T] of a skewed distribution over 256 values."""
    codes = np.minimum(rng.geometric(0.03, size=(4, int(50 * seconds))) - 1, 255).astype("<u2")
    return {
        "shape": list(codes.shape),
        "dtype": "uint16",
        "data": b64encode(zlib.compress(codes.tobytes())).decode(),
    }


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """Return the function that writes a made-up run."""
    return write_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a made-up run of 24 utterances and 8 codecs, three utterances with audio."""
    return write_run(tmp_path_factory.mktemp("run") / "made-up")
