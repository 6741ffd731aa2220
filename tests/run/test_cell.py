"""One cell: true rates, the length contract, lag undone, and a reason for all that fails."""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from codecbench import registry
from codecbench.data.folders import load_dataset
from codecbench.errors import StorageError, Unscorable
from codecbench.metric import NOT_RECIPE, Metric
from codecbench.run.cell import Outcome, Task, compute
from codecbench.run.coding import timed
from codecbench.run.plan import make_plan
from codecbench.store.frame import frame
from codecbench.store.layout import audio_path
from codecbench.store.records import decode_codes, without_timings


@pytest.fixture
def outcomes(folder: Path, fakes: Path):
    def make(codecs: str, metrics: str = "fake-snr", out: Path | None = None) -> dict[str, Outcome]:
        plan = make_plan(load_dataset(str(folder)), codecs, metrics.split(","))
        return {cell.utterance.id: compute(Task(cell, plan.metrics, "cpu", out)) for cell in plan}

    return make


def test_rates_are_those_of_the_payload(outcomes) -> None:
    record = outcomes("fake@32")["quiet-0"].record
    assert record["status"] == "ok"
    assert record["seconds"] == 0.6
    assert record["payload_bytes"] == 2400
    assert record["payload_kbps"] == pytest.approx(32)
    assert record["container_bytes"] == 10
    assert record["container_kbps"] == pytest.approx(0.08 / 0.6)
    assert record["delay_ms"] == 2.5
    assert record["rtf_encode"] == pytest.approx(record["encode_s"] / 0.6)
    assert record["rtf_decode"] > 0
    codes = decode_codes(record["codes"])
    assert codes.shape == (1, 2400)
    assert codes.min() >= 1


def test_a_record_has_the_agreed_fields(outcomes) -> None:
    record = outcomes("fake@32")["quiet-0"].record
    fields = (
        "key utterance speaker seconds codec point nominal_kbps status error payload_bytes container_bytes "
        "payload_kbps container_kbps lag_ms delay_ms encode_s decode_s rtf_encode rtf_decode "
        "inverted lag_note settled_lag_ms settled_inverted scores raw_scores reasons codes "
        "recoded_equal audio batch"
    )
    assert " ".join(record) == fields
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_the_codec_gets_its_own_rate_and_metrics_theirs(outcomes, folder: Path) -> None:
    time = np.arange(44_100) / 44_100
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    (folder / "manifest.csv").unlink()
    for path in folder.glob("*.wav"):
        path.unlink()
    soundfile.write(folder / "tone.wav", np.stack([tone, tone], axis=1), 44_100)
    record = outcomes("fake-8k", "fake-snr,fake-level")["tone"].record
    assert record["seconds"] == 1.0
    assert record["payload_bytes"] == 4000
    # fake-level is the mean magnitude: 2/pi of the amplitude for a sine.
    assert record["scores"]["fake-level"] == pytest.approx(0.5 * 2 / np.pi, rel=0.02)


def test_the_lag_is_measured_and_undone(outcomes) -> None:
    record = outcomes("fake-late:80")["quiet-0"].record
    assert record["lag_ms"] == 5.0
    assert record["raw_scores"]["fake-snr"] < 3
    assert record["scores"]["fake-snr"] > 20
    punctual = outcomes("fake-late:0")["quiet-0"].record
    assert punctual["lag_ms"] == 0
    assert punctual["scores"] == punctual["raw_scores"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("raise", "RuntimeError: cannot encode this"),
        ("length", "the encoder says 9599 samples, 9600 went in"),
        ("packets", "packets of 1 bytes in all do not make up the payload of 4800"),
        ("none", "the encoder gave NoneType, not Coded(payload, length, ...)"),
        ("short", "the decoder gave 9599 samples, 9600 went in"),
        ("nan", "the decoder gave NaN or infinite samples"),
    ],
)
def test_a_faulty_codec_costs_its_cell_only(outcomes, fault: str, error: str) -> None:
    found = outcomes(f"fake-faulty:{fault}@64")
    bad = found.pop("the-loud").record
    assert (bad["status"], bad["error"]) == ("failed", error)
    assert bad["scores"] == {}
    assert bad["payload_kbps"] is None
    assert [item.record["status"] for item in found.values()] == ["ok"] * 4


def test_a_codec_that_cannot_open_is_tried_once(outcomes) -> None:
    codec = registry.load(registry.CODECS, "fake-faulty")
    codec.opened = 0
    found = outcomes("fake-faulty:open@64")
    assert {item.record["error"] for item in found.values()} == {"RuntimeError: no such model"}
    assert codec.opened == 1


