import csv

import numpy as np
import pytest
import soundfile
import torch

from codecbench.errors import InvalidInput, Unavailable
from codecbench_spc.training.data import SpeechBatches, SpeechCache, training_folder, validation_waves
from codecbench_spc.training.recipe import DataConfig
from spc_corpus import SOURCES, write_corpus


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = write_corpus(tmp_path_factory.mktemp("corpus"))
    return DataConfig(
        folder=str(folder),
        cache=str(folder / "cache"),
        sources=SOURCES,
        held_out=2,
        held_out_others=1,
        validation_utterances=4,
    )


def batches_of(config, key=(1, 2, 0)):
    return SpeechBatches(SpeechCache(config), config, key, batch_size=4, segment_frames=32)


def test_batches_depend_on_key_and_step_alone(config):
    first, second = batches_of(config), batches_of(config)
    batch = first.batch(7)
    first.batch(8)
    assert torch.equal(first.batch(7), batch)
    assert torch.equal(second.batch(7), batch)
    assert not torch.equal(second.batch(8), batch)
    assert not torch.equal(batches_of(config, (1, 2, 1)).batch(7), batch)
    assert batch.shape == (4, 32 * 128)
    assert batch.dtype == torch.float32
    assert float(batch.abs().max()) < 1.0


def test_held_out_speech_is_never_drawn(config):
    cache = SpeechCache(config)
    held_out = {u.file for u in cache.utterances if u.held_out}
    assert len(held_out) == 3
    batches = batches_of(config)
    assert held_out.isdisjoint(u.file for pool in batches.pools for u in pool)
    assert len(validation_waves(cache, config)) == 3


def test_cache_holds_the_samples(config):
    cache = SpeechCache(config)
    for utterance in (cache.utterances[0], cache.utterances[11]):
        wave, _ = soundfile.read(f"{config.folder}/{utterance.file}", dtype="float32")
        np.testing.assert_array_equal(cache.wave(utterance), wave)
        np.testing.assert_array_equal(cache.wave(utterance, 100, 50), wave[100:150])


def test_level_and_speed_vary(config):
    levels = torch.cat([batches_of(config).batch(step).square().mean(dim=1) for step in range(12)])
    assert float(10 * torch.log10(levels.max() / levels.min())) > 10.0
    calm = DataConfig(**{**vars(config), "gain_db": (0.0, 0.0), "speed_probability": 0.0})
    wave = batches_of(calm).batch(0)[0].numpy()
    cache = SpeechCache(calm)
    pieces = [np.lib.stride_tricks.sliding_window_view(cache.wave(u), 4096) for u in cache.utterances]
    assert any(np.abs(views - wave).max(axis=1).min() < 1e-6 for views in pieces)


def test_missing_or_unfit_speech_is_named(config, tmp_path):
    with pytest.raises(Unavailable, match=r"manifest.csv does not exist; set CODECBENCH_SPEECH"):
        training_folder(DataConfig(folder=str(tmp_path)))
    with pytest.raises(InvalidInput, match="no utterance of the sources Nobody"):
        SpeechCache(DataConfig(folder=config.folder, sources={"Nobody": 1.0}))
    soundfile.write(tmp_path / "a.wav", np.zeros((800, 2)), 8000)
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "speaker", "source"], ["a.wav", "x", "y"]])
    with pytest.raises(InvalidInput, match="16 kHz mono, not 8000 Hz, 2 axes"):
        SpeechCache(DataConfig(folder=str(tmp_path), cache=str(tmp_path / "c"), held_out=0))


def test_the_environment_names_the_folder(config, monkeypatch, tmp_path):
    write_corpus(tmp_path / "train")
    monkeypatch.setenv("CODECBENCH_SPEECH", str(tmp_path))
    assert training_folder(DataConfig()) == tmp_path / "train"
