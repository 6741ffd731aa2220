"""Weights are looked for without the network, fetched only on demand, and never unpickled."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from codecbench import registry
from codecbench import weights as suite
from codecbench.errors import CodecBenchError, InvalidInput, Unavailable
from codecbench_hub import weights
from codecbench_hub.table import MODELS
from tiny_models import save

DAC = MODELS["dac"]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own caches, and fail it should it open a connection."""
    import huggingface_hub.constants

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv(suite.VARIABLE, raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


def put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_absent_weights_are_reported_at_once(name, places):
    codec = registry.codec(name)
    begun = time.process_time()
    with pytest.raises(Unavailable) as caught:
        codec.check()
    assert time.process_time() - begun < 2
    assert caught.value.remedy == f"run: codecbench weights fetch {name}"
    for place in (
        MODELS[name].repository,
        str(places / "cache/codecbench/weights" / name),
        str(places / "hub"),
    ):
        assert place in caught.value.reason
    assert "\n" not in str(caught.value)


def test_places_in_order(places, monkeypatch):
    snapshot = put(places / "hub/models--descript--dac_16khz/snapshots" / DAC.revision)
    assert weights.find(DAC) == weights.Found(snapshot, DAC.revision)
    cached = put(places / "cache/codecbench/weights/dac")
    assert weights.find(DAC) == weights.Found(cached, None)
    monkeypatch.setenv(suite.VARIABLE, str(places / "mine"))
    assert weights.find(DAC).folder == cached
    assert weights.find(DAC).folder != put(places / "mine/dac")
    assert weights.find(DAC).folder == places / "mine/dac"
    by_hand = put(places / "by-hand")
    assert weights.find(DAC, by_hand).folder == by_hand


def test_another_revision_in_the_cache_is_not_taken(places):
    put(places / "hub/models--descript--dac_16khz/snapshots" / ("0" * 40))
    with pytest.raises(Unavailable):
        weights.find(DAC)


def test_an_unpinned_model_takes_the_commit_that_the_cache_names(places):
    model, commit = MODELS["snac"], "1" * 40
    stored = places / "hub/models--hubertsiuzdak--snac_24khz"
    (stored / "refs/refs/pr").mkdir(parents=True)
    (stored / "refs/refs/pr/1").write_text(commit)
    folder = put(stored / "snapshots" / commit)
    assert weights.find(model) == weights.Found(folder, commit)


def test_a_folder_by_hand_without_a_model_is_an_input_error(places):
    with pytest.raises(InvalidInput, match="no such folder; give a folder saved with save_pretrained"):
        registry.codec(f"dac:{places / 'none'}").check()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt", "weights.pth"])
def test_pickled_weights_are_never_loaded(places, name):
    folder = places / "cache/codecbench/weights/snac"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(Unavailable, match="only pickled weights, which are never loaded"):
        registry.codec("snac").check()


def test_shards_are_found_by_their_index(places):
    folder = places / "sharded"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "one", "b": "two"}}))
    (folder / "one").write_bytes(b"1")
    assert not weights.holds_model(folder)
    (folder / "two").write_bytes(b"2")
    assert weights.holds_model(folder)
    both = "".join(hashlib.sha256(part).hexdigest() for part in (b"1", b"2"))
    assert weights.sha256(folder) == hashlib.sha256(both.encode()).hexdigest()


@pytest.mark.parametrize(
    "index", ["[]", "{", '{"weight_map": {"a": "../escape"}}', '{"weight_map": {"a": 1}}']
)
def test_a_damaged_or_escaping_index_is_refused(places, index):
    (places / "model.safetensors.index.json").write_text(index)
    with pytest.raises(InvalidInput, match="index"):
        weights.files(places)
    assert not weights.holds_model(places)


def test_the_hash_follows_the_file(places):
    folder = put(places / "model")
    before = weights.sha256(folder)
    assert before == hashlib.sha256(b"weights").hexdigest()
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert weights.sha256(folder) == hashlib.sha256(b"other weights").hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Stand in for the hub's client: ``files`` are what it serves, ``asked`` what it was asked for."""
    import huggingface_hub

    state: dict[str, object] = {"files": {"config.json": b"{}", "model.safetensors": b"weights"}, "asked": []}

    def snapshot_download(repository, *, revision, local_dir, allow_patterns):
        state["asked"].append((repository, revision))
        for name, content in state["files"].items():
            (Path(local_dir) / name).write_bytes(content)

    class Api:
        def model_info(self, repository, revision):
            return type("Info", (), {"sha": "2" * 40})

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return state


