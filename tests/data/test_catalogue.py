"""The registered sets: the demo set's files, the sources' fields, and a download that becomes a `Dataset`."""

from __future__ import annotations

import collections
import csv
import dataclasses
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench import audio, registry
from codecbench.data import catalogue
from codecbench.data.folders import load_dataset
from codecbench.data.sets import DatasetSource
from codecbench.errors import Unavailable
from codecbench.metric import level_dbfs

DEMO = Path(catalogue.__file__).with_name("demo")
DOWNLOADS = [
    catalogue.librispeech_test_clean,
    catalogue.librispeech_test_other,
    catalogue.librispeech_dev_clean,
    catalogue.libritts_test_clean,
    catalogue.vctk,
]


def test_demo_is_small_real_speech_of_many_speakers() -> None:
    demo = load_dataset("demo")
    assert not demo.synthetic
    assert (demo.name, demo.licence) == ("demo", "CC-BY-4.0")
    assert len(demo.utterances) == len({item.speaker for item in demo.utterances}) == 16
    assert sum(path.stat().st_size for path in DEMO.iterdir() if path.is_file()) < 2_500_000
    for item in demo.utterances:
        assert soundfile.info(item.path).subtype == "PCM_16"
        wave, rate_hz = audio.load(item.path)
        assert rate_hz == 16_000
        assert 3.0 <= wave.size / rate_hz <= 6.0
        assert -40 < level_dbfs(wave) < -15
        assert np.abs(wave).max() < 0.99


def test_demo_manifest_describes_each_file() -> None:
    with (DEMO / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {path.name for path in DEMO.glob("*.flac")}
    assert collections.Counter(row["gender"] for row in rows) == {"female": 8, "male": 8}
    for row in rows:
        assert row["file"].split("-")[0] == row["speaker"]
        assert float(row["seconds"]) == pytest.approx(audio.seconds(DEMO / row["file"]), abs=0.006)
        assert row["licence"] == "CC-BY-4.0"
        assert row["source"] in {"LibriSpeech test-clean", "LibriSpeech test-other"}


def test_demo_says_whose_speech_it_is() -> None:
    text = (DEMO / "README.md").read_text()
    assert "Panayotov" in text and "https://creativecommons.org/licenses/by/4.0/" in text
    total_s = sum(audio.seconds(path) or 0 for path in DEMO.glob("*.flac"))
    assert f"{total_s:.0f} seconds" in text
    assert f"{total_s:.0f} s" in catalogue.demo().description


def test_demo_is_what_its_script_makes(speech_dir: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts" / "make_demo.py"
    subprocess.run([sys.executable, script, speech_dir / "test", tmp_path], check=True)
    assert (tmp_path / "manifest.csv").read_text("utf-8") == (DEMO / "manifest.csv").read_text("utf-8")
    for made in tmp_path.glob("*.flac"):
        np.testing.assert_array_equal(soundfile.read(made)[0], soundfile.read(DEMO / made.name)[0])


def test_every_registered_set_is_a_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODECBENCH_DATA", str(tmp_path))
    for name in registry.names(registry.DATASETS):
        source = registry.load(registry.DATASETS, name)()
        assert isinstance(source, DatasetSource)
        assert source.name == name
        assert source.description
        assert source.licence
        if source.size_bytes:
            with pytest.raises(Unavailable, match=f"not downloaded .*codecbench run --data {name}"):
                source.check()
        else:
            source.check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", DOWNLOADS)
def test_downloads_are_pinned_by_sha256(make) -> None:
    source = make()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", source.known_hash)
    assert source.size_bytes > 300_000_000
    assert all(url.startswith("https://") for url in source.urls)
    assert len(source.urls) >= 2


# The sums in torchaudio's librispeech.py, libritts.py and vctk.py, which hash the same archives.
PINNED = {
    "librispeech-test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    "librispeech-test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
    "librispeech-dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    "libritts-test-clean": "234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5",
    "vctk": "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
}


def test_hashes_are_the_published_ones() -> None:
    assert {make().name: make().known_hash for make in DOWNLOADS} == {
        name: f"sha256:{value}" for name, value in PINNED.items()
    }


def _flac(seed: int) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 1600)
    soundfile.write(buffer, noise, 16_000, format="FLAC")
    return buffer.getvalue()


def _serve(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make, archive: bytes
) -> tuple[ThreadingHTTPServer, DatasetSource]:
    """Put an archive where the registered source of that name finds it."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "archive").write_bytes(archive)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served")))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    source = dataclasses.replace(
        make(),
        urls=(f"http://127.0.0.1:{server.server_port}/archive",),
        known_hash=f"sha256:{hashlib.sha256(archive).hexdigest()}",
        size_bytes=len(archive),
    )
    monkeypatch.setenv("CODECBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(registry, "load", lambda group, name: lambda: source)
    return server, source


def test_librispeech_layout_becomes_a_dataset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["1089/134686/1089-134686-0000", "1089/134691/1089-134691-0001", "121/121726/121-121726-0003"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        members = {f"LibriSpeech/test-clean/{name}.flac": _flac(index) for index, name in enumerate(names)}
        members["LibriSpeech/README.TXT"] = b"about"
        members["LibriSpeech/test-clean/121/121726/121-121726.trans.txt"] = b"121-121726-0003 ALSO\n"
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    server, source = _serve(monkeypatch, tmp_path, catalogue.librispeech_test_clean, buffer.getvalue())
    try:
        dataset = load_dataset("librispeech-test-clean")
    finally:
        server.shutdown()
        server.server_close()
    assert {item.id: item.speaker for item in dataset.utterances} == {
        "1089-134686-0000": "1089",
        "1089-134691-0001": "1089",
        "121-121726-0003": "121",
    }
    assert [item.about.get("text") for item in dataset.utterances] == [None, None, "ALSO"]
    assert dataset.name == "librispeech-test-clean"
    assert dataset.licence == "CC-BY-4.0"
    assert not dataset.synthetic
    assert audio.load(dataset.utterances[0].path)[0].size == 1600
    assert (tmp_path / "data" / "librispeech-test-clean" / "LibriSpeech" / "README.TXT").is_file()
    source.check()
    assert load_dataset("librispeech-test-clean") == dataset  # the server is gone: nothing is fetched again


def test_vctk_layout_keeps_the_first_microphone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for index, name in enumerate(("p225/p225_001_mic1", "p225/p225_001_mic2", "s5/s5_002_mic1")):
            made.writestr(f"wav48_silence_trimmed/{name}.flac", _flac(index))
        made.writestr("speaker-info.txt", "ID AGE")
    server, _ = _serve(monkeypatch, tmp_path, catalogue.vctk, buffer.getvalue())
    try:
        dataset = load_dataset("vctk")
    finally:
        server.shutdown()
        server.server_close()
    assert {item.id: item.speaker for item in dataset.utterances} == {
        "p225_001_mic1": "p225",
        "s5_002_mic1": "s5",
    }


def test_data_folder_is_the_environments_or_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CODECBENCH_DATA", str(tmp_path))
    assert catalogue.data_folder() == tmp_path
    monkeypatch.delenv("CODECBENCH_DATA")
    assert catalogue.data_folder().parts[-2:] == ("codecbench", "datasets")
