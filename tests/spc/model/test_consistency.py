"""Samples made to agree with a mel: the stated iteration, bounded and finite whatever it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecbench_spc.codec import Spc
from codecbench_spc.model import consistency, consistency_kernel
from codecbench_spc.model.consistency import ConsistencyStream, largest_sample, loudest, synthesise
from codecbench_spc.model.mel import LOG_FLOOR, SILENCE, exact_mel, log_mel, mel_filterbank
from codecbench_spc.model.synthesis import SynthesisConfig

BANK = mel_filterbank(512, 80)
HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(512) / 512)


def by_the_book(
    signal: np.ndarray, wanted: np.ndarray, given_out: int, config: SynthesisConfig
) -> np.ndarray:
    """One block as the module's text has it, in double precision, frame by frame."""
    windows = np.zeros(1408)
    unit = BANK / BANK.sum(axis=0)
    ahead, signal = signal.copy(), signal.copy()
    for step in range(config.steps):
        made = np.zeros(1408)
        windows[:] = 0.0
        for frame in range(8):
            part = slice(128 * frame, 128 * frame + 512)
            spectrum = np.fft.rfft(HANN * ahead[part])
            ratio = np.minimum(
                wanted[:, frame] / np.maximum(np.abs(spectrum) @ BANK, LOG_FLOOR),
                consistency.FIRST_MOST if step == 0 else consistency.MOST,
            )
            gain = unit @ ratio / np.maximum(unit.sum(axis=1), 1e-12)
            made[part] += HANN * np.fft.irfft(gain * spectrum)
            windows[part] += HANN**2
        new = made / np.maximum(windows, consistency.LEAST_WINDOWS)
        new[:given_out] = signal[:given_out]
        ahead = new + config.momentum * (new - signal)
        signal = new
    return signal


@pytest.mark.parametrize("lookahead", [0, 2])
def test_a_block_is_what_the_text_says(lookahead: int, noise: np.ndarray) -> None:
    config = SynthesisConfig(steps=5, lookahead=lookahead)
    mel = log_mel(torch.from_numpy(noise[:2048])[None].double())[0]
    stream = ConsistencyStream(config)
    parts = [stream.push(mel[:, start : start + 4]) for start in (0, 4)]
    before = stream._signal.T.reshape(-1).astype(np.float64)
    parts.append(stream.push(mel[:, 8:12]))
    rng = np.random.default_rng(0)
    fresh = [rng.standard_normal((4, 128), dtype=np.float32) for _ in range(3)][-1]
    start = np.concatenate([before[512:], consistency.START_LEVEL * fresh.reshape(-1)])
    given_out = 704 - 128 * lookahead
    expected = by_the_book(start, np.exp(mel[:, 4:12].numpy()), given_out, config)
    np.testing.assert_allclose(parts[-1], expected[given_out : given_out + 512], atol=2e-4)
    assert np.abs(parts[-1]).max() > 0.01


def test_each_bin_belongs_to_two_bands_at_most() -> None:
    first, to_lower, to_upper, _, _ = consistency_kernel.band_pairs()
    rebuilt = np.zeros_like(BANK)
    rows = np.arange(257)
    rebuilt[rows, first], rebuilt[rows, first + 1] = to_lower, to_upper
    np.testing.assert_allclose(rebuilt, BANK, atol=1e-8)


def test_the_result_has_the_wanted_mel(speech: list[np.ndarray]) -> None:
    mel = log_mel(torch.from_numpy(speech[0][:32_000])[None].double())
    distances = []
    for steps in (2, 8, 32):
        wave = synthesise(mel[0], SynthesisConfig(steps=steps))
        made = log_mel(torch.from_numpy(wave)[None].double())[:, :, : mel.shape[2]]
        loud = mel > mel.max() - 7.0
        distances.append(float((made - mel).abs()[loud].mean()))
    assert distances[0] > distances[1] > distances[2]
    assert distances[-1] < 0.15


