"""Lyra: packing by properties, quality bands on speech, independence of what was coded before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from codecbench import weights
from codecbench.codec import Coded
from codecbench.errors import InvalidInput, InvalidPayload, Unavailable
from codecbench.weights import VARIABLE
from codecbench_lyra.codec import CODEBOOK_SIZE, HOP, SOURCE, Lyra, pack, unpack


@pytest.fixture
def lyra(shared_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Lyra:
    monkeypatch.setenv(VARIABLE, str(shared_dir))
    codec = Lyra()
    try:
        codec.check()
    except Unavailable as error:
        pytest.skip(str(error))
    codec.open()
    return codec


codes_arrays = arrays.arrays(
    np.int64,
    st.tuples(st.integers(1, 46), st.integers(0, 9)),
    elements=st.integers(0, CODEBOOK_SIZE - 1),
)


@settings(max_examples=30, deadline=None)
@given(codes_arrays)
def test_unpack_undoes_pack_and_a_byte_holds_two(codes: NDArray[np.int64]) -> None:
    payload = pack(codes)
    assert len(payload) == (codes.size + 1) // 2
    np.testing.assert_array_equal(unpack(payload, *codes.shape), codes)
    digits = "".join(f"{index:x}" for index in codes.T.reshape(-1))
    assert payload.hex()[: len(digits)] == digits


@pytest.mark.parametrize("size", [0, 7, 9, 100])
def test_a_payload_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(InvalidPayload, match=rf"{size} bytes where 1 frames of 16 indices take 8"):
        unpack(bytes(size), 16, 1)


def test_every_step_of_a_fifth_is_a_point_and_upstreams_three_are_the_default() -> None:
    points = Lyra.points
    assert [point.name for point in points if point.default] == ["3.2", "6", "9.2"]
    assert sorted(int(point.settings["quantizers"]) for point in points) == list(range(1, 47))
    assert all(
        point.nominal_kbps == pytest.approx(0.2 * int(point.settings["quantizers"])) for point in points
    )


def test_packets_have_the_sizes_of_upstream() -> None:
    """64, 120 and 184 bits a frame (lyra/lyra_config.h)."""
    for name, size in (("3.2", 8), ("6", 15), ("9.2", 23)):
        quantizers = int(Lyra().point(name).settings["quantizers"])
        assert len(pack(np.zeros((quantizers, 1), np.int64))) == size


def test_codes_are_in_range_and_prefixes_of_each_other(lyra: Lyra, speech: list[NDArray[np.float32]]) -> None:
    """Residual quantizers: fewer of them give the same first indices."""
    wave = speech[0][: 50 * HOP]
    few, many = (lyra.encode(wave, lyra.point(name)).codes for name in ("3.2", "9.2"))
    assert few is not None and many is not None
    assert few.shape == (16, 50) and many.shape == (46, 50)
    assert many.min() >= 0 and many.max() < CODEBOOK_SIZE
    np.testing.assert_array_equal(many[:16], few)


def test_what_was_coded_before_does_not_matter(lyra: Lyra, speech: list[NDArray[np.float32]]) -> None:
    point = lyra.point("6")
    first = lyra.encode(speech[0][:16_000], point)
    decoded = lyra.decode(first, point)
    lyra.decode(lyra.encode(speech[1][:16_000], point), point)
    assert lyra.encode(speech[0][:16_000], point).payload == first.payload
    np.testing.assert_array_equal(lyra.decode(first, point), decoded)


def test_speech_survives_better_at_higher_rates(lyra: Lyra, speech: list[NDArray[np.float32]]) -> None:
    """The bands of two clips of LibriSpeech; upstream's own sample scores PESQ-WB 2.47, 3.36 and 3.47."""
    pesq = pytest.importorskip("pesq").pesq
    stoi = pytest.importorskip("pystoi").stoi
    scores = []
    for name in ("3.2", "6", "9.2"):
        point = lyra.point(name)
        pairs = [(clip, lyra.decode(lyra.encode(clip, point), point)) for clip in speech[:2]]
        scores.append(np.mean([pesq(16_000, ref, deg, "wb") for ref, deg in pairs]))
        assert np.mean([stoi(ref, deg, 16_000) for ref, deg in pairs]) > 0.8
    assert scores == sorted(scores)
    assert 1.8 < scores[0] < 2.9 and 2.5 < scores[2] < 3.8


def test_missing_files_and_library_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="codecbench weights fetch lyra"):
        Lyra().check()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="pip install ai-edge-litert"):
        Lyra().check()


def test_files_of_another_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "lyra").mkdir()
    for name in SOURCE.files:
        (tmp_path / "lyra" / name).write_bytes(b"another")
    codec = Lyra()
    codec.check()
    with pytest.raises(InvalidInput, match="is not the pinned"):
        codec.open()


def test_the_signature_holds_the_files_hashes() -> None:
    assert "|weights:237da0b1-841ee059-50e7839c" in Lyra().signature()


def test_a_wrong_length_is_refused_before_the_networks_run() -> None:
    with pytest.raises(InvalidPayload):
        Lyra().decode(Coded(b"\0" * 8, 3 * HOP), Lyra().point("3.2"))


def test_parameters_are_those_of_the_networks(lyra: Lyra) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    files = weights.find(SOURCE.name, SOURCE.files)
    count = 0
    for name in SOURCE.files:
        model = schema.Model.GetRootAs((files / name).read_bytes(), 0)
        graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
        tensors = [graph.Tensors(number) for graph in graphs for number in range(graph.TensorsLength())]
        buffers = {
            tensor.Buffer(): int(np.prod(tensor.ShapeAsNumpy()))
            for tensor in tensors
            if model.Buffers(tensor.Buffer()).DataLength()
            and tensor.Type() in {schema.TensorType.FLOAT32, schema.TensorType.INT8}
        }
        count += sum(buffers.values())
    assert lyra.info.parameters == count


def test_networks_are_opened_without_a_word(lyra: Lyra, capfd: pytest.CaptureFixture[str]) -> None:
    lyra.encode(np.zeros(2 * HOP, np.float32), lyra.points[0])
    assert capfd.readouterr() == ("", "")
