"""ViSQOL: the corrected envelope, golden values, one computation for both mappings, what has no score."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench import audio
from codecbench.errors import Unavailable, Unscorable
from codecbench.metric import level_dbfs
from codecbench.metrics import visqol as wrapper
from codecbench.metrics.visqol import Visqol, VisqolPolynomial, upper_envelope
from codecbench.testing.signals import band_limited, delayed, speech_like, with_noise

pytest.importorskip("visqol")
LATTICE, POLYNOMIAL = Visqol(), VisqolPolynomial()
LEVELLED = Visqol(level=-26.0), VisqolPolynomial(level=-26.0)


@pytest.fixture(scope="module", autouse=True)
def engine():
    LATTICE.open()


def envelope_step_by_step(signal):
    """The C++ code in its own order: full complex spectrum, weights, real part of the inverse, magnitude."""
    n = len(signal)
    size = 32
    while size < n:
        size *= 2
    centred = np.zeros(size, complex)
    centred[:n] = signal - np.mean(signal)
    weights = np.zeros(size)
    weights[0] = 1.0
    weights[n // 2] = 1.0 if n % 2 == 0 else 2.0
    weights[1 : size // 2] = 2.0
    half = (np.fft.fft(centred) * weights)[: size // 2 + 1]
    # The real inverse transform reads the lower half and takes the upper one to be its mirror image.
    mirrored = np.concatenate((half, np.conj(half[-2:0:-1])))
    return np.abs(np.real(np.fft.ifft(mirrored))[:n]) + np.mean(signal)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 2100), st.integers(0, 1000), st.floats(-1.0, 1.0))
def test_envelope_equals_the_steps_of_the_cpp_code(size, seed, offset):
    signal = np.random.default_rng(seed).standard_normal(size) + offset
    np.testing.assert_allclose(upper_envelope(signal), envelope_step_by_step(signal), atol=1e-12)


@pytest.mark.parametrize("size", [32, 1024, 16_384])
def test_envelope_of_a_whole_power_of_two_keeps_the_nyquist_component(size):
    signal = np.where(np.arange(size) % 2 == 0, 1.0, -1.0)
    np.testing.assert_allclose(upper_envelope(signal), 1.0, atol=1e-12)


def test_envelope_is_about_twice_the_rectified_signal():
    signal = speech_like(1.0).astype(np.float64)
    np.testing.assert_allclose(upper_envelope(signal), 2 * np.abs(signal), atol=0.01)


def test_the_library_runs_with_the_correction():
    import visqol.alignment

    assert visqol.alignment.upper_envelope is upper_envelope


@pytest.mark.parametrize(
    ("metric", "noisy", "narrow", "same"),
    [
        (LEVELLED[0], (1.0, 1.47579), (3.23937, 3.40172), (4.60248, 4.11164)),
        (LEVELLED[1], (3.69703, 2.89953), (3.78409, 4.13964), (5.0, 5.0)),
    ],
)
def test_golden_on_speech_at_a_stated_level(speech, metric, noisy, narrow, same):
    """Measured with visqol-python 3.8.0 and the correction on Linux x86_64."""
    for degrade, expected in ((with_noise, noisy), (band_limited, narrow), (np.copy, same)):
        found = [metric(ref, degrade(ref)) for ref in speech[:2]]
        assert found == pytest.approx(list(expected), abs=0.01)


CA01 = Path(__file__).with_name("ca01")


@pytest.mark.parametrize(("mapping", "expected"), [("lattice", 3.312923), ("polynomial", 3.374506)])
def test_the_engine_gives_what_cpp_gives_for_the_conformance_pair_ca01(mapping, expected):
    """Google's conformance pair CA01 in speech mode as its files are; values of C++ ViSQOL 3.3.3."""
    pair = [audio.load(CA01 / name) for name in ("CA01_01.flac", "transcoded_CA01_01.flac")]
    assert [rate_hz for _, rate_hz in pair] == [48_000, 48_000]
    ref, deg = (wave.tobytes() for wave, _ in pair)
    opinion = wrapper._compare(wrapper.Reference(ref, 48_000), deg)
    assert getattr(opinion, mapping) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("metric", "expected", "own"), [(LATTICE, 3.3166, 3.3129), (POLYNOMIAL, 3.3726, 3.3745)]
)
def test_the_conformance_pair_ca01_through_the_metric(metric, expected, own):
    """At 16 kHz: what differs from the files' own rate is the analysis, whose hop and bands follow the rate.

    Every good resampler (soxr from medium quality up, an ideal low-pass, long Kaiser windows) gives 3.3166
    to 3.3168 and 3.3726 to 3.3729; only filters that cut speech below 8 kHz come nearer to 3.3129.
    """
    waves = [
        audio.resample(*audio.load(CA01 / name), metric.sample_rate_hz)
        for name in ("CA01_01.flac", "transcoded_CA01_01.flac")
    ]
    score = metric(*waves)
    assert score == pytest.approx(expected, abs=3e-4)
    assert score == pytest.approx(own, abs=4e-3)


@pytest.mark.parametrize(("metric", "expected"), [(Visqol, 3.312923), (VisqolPolynomial, 3.374506)])
def test_ca01_through_the_metric_at_its_own_rate(metric, expected):
    """All that the class does besides resampling leaves the value of C++ ViSQOL as it is."""
    at_48k = dataclasses.dataclass(frozen=True)(type("At48k", (metric,), {"sample_rate_hz": 48_000}))
    waves = [audio.load(CA01 / name)[0] for name in ("CA01_01.flac", "transcoded_CA01_01.flac")]
    assert at_48k()(*waves) == pytest.approx(expected, abs=1e-4)