MELS = st.sampled_from(["noise", "steps", "loud", "silence", "click", "bands"])


def extreme_mel(kind: str, rng: np.random.Generator, patches: int) -> np.ndarray:
    shape = (80, 4 * patches)
    mel = {
        "noise": lambda: rng.uniform(-40.0, 40.0, shape),
        "steps": lambda: np.where(rng.random((1, shape[1])) < 0.5, -11.5, 5.0) + np.zeros(shape),
        "loud": lambda: np.full(shape, 700.0),
        "silence": lambda: np.full(shape, SILENCE),
        "click": lambda: np.where(np.arange(shape[1]) == shape[1] // 2, 9.0, SILENCE) + np.zeros(shape),
        "bands": lambda: np.where(rng.random((80, 1)) < 0.1, 5.0, SILENCE) + np.zeros(shape),
    }[kind]()
    return np.asarray(mel)


@settings(max_examples=40, deadline=None)
@given(
    kind=MELS,
    seed=st.integers(0, 1 << 20),
    steps=st.integers(1, 40),
    lookahead=st.integers(0, 2),
    momentum=st.sampled_from([0.0, 0.9, 1.0]),
)
def test_any_mel_gives_bounded_samples(
    kind: str, seed: int, steps: int, lookahead: int, momentum: float
) -> None:
    mel = torch.from_numpy(extreme_mel(kind, np.random.default_rng(seed), 6))
    stream = ConsistencyStream(SynthesisConfig("consistency", steps, lookahead, momentum, seed))
    for start in range(0, mel.shape[1], 4):
        out = stream.push(mel[:, start : start + 4])
        assert np.isfinite(stream._signal).all()
        assert np.abs(stream._signal).max() <= largest_sample()
        assert np.abs(out).max(initial=0.0) <= 1.0


def test_the_bound_comes_from_the_mel_alone() -> None:
    """A signal of any size is brought within the bound by the first step, and stays there."""
    stream = ConsistencyStream(SynthesisConfig(steps=1, momentum=1.0))
    for scale in (1e12, 1e-12, 0.0):
        stream._signal[:] = scale * np.random.default_rng(1).standard_normal(stream._signal.shape)
        stream._free[:] = True
        stream.push(torch.full((80, 4), 100.0, dtype=torch.float64))
        assert np.abs(stream._signal).max() <= largest_sample()


def test_no_wave_within_full_scale_is_louder_than_the_loudest_mel() -> None:
    rng = np.random.default_rng(2)
    waves = [np.sign(rng.standard_normal(4096)), np.ones(4096), (-1.0) ** np.arange(4096)]
    waves += [np.sign(np.sin(np.arange(4096) * f)) for f in (0.02, 0.2, 1.1)]
    for wave in waves:
        mel = log_mel(torch.from_numpy(wave)[None])[0].exp().numpy()
        assert (mel <= loudest()[:, None]).all()


def test_silence_stays_silent() -> None:
    out = synthesise(torch.full((80, 40), SILENCE, dtype=torch.float64), SynthesisConfig())
    assert np.abs(out).max() < 1e-3


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 20), columns=st.integers(1, 12), sticky=st.booleans())
def test_random_tokens_give_finite_samples(seed: int, columns: int, sticky: bool, tiny_spc: Path) -> None:
    codec = Spc(str(tiny_spc))
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 64, (20, 1 if sticky else columns)) + np.zeros((20, columns), dtype=np.int64)
    decoder = codec.stream_decoder(codec.points[0])
    out = np.concatenate([decoder.push(tokens), decoder.flush()])
    assert out.shape == (512 * columns,)
    assert np.abs(out).max() <= 1.0


def test_streams_with_one_seed_are_alike_and_with_two_are_not(noise: np.ndarray) -> None:
    mel = exact_mel(log_mel(torch.from_numpy(noise[:4096])[None].double()))[0]
    first, again = (synthesise(mel, SynthesisConfig(seed=3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, synthesise(mel, SynthesisConfig(seed=4)))
