"""The summary of a run: columns, means, intervals, rates."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from codecbench.analysis import runs
from codecbench.analysis.summary import COLUMNS, summary
from codecbench.store.store import Run

METRICS = ["stoi", "estoi", "pesq-wb", "pesq-nb", "mcd", "visqol", "si-sdr", "mel-distance"]


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return runs.load_runs([run_folder])


@pytest.fixture(scope="module")
def table(run: Run) -> pd.DataFrame:
    return summary(run)


def test_the_columns_are_those_that_scripts_rely_on(table: pd.DataFrame) -> None:
    assert list(COLUMNS) == [
        "codec", "point", "nominal_kbps", "payload_kbps", "declared_kbps", "entropy_kbps", "n", "failures",
        "lag_ms", "delay_ms", "rtf_encode", "rtf_decode",
    ]  # fmt: skip
    wanted = [f"{metric}{part}" for metric in METRICS for part in ("", "_low", "_high", "_n")]
    assert list(table.columns) == [*COLUMNS, *wanted]
    assert len(table) == 25


def test_means_counts_and_rates_are_those_of_the_records(run: Run, table: pd.DataFrame) -> None:
    row = table[(table["codec"] == "opus") & (table["point"] == "6")].iloc[0]
    records = run.records[(run.records["codec"] == "opus") & (run.records["point"] == "6")]
    decoded = records[records["status"] == "ok"]
    assert row["n"] == len(decoded) < len(records)
    assert row["failures"] == len(records) - len(decoded) > 0
    assert row["payload_kbps"] == decoded["payload_bytes"].sum() * 8 / decoded["seconds"].sum() / 1000
    assert row["stoi"] == decoded["stoi"].mean()
    assert row["visqol_n"] == decoded["visqol"].notna().sum() < row["n"]
    assert row["visqol"] == pytest.approx(decoded["visqol"].mean())
    assert row["stoi_low"] < row["stoi"] < row["stoi_high"]
    assert row["rtf_encode"] == pytest.approx(0.01)
    assert math.isnan(row["entropy_kbps"])


def test_the_interval_resamples_speakers(run: Run, table: pd.DataFrame) -> None:
    from codecbench.analysis.bootstrap import bootstrap_mean

    records = run.records[(run.records["codec"] == "lyra") & (run.records["point"] == "6")]
    expected = bootstrap_mean(records["stoi"], records["speaker"].to_numpy(dtype=str), bounds=(-1, 1))
    row = table[(table["codec"] == "lyra") & (table["point"] == "6")].iloc[0]
    assert (row["stoi"], row["stoi_low"], row["stoi_high"]) == tuple(expected)


def test_entropy_stays_below_the_payload_of_a_fixed_length_code(table: pd.DataFrame) -> None:
    coded = table[table["entropy_kbps"].notna()]
    assert set(coded["codec"]) == {"lyra", "encodec", "rvq", "spc"}
    # Four streams of 50 tokens/s over 256 values can carry 1.6 kbit/s at most.
    assert (coded["entropy_kbps"] < 1.6).all()
    assert (coded["entropy_kbps"] > 1.0).all()


def test_a_rate_is_all_errors_over_all_words(run: Run) -> None:
    words = pd.Series(range(len(run.records)), dtype=float) % 17 + 3
    weighted = replace(run, records=run.records.assign(**{"weight:mcd": words}))
    row = summary(weighted).set_index(["codec", "point"]).loc[("lyra", "6")]
    part = weighted.records[(run.records["codec"] == "lyra") & (run.records["point"] == "6")]
    part = part[part["mcd"].notna()]
    errors = part["mcd"] * part["weight:mcd"]
    assert row["mcd"] == pytest.approx(errors.sum() / part["weight:mcd"].sum())
    by_speaker = summary(weighted, by_speaker=True).set_index(["codec", "point"]).loc[("lyra", "6")]
    rates = errors.groupby(part["speaker"]).sum() / part["weight:mcd"].groupby(part["speaker"]).sum()
    assert by_speaker["mcd"] == pytest.approx(rates.mean())
