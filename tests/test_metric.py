"""What every metric shares: signature, validation, refusal of what has no score, optional packages."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import pickle
import platform
import sys
from collections import OrderedDict

import numpy as np
import pytest

from codecbench import metric as metric_module
from codecbench import registry
from codecbench.errors import InvalidInput, Unavailable, Unscorable
from codecbench.metric import NOT_RECIPE, Metric, level_dbfs
from codecbench.metrics import pesq, visqol
from codecbench.testing.signals import band_limited, speech_like, with_noise

NAMES = (
    "stoi estoi pesq-wb pesq-nb mcd mcd-dtw mcd-8k visqol visqol-poly si-sdr mel-distance".split()  # noqa: SIM905
)
SPEECH = speech_like(2.0)


def changed(wave, index, value):
    wave = wave.copy()
    wave[index] = value
    return wave


@pytest.fixture(params=NAMES)
def metric(request) -> Metric:
    return registry.metric(request.param)


def test_the_registry_has_these_metrics():
    assert set(NAMES) <= set(registry.names(registry.METRICS))


def test_signature_has_the_whole_recipe(metric):
    parts = metric.signature().split("|")
    assert parts[0] == metric.name
    for field in dataclasses.fields(metric):
        assert f"{field.name}:{getattr(metric, field.name)}" in parts
    assert {f"fs:{metric.sample_rate_hz}", "resample:soxr-hq", f"v:{metric.version}"} <= set(parts)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("pesq-wb", "pesq-wb|band:wb|max_seconds:30.0|fs:16000|resample:soxr-hq|lib:pesq-0.0.4|v:1"),
        ("estoi", "estoi|extended:True|max_seconds:120.0|fs:16000|resample:soxr-hq|lib:pystoi-0.4.1|v:1"),
        ("si-sdr", "si-sdr|zero_mean:True|fs:16000|resample:soxr-hq|v:1"),
        (
            "visqol-poly",
            "visqol-poly|mode:speech|mapping:polynomial|envelope:cpp|level:native|max_seconds:30.0|"
            "fs:16000|resample:soxr-hq|lib:visqol-python-3.8.0|v:1",
        ),
    ],
)
def test_signature_is_stable(name, signature):
    assert registry.metric(name).signature() == signature


def test_signatures_differ():
    assert len({registry.metric(name).signature() for name in NAMES}) == len(NAMES)


def test_libraries_are_those_of_the_signature(metric):
    distribution = {"pyworld": "pyworld-prebuilt"}
    if metric.library:
        name, _, version = metric.library.rpartition("-")
        installed = importlib.metadata.version(distribution.get(name, name))
        assert installed == version or installed.startswith(f"{version}.post")


def test_is_a_frozen_value_that_travels_to_workers(metric):
    assert pickle.loads(pickle.dumps(metric)) == metric
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.anything = 1


def test_says_what_a_table_needs(metric):
    low, high = metric.value_range
    assert low < high
    assert metric.label
    assert metric.citation
    assert metric.__doc__


@pytest.mark.parametrize(
    ("ref", "deg"),
    [
        (SPEECH, SPEECH[:-1]),
        (SPEECH[:-1], SPEECH),
        (np.stack([SPEECH, SPEECH]), np.stack([SPEECH, SPEECH])),
        (SPEECH[:, None], SPEECH[:, None]),
        (np.float32(0.5), np.float32(0.5)),
    ],
    ids=["shorter", "longer", "stereo", "column", "scalar"],
)
def test_refuses_other_shapes(metric, ref, deg):
    with pytest.raises(InvalidInput, match="must be equal and mono"):
        metric(np.asarray(ref), np.asarray(deg))


@pytest.mark.parametrize(
    ("ref", "deg", "reason"),
    [
        (SPEECH * 0, SPEECH, "reference is silent"),
        (SPEECH, SPEECH * 0, "degraded is silent"),
        (SPEECH * 1e-5, SPEECH, "reference is silent"),
        (changed(SPEECH, 99, np.nan), SPEECH, "reference has NaN"),
        (SPEECH, changed(SPEECH, 99, np.nan), "degraded has NaN"),
        (SPEECH, changed(SPEECH, 99, np.inf), "degraded has NaN or infinite"),
        (SPEECH[:0], SPEECH[:0], "shorter"),
    ],
)
def test_refuses_what_has_no_score(metric, ref, deg, reason):
    with pytest.raises(Unscorable, match=reason):
        metric(ref, deg)


@pytest.mark.parametrize(
    "samples", [1, 16, 160, 320, 511, 1600, 2400, 3999, 4000, 6000, 6400, 6500, 11_199, 11_200]
)
def test_short_clips_have_a_score_or_a_reason(metric, samples):
    """Nothing but Unscorable may come out, no warning either (they are errors in this suite)."""
    ref = speech_like(1.0, seed=3)[3000 : 3000 + samples]
    deg = np.float32(0.9) * ref + np.float32(0.01) * np.random.default_rng(0).standard_normal(
        samples, np.float32
    )
    try:
        value = metric(ref, deg)
    except Unscorable:
        return
    low, high = metric.value_range
    assert low <= value <= high


def test_refuses_clips_below_its_minimum(metric):
    samples = math.ceil(metric.minimum_seconds * metric.sample_rate_hz) - 1
    if samples > 0:
        wave = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
        with pytest.raises(Unscorable, match="shorter than"):
            metric(wave, wave)


def test_a_score_that_is_not_a_number_becomes_a_reason():
    class Broken(registry.load(registry.METRICS, "si-sdr")):
        def score(self, ref, deg):
            return math.nan

    with pytest.raises(Unscorable, match="gave nan"):
        Broken()(SPEECH, SPEECH)


@pytest.mark.parametrize(("gain", "expected"), [(1.0, 0.0), (0.5, -6.0206), (0.0, -math.inf)])
def test_level(gain, expected):
    square = np.full(1000, gain, np.float32)
    assert level_dbfs(square) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", ["pesq-wb", "pesq-nb"])
def test_pesq_says_how_to_install_it(monkeypatch, name):
    monkeypatch.setattr(pesq, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"pesq is not installed; run: pip install pesq"):
        registry.metric(name).check()


def no_version(_):
    raise importlib.metadata.PackageNotFoundError


@pytest.mark.parametrize("name", ["visqol", "visqol-poly"])
def test_visqol_says_how_to_install_it(monkeypatch, name):
    monkeypatch.setattr(visqol, "version", no_version)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(Unavailable, match=r"not installed; run: pip install .*visqol"):
        registry.metric(name).check()


def test_visqol_refuses_another_version(monkeypatch):
    monkeypatch.setattr(visqol, "version", lambda _: "3.9.0")
    with pytest.raises(Unavailable, match=r"visqol-python is 3\.9\.0, but the correction is for 3\.8\.0"):
        registry.metric("visqol").check()


def test_visqol_names_the_way_out_on_an_intel_mac(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(visqol, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"Intel Macs.*visqol-poly"):
        registry.metric("visqol").check()
    registry.metric("visqol-poly").check()


def test_a_reference_is_prepared_once_for_all_that_is_compared_with_it(monkeypatch):
    made = []

    @dataclasses.dataclass(frozen=True)
    class Energy(Metric):
        name, label, unit, higher_is_better = "energy", "Energy", "", False
        sample_rate_hz, value_range = 16_000, (0.0, 1.0)
        power: float = 2.0
        about: str = dataclasses.field(default="", metadata=NOT_RECIPE)

        def prepare(self, ref):
            made.append(self.power)
            return float(np.mean(np.abs(ref) ** self.power))

        def score(self, ref, deg):
            return abs(self.prepared(ref) - self.prepare(deg))

    ref = speech_like(1.0, seed=77)
    monkeypatch.setattr(metric_module, "_prepared", OrderedDict())
    for metric in (Energy(), Energy(), Energy(power=3.0), Energy(about="what was said")):
        assert metric(ref, ref) == 0.0
        assert metric(ref.copy(), np.float32(0.5) * ref) > 0.0
    assert made.count(2.0) == 2 + 6
    assert made.count(3.0) == 1 + 2


def test_prepared_references_are_bounded(monkeypatch):
    kept: OrderedDict = OrderedDict()
    monkeypatch.setattr(metric_module, "_prepared", kept)
    monkeypatch.setattr(metric_module, "PREPARED_SAMPLES", 40_000)
    metric = registry.metric("mel-distance")
    for seed in range(6):
        metric(speech_like(1.0, seed=seed), SPEECH[:16_000])
    assert [len(samples) for _, _, samples in kept] == [4 * 16_000] * 2


@pytest.mark.parametrize("name", NAMES)
def test_what_is_prepared_changes_no_score(name, monkeypatch):
    metric = registry.metric(name)
    waves = [speech_like(1.5, seed=seed)[: metric.sample_rate_hz * 3 // 2] for seed in (3, 4)]
    degraded = [with_noise(waves[0], 10.0), band_limited(waves[0]), waves[1]]
    again = [metric(waves[0], deg) for deg in (*degraded, *degraded)]
    monkeypatch.setattr(metric_module, "PREPARED_SAMPLES", 0)
    assert again == [metric(waves[0], deg) for deg in (*degraded, *degraded)]
