"""The contract, held against every codec of the project that can run here; others skip with their reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codecbench import registry
from codecbench.audio import resample
from codecbench.errors import Unavailable
from codecbench.testing.codecs import CHECKS, KINDS, Subject, check_rate
from codecbench.weights import VARIABLE

NAMES = registry.names(registry.CODECS)
SHARED = Path(__file__).resolve().parents[3] / "shared"
RATES_HZ = {8_000, 16_000, 24_000, 44_100, 48_000}

REAL_RATE_TOLERANCE = 0.10
"""How far the rate on six seconds of real speech may be from nominal."""


@pytest.fixture(scope="module", autouse=True)
def _weights() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if SHARED.is_dir():
            patch.setenv(VARIABLE, str(SHARED))
        yield


opened = cache(Subject)


@pytest.fixture
def subject(name: str) -> Subject:
    subject = opened(name)
    try:
        _ = subject.codec
    except Unavailable as error:
        pytest.skip(f"{name}: {error}")
    return subject


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_codec_keeps_its_contract(subject: Subject, check: str) -> None:
    assert CHECKS[check](subject)


@pytest.mark.parametrize("name", NAMES)
def test_the_measured_rate_is_near_nominal_on_speech(
    subject: Subject, speech: list[NDArray[np.float32]]
) -> None:
    waves = [resample(clip, 16_000, subject.codec.info.sample_rate_hz) for clip in speech[::2]]
    assert check_rate(subject, waves, REAL_RATE_TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_project_ships_says_where_it_comes_from(name: str) -> None:
    info = registry.codec(name).info
    assert info.kind in KINDS
    assert info.sample_rate_hz in RATES_HZ
    if info.kind in {"classical", "neural"}:
        assert info.licence and info.citation and info.url.startswith("https://")
        assert info.frame_rate_hz is not None and info.frame_rate_hz > 0
    if info.kind == "neural":
        assert info.weights_licence


@pytest.mark.parametrize("name", NAMES)
def test_a_codec_without_points_cannot_run(name: str) -> None:
    codec = registry.codec(name)
    if not codec.points:  # they depend on a checkpoint, and there is none
        with pytest.raises(Unavailable):
            codec.check()
    for point in codec.points:
        assert codec.point(point.name) is point
        assert point.nominal_kbps > 0 or math.isnan(point.nominal_kbps)