def test_both_mappings_share_one_computation():
    wrapper._compare.cache_clear()
    ref = speech_like(1.5)
    deg = with_noise(ref)
    scores = [metric(ref, deg) for metric in (LATTICE, POLYNOMIAL, LATTICE)]
    assert wrapper._compare.cache_info().misses == 1
    assert scores[0] == scores[2] != scores[1]


@pytest.mark.parametrize("metric", LEVELLED)
def test_a_stated_level_makes_scores_independent_of_the_level(metric):
    """Without the normalisation this pair's score moves by up to one point at 0.01 of the level."""
    ref = speech_like(2.0)
    deg = with_noise(ref, 30.0)
    expected = metric(ref, deg)
    for gain in (0.01, 0.1, 1.9):
        assert metric(np.float32(gain) * ref, np.float32(gain) * deg) == pytest.approx(expected, abs=0.02)
    assert metric(ref, np.float32(0.3) * deg) == pytest.approx(expected, abs=0.05)
    assert level_dbfs(ref) != pytest.approx(metric.level, abs=1.0)


def test_order_of_degradations_and_bounds():
    ref = speech_like(2.0)
    for metric in (LATTICE, POLYNOMIAL):
        scores = [metric(ref, deg) for deg in (ref, band_limited(ref), with_noise(ref, 15.0))]
        assert scores == sorted(scores, reverse=True)
        assert all(1.0 <= score <= 5.0 for score in scores)
    assert POLYNOMIAL(ref, ref) == 5.0
    assert 4.0 < LATTICE(ref, ref) < 5.0


def test_aligns_by_itself():
    ref = speech_like(2.0)
    for metric in (LATTICE, POLYNOMIAL):
        assert metric(ref, delayed(ref, 100.0)) == pytest.approx(metric(ref, ref), abs=0.2)


@pytest.mark.parametrize("seconds", [1.5, 4.0])
def test_scores_are_those_of_the_package_to_the_last_bit(seconds):
    """The reference's side is computed once, for whatever degraded waves come, and changes nothing."""
    from visqol import VisqolApi

    wrapper._engine()  # corrects the package's envelope
    package = VisqolApi()
    package.create(mode="speech", use_lattice_model=False)
    ref = speech_like(seconds)
    metric = VisqolPolynomial(max_seconds=2 * seconds)
    nearly = np.nextafter(ref, np.float32(1.0))
    for deg in (ref, nearly, with_noise(ref), band_limited(ref), delayed(ref, 20.0), ref[::-1].copy(), -ref):
        waves = (ref.astype(np.float64), deg.astype(np.float64))
        assert metric._score_part(ref, deg) == package.measure_from_arrays(*waves, sample_rate=16_000).moslqo


def test_is_repeatable():
    ref = speech_like(1.5)
    deg = band_limited(ref)
    first = POLYNOMIAL(ref, deg)
    wrapper._compare.cache_clear()
    assert POLYNOMIAL(ref, deg) == first


def test_long_clips_are_the_mean_of_their_parts():
    ref = speech_like(5.0)
    deg = with_noise(ref)
    metric = VisqolPolynomial(max_seconds=2.0)
    whole = POLYNOMIAL(ref, deg)
    assert metric(ref, deg) == pytest.approx(whole, abs=0.3)
    assert metric(ref, deg) != whole


def test_too_short_is_a_reason():
    ref = speech_like(1.0)[:11_000]
    with pytest.raises(Unscorable, match=r"shorter than 0\.7 s"):
        LATTICE(ref, ref)


def test_a_number_that_is_none_is_a_reason(monkeypatch):
    monkeypatch.setattr(wrapper, "_compare", lambda *_: wrapper.Opinion(np.nan, np.nan))
    with pytest.raises(Unscorable, match="ViSQOL gave no number"):
        POLYNOMIAL(speech_like(1.0), speech_like(1.0))


def test_no_speech_is_a_reason(monkeypatch):
    class Silent:
        def run_from_signals(self, *_, **__):
            raise IndexError

    monkeypatch.setattr(wrapper, "_engine", Silent)
    wrapper._compare.cache_clear()
    with pytest.raises(Unscorable, match="no speech"):
        LATTICE(speech_like(1.0), speech_like(1.0))


def test_a_library_without_the_symbol_is_refused(monkeypatch):
    import visqol.alignment

    monkeypatch.delattr(visqol.alignment, "upper_envelope")
    with pytest.raises(Unavailable, match="no upper_envelope"):
        wrapper._engine.__wrapped__()


def test_says_nothing(caplog, capfd):
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        wrapper._engine.__wrapped__()
        LATTICE(speech_like(1.0, seed=9), speech_like(1.0, seed=9))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_process_prepares_numba_before_the_package_is_imported():
    program = (
        "import sys\n"
        "from codecbench.metrics import visqol\n"
        "def prepare():\n"
        "    print('visqol' in sys.modules, 'numba' in sys.modules)\n"
        "    sys.exit()\n"
        "visqol.prepare_numba = prepare\n"
        "visqol.Visqol().open()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
