"""The self-test passes here, notices what is wrong, and reports what cannot run."""

from __future__ import annotations

import json

import pytest

from codecbench import registry
from codecbench.errors import InvalidInput, Unavailable, Unscorable
from codecbench.metric import Golden
from codecbench.metrics.mel_distance import MelDistance
from codecbench.metrics.si_sdr import SiSdr
from codecbench.testing import metrics

CHEAP = ["mel-distance", "si-sdr", "stoi", "mcd"]


def test_passes_here():
    results = metrics.selftest(CHEAP)
    assert [result for result in results if not result.passed] == []
    assert {result.name for result in results} == set(CHEAP)
    assert {result.check for result in results if result.name == "stoi"} == {
        "identity",
        "noise",
        "band",
        "swap",
        "delay 100 ms",
        "silent reference",
        "silent degraded",
        "nan",
    }
    assert all(result.seconds >= 0.0 for result in results)


def test_results_can_be_printed_as_json():
    json.dumps([vars(result) for result in metrics.selftest(["mel-distance"])], allow_nan=False)


def test_every_metric_has_golden_values():
    for name in registry.names(registry.METRICS):
        assert isinstance(vars(registry.load(registry.METRICS, name)).get("golden"), Golden), name
        assert registry.metric(name).bibtex.startswith("@"), name


class Wrong(MelDistance):
    def score(self, ref, deg):
        return 1.01 * super().score(ref, deg) + 0.001 * float(abs(ref).mean())


class Failing(MelDistance):
    def score(self, ref, deg):
        raise RuntimeError("no such thing")


class Sentinel(MelDistance):
    def __call__(self, ref, deg):
        try:
            return super().__call__(ref, deg)
        except Unscorable:
            return 0.0


class Missing(SiSdr):
    def check(self):
        raise Unavailable("its library is not installed", "run: pip install it")


def test_notices_a_wrong_value():
    failed = {result.check for result in metrics.check_metric(Wrong()) if not result.passed}
    assert {"noise", "band"} <= failed


def test_notices_a_metric_that_fails():
    results = list(metrics.check_metric(Failing()))
    assert results[0].measured == "RuntimeError: no such thing"
    assert not results[0].passed


def test_notices_a_sentinel():
    failed = {result.check for result in metrics.check_metric(Sentinel()) if not result.passed}
    assert failed == {"silent reference", "silent degraded", "nan"}


def test_reports_what_cannot_run():
    (result,) = metrics.check_metric(Missing())
    assert result.passed is None
    assert result.measured == "its library is not installed; run: pip install it"


def test_a_metric_without_golden_values_gets_the_checks_that_need_none():
    class Foreign(MelDistance):
        name = "foreign"
        golden = None

    results = list(metrics.check_metric(Foreign()))
    assert {result.check for result in results} == {"silent reference", "silent degraded", "nan"}
    assert all(result.passed for result in results)


def test_unknown_metric():
    with pytest.raises(InvalidInput, match="did you mean 'stoi'"):
        metrics.selftest(["stoy"])
