"""The codecs `spc` and `rvq` keep the suite's contract, with small models and with the shipped ones."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codecbench.codec import Coded
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench.files import sha256
from codecbench_spc.bits import bitstream, rangecoder
from codecbench_spc.bits.bitstream import HEADER_BYTES, columns_of
from codecbench_spc.bits.context_tables import Tables, save
from codecbench_spc.codec import Rvq, Spc, SpectrogramCodec
from codecbench_spc.model import checkpoint, header


@pytest.fixture(scope="module")
def spc(tiny_spc: Path) -> Spc:
    codec = Spc(str(tiny_spc))
    codec.open()
    return codec


@pytest.fixture(scope="module")
def rvq(tiny_checkpoints: Path) -> Rvq:
    codec = Rvq(str(tiny_checkpoints / "rvq.safetensors"))
    codec.open()
    return codec


def shipped_codec(kind: type[SpectrogramCodec]) -> SpectrogramCodec:
    codec = kind()
    if not codec.path.is_file():
        pytest.skip(f"no checkpoint at {codec.path}: train one with codecbench train")
    codec.open()
    return codec


POINTS = ["5", "3.75", "5-ec", "3.75-ec", "5-ec-packets", "3.75-ec-packets"]


def test_points_are_those_of_the_codebook_and_the_tables(spc: Spc, rvq: Rvq) -> None:
    assert [point.name for point in spc.points] == POINTS
    assert [point.name for point in spc.points if point.default] == ["5", "3.75"]
    assert [point.name for point in rvq.points] == ["5", "3.75"]
    assert spc.point("5").nominal_kbps == 5.0
    # 20 tokens of 0.8 * 8 bits, 31.25 times a second
    assert spc.point("5-ec").nominal_kbps == 4.0


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 5001])
def test_lengths_come_back(name: str, length: int, spc: Spc, noise: np.ndarray) -> None:
    point = spc.point(name)
    coded = spc.encode(noise[:length], point)
    assert coded.length == length
    assert sum(coded.packet_bytes) == len(coded.payload)
    assert coded.codes is not None
    assert coded.codes.shape == (20, columns_of(length))
    decoded = spc.decode(Coded(coded.payload, coded.length), point)
    assert decoded.shape == (length,)
    assert decoded.dtype == np.float32
    assert np.isfinite(decoded).all()


@pytest.mark.parametrize("bits", [8, 6])
def test_entropy_coding_changes_the_bytes_and_nothing_else(bits: int, spc: Spc, noise: np.ndarray) -> None:
    names = {8: "5", 6: "3.75"}
    points = [spc.point(names[bits] + suffix) for suffix in ("", "-ec", "-ec-packets")]
    coded = [spc.encode(noise[:9000], point) for point in points]
    decoded = [spc.decode(c, point) for c, point in zip(coded, points, strict=True)]
    assert len({c.payload for c in coded}) == 3
    for other in (1, 2):
        np.testing.assert_array_equal(coded[other].codes, coded[0].codes)
        np.testing.assert_array_equal(decoded[other], decoded[0])


def test_paired_rows_halve_the_tokens_of_the_lowest_rate_and_not_its_bytes(
    tiny_checkpoints: Path, noise: np.ndarray, random_tables: Callable[..., Tables]
) -> None:
    path = tiny_checkpoints / "spc-paired.safetensors"
    model_id = header.token_id(checkpoint.load(path).groups["vqvae"])
    tables = random_tables(20, 4096)
    save(path.with_name("spc-paired-context.safetensors"), tables, model_id, {"6-ec": 9.6}, {"steps": 0})
    codec = Spc(str(path))
    point, coded_shorter = codec.point("3.75"), codec.point("3.75-ec")
    # 10 tokens of 9.6 bits, 31.25 times a second
    assert (point.nominal_kbps, coded_shorter.nominal_kbps) == (3.75, 3.0)
    coded = codec.encode(noise[:5001], point)
    assert coded.codes is not None
    assert coded.codes.shape == (10, columns_of(5001))
    assert len(coded.payload) == 15 * columns_of(5001)
    shorter = codec.encode(noise[:5001], coded_shorter)
    np.testing.assert_array_equal(shorter.codes, coded.codes)
    decoded = codec.decode(coded, point)
    np.testing.assert_array_equal(codec.decode(shorter, coded_shorter), decoded)
    stream = codec.stream_decoder(point)
    columns = [stream.push(coded.codes[:, [place]]) for place in range(coded.codes.shape[1])]
    np.testing.assert_allclose(np.concatenate([*columns, stream.flush()])[:5001], decoded, atol=1e-6)
    assert codec.encode(noise[:5001], codec.point("7.5")).codes.shape == (20, columns_of(5001))


def test_rvq_keeps_the_contract(rvq: Rvq, noise: np.ndarray) -> None:
    for point in rvq.points:
        coded = rvq.encode(noise[:5001], point)
        assert len(coded.payload) * 8 == columns_of(5001) * 20 * int(point.settings["bits"])
        assert rvq.decode(coded, point).shape == (5001,)


def test_another_point_is_refused(spc: Spc, noise: np.ndarray) -> None:
    coded = spc.encode(noise[:5000], spc.point("5"))
    with pytest.raises(InvalidPayload, match="another point"):
        spc.decode(coded, spc.point("3.75"))
    with pytest.raises(InvalidPayload):
        spc.decode(coded, spc.point("5-ec"))


def test_waves_that_are_not_finite_are_refused(spc: Spc) -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        spc.encode(np.array([0.0, np.nan], dtype=np.float32), spc.point("5"))


@pytest.mark.parametrize("name", POINTS)
def test_files_come_back(name: str, spc: Spc, noise: np.ndarray) -> None:
    coded = spc.encode(noise[:3000], spc.point(name))
    data = spc.pack(coded, spc.point(name))
    assert len(data) == len(coded.payload) + coded.container_bytes
    assert coded.container_bytes == HEADER_BYTES
    again, point = spc.unpack(data)
    assert point.name == name
    assert (again.payload, again.length) == (coded.payload, coded.length)


def test_files_of_another_model_or_codec_are_refused(
    spc: Spc, rvq: Rvq, noise: np.ndarray, tmp_path: Path
) -> None:
    data = spc.pack(spc.encode(noise[:3000], spc.point("5")), spc.point("5"))
    with pytest.raises(InvalidPayload, match="coded by spc, not by rvq"):
        rvq.unpack(data)
    other = retrained(spc.path, tmp_path)
    with pytest.raises(InvalidPayload, match="coded by model"):
        Spc(str(other)).unpack(data)
    with pytest.raises(Unavailable, match="another checkpoint"):
        codec = Spc(str(other))
        codec.encode(noise[:3000], codec.point("5-ec"))


@pytest.mark.parametrize("name", ["5", "5-ec", "5-ec-packets"])
def test_files_of_version_1_give_the_same_samples(
    name: str, spc: Spc, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = spc.point(name)
    coded = spc.encode(noise[:3000], point)
    expected = spc.decode(coded, point)
    with monkeypatch.context() as old:
        old.setattr(rangecoder, "VERSION", 1)
        old.setattr(bitstream, "VERSION", 1)
        data = spc.pack(spc.encode(noise[:3000], point), point)
    assert data[4] == 1
    again, found = spc.unpack(data)
    assert (found.name, again.payload) == (name, coded.payload)
    np.testing.assert_array_equal(spc.decode(again, found), expected)


def test_a_better_decoder_reads_old_files(spc: Spc, noise: np.ndarray, tmp_path: Path) -> None:
    point = spc.point("5-ec")
    data = spc.pack(spc.encode(noise[:3000], point), point)
    better = Spc(str(retrained(spc.path, tmp_path, "last.0.bias")))
    coded, found = better.unpack(data)
    assert better.decode(coded, found).shape == (3000,)


def test_files_of_the_command_line_carry_the_bitstream(spc: Spc, noise: np.ndarray, tmp_path: Path) -> None:
    from codecbench.cli import status_of

    wave = tmp_path / "wave.wav"
    soundfile.write(wave, noise[:3000], 16_000)
    assert (
        status_of(["encode", str(wave), "--codec", f"spc:{spc.path}@5-ec", "--to", str(tmp_path / "c")]) == 0
    )
    coded = tmp_path / "c" / "wave.cbn"
    assert b"CSPC" in coded.read_bytes()
    decode = ["decode", str(coded), "--overwrite", "--to", str(tmp_path / "d")]
    assert status_of(decode) == 1  # the file cannot say which model to open
    assert status_of([*decode, "--codec", f"spc:{spc.path}"]) == 0
    assert soundfile.info(tmp_path / "d" / "wave.wav").frames == 3000
    better = retrained(spc.path, tmp_path, "last.0.bias")
    assert status_of([*decode, "--codec", f"spc:{better}"]) == 0
    other = retrained(spc.path, tmp_path)
    assert status_of([*decode, "--codec", f"spc:{other}"]) == 1


def retrained(path: Path, folder: Path, weight: str = "embed.0.conv.bias") -> Path:
    """Return a checkpoint that differs in one weight."""
    from codecbench_spc.model import checkpoint

    for name in ("vocoder.safetensors", "spc-context.safetensors"):
        shutil.copy(path.with_name(name), folder / name)
    loaded = checkpoint.load(path)
    tensors = {name: tensor.clone() for name, tensor in loaded.groups["vqvae"].items()}
    tensors[weight][0] += 1.0
    other = folder / path.name
    groups = {**loaded.groups, "vqvae": tensors}
    checkpoint.save(other, loaded.config, groups, loaded.summary, folder / "vocoder.safetensors")
    return other


def test_signatures_name_the_weights(spc: Spc, tmp_path: Path) -> None:
    signature = spc.signature()
    assert signature.startswith("spc|fs:16000|lib:")
    assert f"weights:{sha256(spc.path)[:16]}" in signature
    assert Spc(str(retrained(spc.path, tmp_path))).signature() != signature


def test_info_states_delay_rate_and_size(spc: Spc) -> None:
    with_vocoder = Spc(str(spc.path.with_name("spc-vocoder.safetensors")))
    for codec, delay_ms in ((spc, 60.0), (with_vocoder, 76.0)):
        assert codec.info.algorithmic_delay_ms == delay_ms
        # A coder over the whole file gives nothing before its end.
        stated = {point.name: codec.delay_ms(point) for point in codec.points}
        assert stated == {name: None if name.endswith("-ec") else delay_ms for name in stated}
        assert codec.info.frame_rate_hz == 31.25
        models = codec._opened()
        parts = [models.vqvae] if models.vocoder is None else [models.vqvae, models.vocoder]
        # The codebook is a weight too, though no parameter of torch's.
        assert codec.info.parameters == sum(p.numel() for part in parts for p in part.parameters()) + 256 * 4


def test_the_shipped_variants_have_short_names(
    monkeypatch: pytest.MonkeyPatch, tiny_checkpoints: Path
) -> None:
    monkeypatch.setattr(header, "folder", lambda: tiny_checkpoints)
    assert Spc("vocoder").path == tiny_checkpoints / "spc-vocoder.safetensors"
    assert Spc().path == tiny_checkpoints / "spc.safetensors"
    assert Spc("other.safetensors").path == Path("other.safetensors")
    with pytest.raises(Unavailable, match=r"spc-other\.safetensors"):
        Spc("other").check()


def test_a_missing_checkpoint_is_unavailable() -> None:
    codec = Spc("/nowhere/spc.safetensors")
    assert codec.points == ()
    with pytest.raises(Unavailable, match="give another checkpoint"):
        codec.check()


def test_a_missing_vocoder_is_unavailable(tiny_spc: Path, tmp_path: Path) -> None:
    for name in ("spc", "spc-vocoder"):
        shutil.copy(tiny_spc.with_name(f"{name}.safetensors"), tmp_path)
    with pytest.raises(Unavailable, match=r"vocoder\.safetensors is missing"):
        Spc(str(tmp_path / "spc-vocoder.safetensors")).check()
    # Consistency needs none.
    Spc(str(tmp_path / "spc.safetensors")).check()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"way": "magic"}, "unknown way 'magic'; choose one of consistency, vocoder"),
        ({"lookahead": 3}, "choose 0, 1 or 2"),
        ({"momentum": 1.5}, "momentum from 0 to 1"),
        ({"stepz": 3}, "did you mean 'steps'"),
    ],
)
def test_a_wrong_synthesis_is_refused(
    table: dict[str, object], message: str, tiny_spc: Path, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match=message):
        Spc(str(rewritten(tiny_spc, tmp_path, table, "synthesis"))).check()


def test_the_other_quantizer_is_refused(tiny_checkpoints: Path) -> None:
    with pytest.raises(Unavailable, match="the other quantizer"):
        Spc(str(tiny_checkpoints / "rvq.safetensors")).check()


def rewritten(path: Path, folder: Path, change: dict[str, object], group: str = "vqvae") -> Path:
    """Return a copy of a checkpoint with other values in its configuration of a group."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header["__metadata__"]["config"])
    config.setdefault(group, {}).update(change)
    header["__metadata__"]["config"] = json.dumps(config)
    text = json.dumps(header).encode()
    other = folder / path.name
    other.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return other


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 10**9},
        {"channels": -1},
        {"codebook_size": 100},
        {"codebook_size": 1 << 40},
        {"encoder_kernel": [3, 10**6]},
    ],
)
def test_configurations_out_of_bounds_are_refused(
    change: dict[str, object], tiny_spc: Path, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="damaged"):
        Spc(str(rewritten(tiny_spc, tmp_path, change))).check()


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(1000)])
def test_files_that_are_no_checkpoints_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "spc.safetensors"
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="cannot read"):
        Spc(str(path)).check()


