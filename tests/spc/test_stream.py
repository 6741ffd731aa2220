"""Streaming: any chunks give the tokens and samples of the whole, with the delay that is stated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecbench_spc.codec import Rvq, Spc, SpectrogramCodec
from codecbench_spc.model.consistency import ConsistencyStream, synthesise
from codecbench_spc.model.mel import exact_mel, log_mel
from codecbench_spc.model.quantizer import TOKEN_BITS
from codecbench_spc.model.synthesis import SynthesisConfig
from codecbench_spc.model.vocoder import Vocoder, VocoderConfig
from codecbench_spc.stream import StreamDecoder, StreamEncoder, delay_samples


@pytest.fixture(scope="module", params=[(Spc, "spc"), (Rvq, "rvq"), (Spc, "spc-vocoder")])
def codec(request: pytest.FixtureRequest, tiny_checkpoints: Path) -> SpectrogramCodec:
    kind, name = request.param
    made: SpectrogramCodec = kind(str(tiny_checkpoints / f"{name}.safetensors"))
    made.open()
    return made


def in_chunks(codec: SpectrogramCodec, wave: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and samples of a wave that arrives in chunks of these sizes, over and over."""
    encoder, decoder = codec.stream_encoder(codec.points[0]), codec.stream_decoder(codec.points[0])
    tokens, samples, position, turn = [], [], 0, 0
    while position < len(wave):
        tokens.append(encoder.push(wave[position : position + sizes[turn % len(sizes)]]))
        samples.append(decoder.push(tokens[-1]))
        position += sizes[turn % len(sizes)]
        turn += 1
    tokens.append(encoder.flush())
    samples += [decoder.push(tokens[-1]), decoder.flush()]
    return np.concatenate(tokens, axis=1), np.concatenate(samples)


