"""Every hub model, tiny and random, through the real loading path: bytes, lengths, rates, independence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from codecbench import registry
from codecbench.codec import Codec, Wave
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench_hub.packing import pack
from codecbench_hub.table import MODELS
from tiny_models import NAMES, save

SECOND = {name: MODELS[name].sample_rate_hz for name in NAMES}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module", params=NAMES)
def codec(request: pytest.FixtureRequest, folders: Path) -> Codec:
    opened = registry.codec(f"{request.param}:{save(request.param, folders / request.param)}")
    opened.open()
    return opened


def noise(length: int, seed: int = 0) -> Wave:
    return (0.1 * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


def ends(codec: Codec) -> list:
    return [codec.points[0], codec.points[-1]]


def test_payload_is_exactly_codebooks_times_bits_times_frames(codec):
    wave = noise(2 * codec.info.sample_rate_hz + 7)
    for point in ends(codec):
        coded = codec.encode(wave, point)
        frame_bits = point.settings["streams"] * codec.model.bits
        assert coded.codes.shape[0] == point.settings["streams"]
        assert len(coded.payload) == -(-frame_bits * coded.codes.shape[1] // 8)
        # the measured rate is the nominal one to within one frame, as the nominal one follows from the table
        bits = point.nominal_kbps * 1000 * wave.size / codec.info.sample_rate_hz
        assert abs(8 * len(coded.payload) - bits) <= frame_bits + 8
        assert frame_bits * codec.info.frame_rate_hz == pytest.approx(1000 * point.nominal_kbps)


def test_length_contract(codec):
    hop, point = codec.model.hop, codec.points[-1]
    for length in (1, hop - 1, hop, hop + 1, 3 * hop + 100):
        wave = codec.decode(codec.encode(noise(length), point), point)
        assert wave.shape == (length,)
        assert wave.dtype == np.float32
        assert np.isfinite(wave).all()


def test_bytes_alone_decide_the_decoded_wave(codec):
    point = codec.points[-1]
    coded = codec.encode(noise(9_000), point)
    assert len(np.unique(coded.codes)) > 1
    bare = type(coded)(coded.payload, coded.length)
    torch.manual_seed(5)
    first = codec.decode(bare, point)
    torch.manual_seed(6)
    np.testing.assert_array_equal(first, codec.decode(coded, point))


def test_coding_leaves_the_global_generator_alone_and_does_not_depend_on_it(codec):
    point = codec.points[-1]
    torch.manual_seed(7)
    state = torch.get_rng_state()
    coded = codec.encode(noise(5_000), point)
    codec.decode(coded, point)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_utterance_is_coded_alike_after_another(codec):
    point = codec.points[-1]
    first = codec.encode(noise(6_000), point)
    codec.encode(noise(9_000, seed=1), point)
    assert codec.encode(noise(6_000), point).payload == first.payload


def test_more_codebooks_refine_fewer(codec):
    """Residual quantizers: the codes of a lower rate are the first codebooks of a higher one."""
    low, high = ends(codec)
    few, many = codec.encode(noise(5_000), low).codes, codec.encode(noise(5_000), high).codes
    np.testing.assert_array_equal(many[: few.shape[0]], few)


def test_damaged_payload_is_refused(codec):
    point = codec.points[-1]
    coded = codec.encode(noise(3_000), point)
    with pytest.raises(InvalidPayload, match="damaged or was made at another point"):
        codec.decode(type(coded)(coded.payload[:-1], coded.length), point)


@pytest.mark.parametrize("wave", [np.zeros(0, np.float32), np.zeros((2, 100), np.float32)])
def test_no_samples_or_two_channels_are_refused(codec, wave):
    with pytest.raises(InvalidInput, match="mono wave of at least one sample"):
        codec.encode(wave, codec.points[0])


def test_signature_names_library_and_weights(codec, folders):
    import hashlib

    name = codec.info.name
    digest = hashlib.sha256((folders / name / "model.safetensors").read_bytes()).hexdigest()
    package = MODELS[name].package
    assert codec.signature().startswith(f"{name}|fs:{codec.info.sample_rate_hz}|lib:{package}-")
    assert codec.signature().endswith(f"@local|sha256:{digest}")


def test_a_click_changes_codes_at_its_own_place(codec):
    if codec.info.name in {"xcodec", "xcodec2", "neucodec"}:
        pytest.skip("the encoder normalises or attends over the whole utterance")
    hop, place, point = codec.model.hop, 20, codec.points[-1]
    quiet = noise(40 * hop)
    click = quiet.copy()
    click[place * hop : place * hop + hop // 2] += 0.9
    codes = [codec.encode(wave, point).codes for wave in (quiet, click)]
    first = (codes[0] != codes[1]).any(axis=0).nonzero()[0].min()
    assert place - (0 if codec.info.causal else 5) <= first <= place + 1


def test_a_code_changes_the_wave_at_its_own_place(codec):
    hop, place, point = codec.model.hop, 20, codec.points[-1]
    coded = codec.encode(noise(40 * hop), point)
    codes = coded.codes.copy()
    codes[:, place] = (codes[:, place] + 17) % (1 << codec.model.bits)
    other = type(coded)(pack(codes, codec.model.bits), coded.length)
    changed = np.square(codec.decode(coded, point) - codec.decode(other, point)).reshape(40, hop).sum(axis=1)
    if codec.info.causal:
        assert changed[:place].max() == 0
        assert changed[place : place + 2].max() > 0
    else:
        assert abs(changed.argmax() - place) <= 3


def test_a_model_of_another_structure_is_refused(tmp_path):
    folder = save("dac", tmp_path / "dac", n_codebooks=9)
    with pytest.raises(Unavailable, match=r"9 codebooks of 10 bits.* but dac is 12 codebooks"):
        registry.codec(f"dac:{folder}").open()


def test_a_checkpoint_with_missing_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save("encodec", tmp_path / "encodec")
    state = load_file(folder / "model.safetensors")
    dropped = next(name for name in state if name.endswith("codebook.embed"))
    del state[dropped]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unavailable, match="1 weights of EncodecModel are missing"):
        registry.codec(f"encodec:{folder}").open()


def test_damaged_weights_are_refused_in_one_line(tmp_path):
    folder = save("mimi", tmp_path / "mimi")
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(Unavailable, match="not a MimiModel") as caught:
        registry.codec(f"mimi:{folder}").open()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["tpu", "cuda:9" if not torch.cuda.is_available() else "xpu"])
def test_an_unusable_device_is_refused(tmp_path, device):
    folder = save("dac", tmp_path / "dac")
    with pytest.raises(Unavailable, match="run with --device cpu"):
        registry.codec(f"dac:{folder}").open(device)


def test_encodec_runs_below_its_lowest_bandwidth(tmp_path):
    """0.75 kbit/s is published but no bandwidth of the model: it is the first codebook of 1.5."""
    codec = registry.codec(f"encodec:{save('encodec', tmp_path / 'encodec')}")
    codec.open()
    point = codec.point("0.75")
    assert not point.default
    assert codec.encode(noise(24_000), point).codes.shape == (1, 75)


def test_dac_keeps_the_tail(tmp_path):
    """Without padding the class drops the last, incomplete frame: 535 frames in place of 536."""
    codec = registry.codec(f"dac:{save('dac', tmp_path / 'dac')}")
    codec.open()
    wave = noise(535 * 320 + 160)
    assert codec.encode(wave, codec.points[0]).codes.shape[1] == 536
    bare = codec._driver.network.encode(torch.from_numpy(wave)[None, None], n_quantizers=1).audio_codes
    assert bare.shape[-1] == 535