def test_naming_the_codecs_does_not_import_torch() -> None:
    program = (
        "import sys; from codecbench_spc.codec import Spc, Rvq; Spc().signature(); Rvq().points;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("kind", [Spc, Rvq])
def test_shipped_codecs_work_at_their_rates(kind: type[SpectrogramCodec], noise: np.ndarray) -> None:
    codec = shipped_codec(kind)
    assert [point.nominal_kbps for point in codec.points if point.default] == [7.5, 6.25, 5.0, 3.75]
    for point in codec.points:
        coded = codec.encode(noise[:8192], point)
        if point.default:
            assert len(coded.payload) * 8 / (8192 / 16_000) / 1000 == point.nominal_kbps
        assert codec.decode(coded, point).shape == (8192,)


def test_shipped_spc_saves_a_sixth_by_entropy_coding(speech: list[np.ndarray]) -> None:
    codec = shipped_codec(Spc)
    if "7.5-ec" not in [point.name for point in codec.points]:
        pytest.skip("no table of the context model beside the checkpoint: run codecbench train-context")
    sizes = {
        name: sum(len(codec.encode(wave, codec.point(name)).payload) for wave in speech[:2])
        for name in ("7.5", "7.5-ec", "7.5-ec-packets")
    }
    assert sizes["7.5-ec"] < 0.85 * sizes["7.5"]
    assert sizes["7.5-ec"] < sizes["7.5-ec-packets"] < sizes["7.5"]


def process_seconds(work: object, repeats: int) -> float:
    """Least processor time of several runs: other programs take the processor's caches but not this clock."""
    assert callable(work)
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.slow
def test_shipped_spc_is_fast_enough(speech: list[np.ndarray]) -> None:
    """Real-time factors on one core: offline at most 0.06, streaming in 32 ms chunks at most 0.15."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        codec = shipped_codec(Spc)
        point, wave = codec.point("7.5"), speech[0]
        seconds = len(wave) / 16_000

        def stream() -> None:
            encoder, decoder = codec.stream_encoder(point), codec.stream_decoder(codec.points[0])
            for start in range(0, len(wave), 512):
                decoder.push(encoder.push(wave[start : start + 512]))
            decoder.push(encoder.flush())
            decoder.flush()

        assert process_seconds(lambda: codec.decode(codec.encode(wave, point), point), 7) / seconds <= 0.06
        assert process_seconds(stream, 5) / seconds <= 0.15
    finally:
        torch.set_num_threads(threads)