@torch.inference_mode()
def at_once(codec: SpectrogramCodec, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and samples by the models' own offline path, which knows no streams."""
    models = codec._opened()
    bits = int(codec.points[0].settings["bits"])
    tokens = models.vqvae.encode(log_mel(torch.from_numpy(wave)[None].double()), bits)
    mel = exact_mel(models.vqvae.decode(tokens, bits))
    if models.vocoder is not None:
        return tokens[0].numpy(), models.vocoder(mel.float())[0].numpy()
    return tokens[0].numpy(), synthesise(mel[0], codec._synthesis)


def test_several_at_once_are_the_same(codec: SpectrogramCodec, monkeypatch) -> None:
    """Of other lengths, none among them, and longer than what is worked on at a time."""
    monkeypatch.setattr("codecbench_spc.codec.CHUNK_COLUMNS", 8)
    random = np.random.default_rng(3)
    waves = [(0.1 * random.standard_normal(n)).astype(np.float32) for n in (9_000, 0, 4_097, 8_192, 1)]
    for point in codec.points:
        single = [codec.encode(wave, point) for wave in waves]
        for one, other in zip(codec.encode_batch(waves, point), single, strict=True):
            assert (one.payload, one.packet_bytes, one.length) == (
                other.payload,
                other.packet_bytes,
                other.length,
            )
            assert np.array_equal(one.codes, other.codes)
        for wave, coded in zip(codec.decode_batch(single, point), single, strict=True):
            assert np.array_equal(wave, codec.decode(coded, point))


def closeness(codec: SpectrogramCodec) -> float:
    """How far samples may be from those of the whole: not at all without a vocoder."""
    return 1e-4 if codec._opened().vocoder is not None else 0.0


def lookahead(codec: SpectrogramCodec) -> int:
    vocoder = codec._opened().vocoder
    return codec._synthesis.lookahead if vocoder is None else vocoder.lookahead


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(1, 6000), sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=4))
def test_any_chunks_give_what_the_whole_gives(
    length: int, sizes: list[int], codec: SpectrogramCodec, noise: np.ndarray
) -> None:
    wave = noise[:length]
    sizes = [max(size, length // 12) for size in sizes]
    tokens, samples = in_chunks(codec, wave, sizes)
    expected_tokens, expected_samples = at_once(codec, wave)
    np.testing.assert_array_equal(tokens, expected_tokens)
    assert len(samples) == len(expected_samples)
    np.testing.assert_allclose(samples, expected_samples, rtol=0.0, atol=closeness(codec))


@pytest.mark.parametrize("size", [1, 37, 512, 50_000])
def test_small_and_large_chunks(size: int, codec: SpectrogramCodec, noise: np.ndarray) -> None:
    wave = noise[: min(10_000, 40 * size + 1000)]
    tokens, samples = in_chunks(codec, wave, [size])
    expected_tokens, expected_samples = at_once(codec, wave)
    np.testing.assert_array_equal(tokens, expected_tokens)
    np.testing.assert_allclose(samples, expected_samples, rtol=0.0, atol=closeness(codec))


def test_columns_leave_as_soon_as_their_samples_are_there(codec: SpectrogramCodec, noise: np.ndarray) -> None:
    encoder = codec.stream_encoder(codec.points[0])
    given_columns = [encoder.push(noise[n : n + 1]).shape[1] for n in range(1300)]
    # Patch p needs the samples up to 512 p + 704.
    assert np.flatnonzero(given_columns).tolist() == [703, 1215]


def test_samples_leave_as_soon_as_their_tokens_are_there(codec: SpectrogramCodec) -> None:
    decoder = codec.stream_decoder(codec.points[0])
    rows = codec.stream_encoder(codec.points[0]).flush().shape[0]
    sizes = [len(decoder.push(np.zeros((rows, 1), dtype=np.int64))) for _ in range(3)]
    late = 128 * lookahead(codec)
    assert [*sizes, len(decoder.flush())] == [512 - late, 512, 512, late]


def test_an_empty_stream_is_empty(codec: SpectrogramCodec) -> None:
    encoder, decoder = codec.stream_encoder(codec.points[0]), codec.stream_decoder(codec.points[0])
    tokens = encoder.flush()
    assert tokens.shape[1] == 0
    assert len(decoder.push(tokens)) == 0


def first_difference(one: torch.Tensor, other: torch.Tensor) -> int:
    """First place on the last axis at which two results differ."""
    return int((one != other).flatten(0, -2).any(dim=0).nonzero()[0])


def test_the_delay_of_a_stream_is_the_stated_one(codec: SpectrogramCodec, noise: np.ndarray) -> None:
    """Sample by sample in: how many have been pushed when an output sample leaves, less its own place."""
    encoder, decoder = codec.stream_encoder(codec.points[0]), codec.stream_decoder(codec.points[0])
    given_out, delay = 0, 0
    for pushed in range(1, 3000):
        samples = len(decoder.push(encoder.push(noise[pushed - 1 : pushed])))
        if samples:
            delay = max(delay, pushed - given_out)
            given_out += samples
    assert given_out == 5 * 512 - 128 * lookahead(codec)
    assert delay == delay_samples(lookahead(codec))
    assert codec.info.algorithmic_delay_ms == delay / 16 == (76.0 if codec._opened().vocoder else 60.0)


def lead(
    codec: SpectrogramCodec, decode: Callable[[torch.Tensor], torch.Tensor], noise: np.ndarray, step: int
) -> int:
    """Change one input sample, for phases all over a patch, and look for the first output sample that moves.

    The map before quantization tells which column moves first, since a token need not move with one sample;
    the column's tokens are then changed to see the first output sample.  Returns how many samples later than
    an output sample an input sample may come that moves it.
    """
    vqvae = codec._opened().vqvae
    wave = torch.from_numpy(noise[:4096])[None].double()
    original = vqvae.analyse(log_mel(wave), TOKEN_BITS.index(6))
    tokens = vqvae.encode(log_mel(wave), 6)
    sound = decode(tokens)
    first_output = {}
    for column in range(3, 6):
        changed = tokens.clone()
        changed[:, :, column] ^= 1
        first_output[column] = first_difference(sound, decode(changed))
    leads = []
    # The last sample of a patch that its column needs lies 703 after the first: 191 of the next but one.
    for place in [*range(2048, 2560, step), 2048 + 191]:
        wave[0, place] += 0.25
        column = first_difference(original, vqvae.analyse(log_mel(wave), TOKEN_BITS.index(6)))
        leads.append(place - first_output[column])
        wave[0, place] -= 0.25
    return max(leads)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [0, 1, 2])
def test_a_changed_sample_moves_the_output_the_stated_delay_before_it(
    frames: int, tiny_spc: Path, noise: np.ndarray
) -> None:
    codec = Spc(str(tiny_spc))
    config = SynthesisConfig(lookahead=frames, steps=4)

    def decode(tokens: torch.Tensor) -> torch.Tensor:
        mel = exact_mel(codec._opened().vqvae.decode(tokens, 6))
        return torch.from_numpy(synthesise(mel[0], config))[None]

    # An output sample that the input sample 959 later still moves has a delay of 960 samples.
    assert lead(codec, decode, noise, 32) + 1 == delay_samples(frames) == 704 + 128 * frames


@torch.inference_mode()
@pytest.mark.parametrize(
    ("generator", "unused"), [("hifigan", 0), ("istft-hifigan", 1), ("convnext-istft", 65)]
)
def test_vocoders_need_no_more_than_their_lookahead(
    generator: str, unused: int, tiny_spc: Path, noise: np.ndarray
) -> None:
    """HiFi-GAN uses it all; windows that begin at zero and the inverse STFT leave some unused."""
    codec = Spc(str(tiny_spc))
    torch.manual_seed(1)
    vocoder = Vocoder(VocoderConfig(generator=generator, channels=32, blocks=2)).eval()

    def decode(tokens: torch.Tensor) -> torch.Tensor:
        return vocoder(codec._opened().vqvae.decode(tokens, 6).float())

    step = 1 if generator == "convnext-istft" else 32
    assert lead(codec, decode, noise, step) + 1 == delay_samples(4) - unused


def test_no_token_comes_from_a_later_sample(codec: SpectrogramCodec, noise: np.ndarray) -> None:
    """End to end: what follows a sample may be anything without a change in the output a delay before it."""
    stated = delay_samples(lookahead(codec))
    point = codec.points[0]
    original = codec.decode(codec.encode(noise[:6000], point), point)
    for place in range(2000, 2520, 65):
        moved = noise[:6000].copy()
        moved[place:] *= -0.5
        output = codec.decode(codec.encode(moved, point), point)
        np.testing.assert_array_equal(output[: place - stated + 1], original[: place - stated + 1])
        assert (output != original).any()


def test_two_streams_do_not_disturb_each_other(codec: SpectrogramCodec, noise: np.ndarray) -> None:
    first, second = codec.stream_encoder(codec.points[0]), codec.stream_encoder(codec.points[0])
    mixed = []
    for start in range(0, 8192, 1024):
        mixed.append(first.push(noise[start : start + 1024]))
        second.push(noise[20_000 + start : 20_000 + start + 1024])
    alone = codec.stream_encoder(codec.points[0])
    whole = np.concatenate([alone.push(noise[:8192]), alone.flush()], axis=1)
    np.testing.assert_array_equal(np.concatenate([*mixed, first.flush()], axis=1), whole)


def test_streams_work_without_the_codec(codec: SpectrogramCodec, noise: np.ndarray) -> None:
    vqvae = codec._opened().vqvae
    encoder = StreamEncoder(vqvae, 6)
    tokens = np.concatenate([encoder.push(noise[:5000]), encoder.flush()], axis=1)
    decoder = StreamDecoder(vqvae, 6, ConsistencyStream(SynthesisConfig(steps=2)))
    assert len(decoder.push(tokens)) + len(decoder.flush()) == 512 * 10
