"""Golden tokens and waves: a change of arithmetic shows here before it shows in any score.

Tokens are pinned exactly.  Decoded waves differ in their last bits from processor to processor, so that of
each the level of every 20 ms is pinned, to 0.1 dB above a floor of -60 dB of full scale: far more than
rounding does, far less than any metric sees.

``GENERATE_EXPECTED=1 pytest tests/spc/test_golden.py`` writes ``expected/golden.json`` anew and prints what
changed; read it before it is committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codecbench.codec import Coded
from codecbench.store.records import decode_codes, encode_codes
from codecbench_spc.codec import Rvq, Spc, SpectrogramCodec
from made_up_runs import voice

EXPECTED = Path(__file__).parent / "expected" / "golden.json"
RENEW = bool(os.environ.get("GENERATE_EXPECTED"))
WAVES = {f"voice-{seed}": voice(np.random.default_rng(seed), 1.5) for seed in (1, 2)}
FRAME = 320
TOLERANCE_DB, FLOOR_DB = 0.1, -60.0

Levels = NDArray[np.float64]


def levels(wave: NDArray[np.float32]) -> Levels:
    """Return the level of every 20 ms in dB of full scale, not below the floor, [T / 320]."""
    frames = wave[: wave.size // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return np.maximum(10 * np.log10(np.square(frames).mean(axis=1) + 1e-12), FLOOR_DB)


def measured(codec: SpectrogramCodec) -> dict[str, Any]:
    """Return tokens and levels of each default point and wave."""
    found = {}
    for point in (point for point in codec.points if point.default):
        for name, wave in WAVES.items():
            coded = codec.encode(wave, point)
            assert coded.codes is not None
            decoded = codec.decode(Coded(coded.payload, length=coded.length), point)
            found[f"{point.name}/{name}"] = {
                "tokens": encode_codes(coded.codes),
                "levels_db": [round(float(level), 2) for level in levels(decoded)],
            }
    return found


def changes(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Say in words what differs, a line each; an empty list where nothing does."""
    lines = [f"{name}: only in one of both" for name in sorted(expected.keys() ^ found.keys())]
    for name in sorted(expected.keys() & found.keys()):
        was, now_is = (decode_codes(part[name]["tokens"]) for part in (expected, found))
        if was.shape != now_is.shape:
            lines.append(f"{name}: tokens {list(was.shape)}, now {list(now_is.shape)}")
        elif differing := int((was != now_is).sum()):
            lines.append(f"{name}: {differing} of {was.size} tokens differ")
        old, new = (np.asarray(part[name]["levels_db"]) for part in (expected, found))
        if old.shape != new.shape:
            lines.append(f"{name}: {old.size} frames of 20 ms, now {new.size}")
        elif (worst := float(np.abs(old - new).max())) > TOLERANCE_DB:
            lines.append(f"{name}: levels differ by up to {worst:.2f} dB")
    return lines


def hold(name: str, codec: SpectrogramCodec) -> None:
    """Compare a codec with what is expected of it, or write that anew."""
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    found = measured(codec)
    differences = changes(known.get(name, {}), found)
    if RENEW:
        print("\n".join([f"{name}:", *differences]))  # noqa: T201 (the diff to read)
        EXPECTED.write_text(json.dumps(known | {name: found}, indent=1, sort_keys=True) + "\n")
        return
    assert differences == [], f"if this is meant: GENERATE_EXPECTED=1 pytest -s {Path(__file__).name}"


@pytest.mark.parametrize(("name", "kind"), [("spc", Spc), ("rvq", Rvq)])
def test_tiny_seeded_models(name: str, kind: type[SpectrogramCodec], tiny_checkpoints: Path) -> None:
    codec = kind(str(tiny_checkpoints / f"{name}.safetensors"))
    codec.open()
    hold(f"tiny {name}", codec)


@pytest.mark.parametrize(("name", "kind"), [("spc", Spc), ("rvq", Rvq)])
def test_shipped_checkpoints(name: str, kind: type[SpectrogramCodec]) -> None:
    codec = kind()
    if not codec.path.is_file():
        pytest.skip(f"no checkpoint at {codec.path}: train one with codecbench train")
    codec.open()
    hold(name, codec)


def test_a_changed_token_and_a_changed_level_are_told() -> None:
    tokens = np.arange(6).reshape(2, 3)
    one = {"a": {"tokens": encode_codes(tokens), "levels_db": [-20.0, -30.0]}}
    other = {"a": {"tokens": encode_codes(tokens + (tokens == 5)), "levels_db": [-20.0, -30.5]}}
    assert changes(one, one) == []
    assert changes(one, other) == ["a: 1 of 6 tokens differ", "a: levels differ by up to 0.50 dB"]
    assert changes(one, {}) == ["a: only in one of both"]
