"""Metrics against values that others have published for recordings that can be had; see docs/metrics.md.

The recordings are not in the repository.  They are downloaded from pinned commits, or lie in the folder
``$CODECBENCH_PUBLISHED``; either way their hashes decide.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from codecbench import audio, registry
from codecbench.errors import Unavailable
from codecbench.files import sha256
from codecbench.metrics.words import normalise
from codecbench.transfer import download

HOST = "https://raw.githubusercontent.com"
PLC = f"{HOST}/microsoft/PLC-Challenge/3e5266ffbc64628c8f322a2552db9211cb836fab/PLCMOS/example_wavs"
VERSA = f"{HOST}/wavlab-speech/versa/c398480a4f3cc154c911693cea9960f62f9eede2/test/test_samples"
WHISPER = f"{HOST}/SYSTRAN/faster-whisper/65882eee9f5cdbeeb2d877f1131d48cf241b327d/tests/data"
FILES = {
    "clean.wav": (
        f"{PLC}/clean.wav",
        320_044,
        "9215f517a275ffbf6bce7ae8fe9c7e6c9f78743b3ca71b190ad50de861aac556",
    ),
    "plc_good.wav": (
        f"{PLC}/plc_good.wav",
        323_084,
        "03948ba669ac577ab7900360aa6b7cff2993f00e9a2d5ee8ed4a3fb821b14065",
    ),
    "plc_poor.wav": (
        f"{PLC}/plc_poor.wav",
        323_884,
        "a0075cfe73e6245a0a88774feadb2703d817a7a5475b3ae746cf7b54acf614e4",
    ),
    "test1.wav": (
        f"{VERSA}/test1/test.wav",
        32_044,
        "045386a035fd913e1c6b15839943526dbdd6a71d98cbac2b389cafbb2ab5f8cf",
    ),
    "test2.wav": (
        f"{VERSA}/test2/test.wav",
        32_044,
        "7145f619f2796940fce54826fb0e501a0aba674a673304f972533896db990b48",
    ),
    "jfk.flac": (
        f"{WHISPER}/jfk.flac",
        1_152_693,
        "63a4b1e4c1dc655ac70961ffbf518acd249df237e5a0152faae9a4a836949715",
    ),
}
SAID = {
    "jfk.flac": "And so my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
}
"""What the tests of faster-whisper expect; an address of 1961."""
TABLE = Path(__file__).parents[2] / "docs" / "measured" / "published-metrics.csv"
with TABLE.open(newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


def test_the_table_names_metrics_and_recordings_that_there_are():
    assert {row["metric"] for row in ROWS} <= set(registry.names(registry.METRICS))
    assert {row[part] for row in ROWS for part in ("reference", "degraded")} == set(FILES)
    for row in ROWS:
        assert abs(float(row["found"]) - float(row["published"])) <= float(row["tolerance"]), row


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    folder = Path(os.environ.get("CODECBENCH_PUBLISHED", tmp_path_factory.mktemp("published")))

    def at(name: str) -> Path:
        url, size, digest = FILES[name]
        path = folder / name
        if not path.is_file():
            download(url, path, size, None, name)
        assert sha256(path) == digest, f"{path} is another recording than the published value is of"
        return path

    return at


@pytest.mark.network
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['metric']}-{row['degraded']}")
def test_published_values_are_reproduced(recordings, row):
    said = SAID.get(row["reference"], "")
    metric = registry.metric(row["metric"]).knowing({"text": said})
    try:
        metric.check()
        metric.open()
    except Unavailable as error:
        pytest.skip(str(error))
    waves = [
        audio.load_at(recordings(row[part]), metric.sample_rate_hz) for part in ("reference", "degraded")
    ]
    score = metric(*waves)
    assert score == pytest.approx(float(row["published"]), abs=float(row["tolerance"]))
    # What the page prints is what this version gives.
    assert score == pytest.approx(float(row["found"]), abs=1e-3)
    if said:
        assert len(metric.said(waves[0])) == len(normalise(said).split()) == 22