def test_a_codec_is_opened_once_and_warmed_up(outcomes) -> None:
    codec = registry.load(registry.CODECS, "fake")
    codec.opened = codec.encoded = 0
    outcomes("fake@64+32")
    assert codec.opened == 1
    # Two points of five utterances, and once to warm up.
    assert codec.encoded == 11


def test_another_version_in_the_worker_is_refused(folder: Path, fakes: Path) -> None:
    plan = make_plan(load_dataset(str(folder)), "fake@64", ["fake-snr"])
    planned = replace(next(iter(plan)), signature="fake|fs:16000|lib:0")
    error = compute(Task(planned, plan.metrics)).record["error"]
    assert error == (
        "codec 'fake' is fake|fs:16000|lib:1 in the worker and fake|fs:16000|lib:0 in the plan; "
        "install the same version everywhere"
    )


def test_every_missing_score_has_its_reason(outcomes, folder: Path) -> None:
    soundfile.write(folder / "quiet-1.wav", np.zeros(9600), 16_000)
    soundfile.write(folder / "quiet-2.wav", np.full(100, 0.1), 16_000)
    found = outcomes("fake@64", "fake-snr,fake-level,fake-raise,fake-missing")
    for ident, level, raising in (
        ("quiet-0", None, "never can"),
        ("quiet-1", "reference is silent", "reference is silent"),
        ("quiet-2", "shorter than 0.2 s", "never can"),
        ("the-loud", None, "ValueError: bad luck"),
    ):
        record = found[ident].record
        assert record["status"] == "ok"
        assert record["reasons"].get("fake-level") == level
        assert (record["scores"]["fake-level"] is None) == (level is not None)
        assert record["reasons"]["fake-raise"] == raising
        assert record["scores"]["fake-raise"] is None
        assert record["reasons"]["fake-missing"] == "unavailable: its library is not here; run: install it"


def test_an_unreadable_reference_is_a_failure_with_its_reason(outcomes, folder: Path) -> None:
    (folder / "quiet-0.wav").write_text("this is text")
    record = outcomes("fake@64")["quiet-0"].record
    assert record["status"] == "failed"
    assert "quiet-0.wav: not readable audio" in record["error"]


def test_a_reference_that_changes_after_planning_is_a_failure(folder: Path, fakes: Path) -> None:
    plan = make_plan(load_dataset(str(folder)), "fake@64", ["fake-snr"])
    cells = list(plan)
    paths = [cell.utterance.path for cell in cells[:2]]
    paths[0].write_bytes(paths[1].read_bytes())
    record = compute(Task(cells[0], plan.metrics)).record
    assert record["status"] == "failed" and f"{paths[0]}: has changed since the run began" in record["error"]


def test_speech_is_kept_before_the_record(outcomes, tmp_path: Path) -> None:
    record = outcomes("fake-8k", out=tmp_path)["quiet-0"].record
    assert record["audio"] == "audio/fake-8k@32/quiet-0.flac"
    decoded, rate_hz = soundfile.read(tmp_path / record["audio"])
    assert (rate_hz, decoded.size) == (16_000, 9600)
    reference, rate_hz = soundfile.read(tmp_path / "audio/reference/quiet-0.flac")
    assert (rate_hz, reference.size) == (16_000, 9600)


def test_paths_of_kept_speech_are_safe() -> None:
    assert audio_path("spc:best", "7.5", "a") == "audio/spc-best@7.5/a.flac"
    assert audio_path("../x", "..", "../../etc/passwd") == "audio/-x@-/-..-etc-passwd.flac"
    assert audio_path("folder:a b", "6", "a") != audio_path("folder:a-b", "6", "a")
    assert max(map(len, audio_path("x" * 300, "y" * 300, "z" * 300).split("/"))) < 255