def test_fetch_takes_the_pinned_commit_and_records_it(hub, places):
    told = []
    folder = suite.fetch("dac", lambda *progress: told.append(progress))
    assert hub["asked"] == [(DAC.repository, DAC.revision)]
    assert folder == places / "cache/codecbench/weights/dac"
    assert weights.find(DAC) == weights.Found(folder, DAC.revision)
    assert told == [("model.safetensors", 7, 7)]
    assert suite.verify("dac") == folder
    registry.codec("dac").check()
    (folder / "model.safetensors").write_bytes(b"tampered")
    with pytest.raises(CodecBenchError, match=r"expected.*remove the folder"):
        suite.verify("dac")


def test_fetch_resolves_an_unpinned_model_once(hub):
    suite.fetch("snac")
    assert hub["asked"] == [("hubertsiuzdak/snac_24khz", "2" * 40)]
    assert f"@{'2' * 40}|sha256:" in registry.codec("snac").signature()


def test_fetch_refuses_other_weights_than_recorded(hub, places):
    with pytest.raises(CodecBenchError, match=r"have sha256 .* was recorded; do not use them"):
        suite.fetch("mimi")
    assert not any((places / "cache/codecbench/weights").iterdir())


def test_fetch_of_pickles_only_leaves_nothing_behind(hub, places):
    hub["files"] = {"config.json": b"{}", "pytorch_model.bin": b""}
    with pytest.raises(Unavailable, match="only pickled weights, which are never loaded; convert the model"):
        suite.fetch("dac")
    assert not any((places / "cache/codecbench/weights").iterdir())


class ConnectError(Exception):
    """What an HTTP library may raise: derived from nothing that the hub's client declares."""


@pytest.mark.parametrize("kind", [OSError, ValueError, ConnectError])
def test_fetch_without_a_connection_is_one_line(kind, monkeypatch, places):
    import huggingface_hub

    def fail(*_, **__):
        raise kind("name resolution failed\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(
        Unavailable, match=r"cannot fetch .*dac_16khz at 7c2fc5e.*: name resolution failed; check"
    ):
        suite.fetch("dac")
    assert not any((places / "cache/codecbench/weights").iterdir())


def test_an_interrupted_fetch_keeps_what_arrived(monkeypatch, places, hub):
    import huggingface_hub

    def interrupt(_repository, *, local_dir, **_):
        (Path(local_dir) / "part").write_bytes(b"half")
        raise OSError("connection lost")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", interrupt)
    with pytest.raises(Unavailable):
        suite.fetch("dac")
    assert (places / "cache/codecbench/weights/dac.partial/part").read_bytes() == b"half"


def test_a_fetch_replaces_what_was_there(hub):
    first = suite.fetch("dac")
    hub["files"] = {"config.json": b"{}", "model.safetensors": b"newer"}
    assert suite.fetch("dac") == first
    assert weights.sha256(first) == hashlib.sha256(b"newer").hexdigest()


def test_listed_with_size_and_licence():
    listed = {source.name: source for source in suite.list_sources()}
    assert set(MODELS) <= set(listed)
    assert listed["mimi"].size == 384_649_828
    assert listed["mimi"].licence == "CC-BY-4.0"


def test_weights_in_the_users_folder_run(places, monkeypatch):
    import numpy as np

    save("dac", places / "mine/dac")
    monkeypatch.setenv(suite.VARIABLE, str(places / "mine"))
    codec = registry.codec("dac")
    codec.check()
    assert codec.encode(np.zeros(640, np.float32), codec.points[0]).codes.shape == (1, 2)


def test_a_library_without_the_class_is_named(monkeypatch, places):
    from codecbench_hub import codec as adapter

    monkeypatch.setattr(adapter, "_version", lambda _: "4.0.0")
    model = replace(DAC, driver="NotThereDriver")
    with pytest.raises(Unavailable, match=r"transformers 4\.0\.0 has no notthere model; update transformers"):
        adapter.HubCodec(model).check()
    with pytest.raises(
        Unavailable, match=r"package nothing_here is not installed; run: pip install 'transformers>=5'"
    ):
        adapter.HubCodec(replace(DAC, package="nothing_here", original="")).check()