def test_a_full_disk_stops_instead_of_counting_as_a_failure(outcomes, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        outcomes("fake@64", out=tmp_path)


def test_decoded_files_are_scored_without_coding(outcomes, folder: Path, tmp_path: Path) -> None:
    decoded = tmp_path / "decoded"
    decoded.mkdir()
    for number in range(4):
        wave, _ = soundfile.read(folder / f"quiet-{number}.wav", dtype="float32")
        soundfile.write(decoded / f"quiet-{number}.flac", wave[::2], 8_000)
    found = outcomes(f"folder:{decoded}@6")
    record = found["quiet-0"].record
    assert (record["codec"], record["point"], record["nominal_kbps"]) == ("folder:decoded", "6", 6)
    assert record["payload_bytes"] is None
    assert record["scores"]["fake-snr"] > 0
    assert "has no file for the-loud" in found["the-loud"].record["error"]


def test_time_in_codecs_and_metrics_is_counted(outcomes) -> None:
    outcome = outcomes("fake@64")["quiet-0"]
    assert outcome.busy_s > outcome.record["encode_s"] + outcome.record["decode_s"]


def test_a_cell_is_a_pure_function(outcomes) -> None:
    first, second = (outcomes("fake@64,fake-late:40", "fake-snr,fake-level") for _ in range(2))
    for ident in first:
        assert without_timings(first[ident].record) == without_timings(second[ident].record)


def test_debugging_shows_the_traceback(outcomes, monkeypatch, capsys) -> None:
    monkeypatch.setenv("CODECBENCH_DEBUG", "1")
    outcomes("fake-faulty:raise@64")
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.delenv("CODECBENCH_DEBUG")
    outcomes("fake-faulty:raise@64")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("device", "present", "times"),
    [("cuda:0", True, 2), ("mps", True, 2), ("cpu", True, 0), ("cuda", False, 0)],
)
def test_devices_are_synchronised(monkeypatch, device, present, times) -> None:
    calls = []
    accelerator = SimpleNamespace(is_available=lambda: present, synchronize=calls.append)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(accelerator=accelerator))
    assert timed(device, lambda: 7)[0] == 7
    assert calls == [device] * times


@dataclass(frozen=True)
class Rate(Metric):
    """Loud tenths of a second of the decoded wave over those of the reference."""

    name = "rate"
    label = "Rate"
    unit = ""
    higher_is_better = False
    sample_rate_hz = 16_000
    value_range = (0.0, 1e9)
    of: float = 7.0

    def score(self, ref, deg) -> float:
        return 3.0 / self.of

    def weight(self, ref) -> float:
        assert not ref.flags.writeable
        return self.of


@pytest.mark.parametrize(
    ("of", "weights", "why"),
    [(7.0, {"rate": 7.0}, None), (1.0, None, None), (-2.0, None, "rate gave the weight -2.0, not a finite")],
)
def test_a_rate_keeps_what_it_is_a_share_of(folder: Path, fakes: Path, of, weights, why) -> None:
    (cell, *_) = make_plan(load_dataset(str(folder)), "fake@32", ["fake-snr"])
    record = compute(Task(cell, (Rate(of=of),))).record
    assert record.get("weights") == weights
    assert record["scores"] == {"rate": None if why else 3.0 / of}
    assert why is None or why in record["reasons"]["rate"]
    (row,) = frame([record], {"codecs": {}, "metrics": ["rate"], "utterances": []}).to_dict("records")
    assert row["weight:rate"] == (weights or {}).get("rate", 1.0)


@dataclass(frozen=True)
class Spoken(Metric):
    """A metric that is told of the utterance: how many characters its text has."""

    name = "spoken"
    label = "Spoken"
    unit = ""
    higher_is_better = False
    sample_rate_hz = 16_000
    value_range = (0.0, 1e9)
    text: str = field(default="", metadata=NOT_RECIPE)
    renamed: str = ""

    def knowing(self, about) -> Metric:
        return replace(Rate(), of=2.0) if self.renamed else replace(self, text=about.get("text", ""))

    def score(self, ref, deg) -> float:
        if not self.text:
            raise Unscorable("no text")
        return float(len(self.text))


def test_metrics_are_told_what_the_set_says_of_the_utterance(folder: Path, fakes: Path) -> None:
    (folder / "manifest.csv").write_text("file,speaker,text\nquiet-0.wav,a,four\nquiet-1.wav,b,\n")
    metric = Spoken()
    told, untold = (
        compute(Task(cell, (metric,))).record
        for cell in make_plan(load_dataset(str(folder)), "fake@32", ["fake-snr"])
    )
    assert (told["scores"], untold["scores"]) == ({"spoken": 4.0}, {"spoken": None})
    assert untold["reasons"] == {"spoken": "no text"}
    assert metric.signature() == "spoken|renamed:|fs:16000|resample:soxr-hq|v:1"


def test_a_metric_that_becomes_another_costs_its_score(folder: Path, fakes: Path) -> None:
    (cell, *_) = make_plan(load_dataset(str(folder)), "fake@32", ["fake-snr"])
    record = compute(Task(cell, (Spoken(renamed="yes"),))).record
    assert record["scores"] == {"spoken": None}
    assert record["reasons"] == {"spoken": "knowing() of spoken gave Rate, not the same metric"}
