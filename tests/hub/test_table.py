"""The table agrees with the classes at their released sizes, built without storage."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from codecbench import registry
from codecbench_hub.codec import HubCodec
from codecbench_hub.table import MODELS
from released import RELEASED

# CODECS table: kHz, frames a second, codebooks, bits, lowest and highest rate
FACTS = {
    "encodec": (24_000, 75, 32, 10, 0.75, 24),
    "dac": (16_000, 50, 12, 10, 0.5, 6),
    "dac-24k": (24_000, 75, 32, 10, 0.75, 24),
    "mimi": (24_000, 12.5, 32, 11, 0.1375, 4.4),
    "xcodec": (16_000, 50, 8, 10, 0.5, 4),
    "xcodec2": (16_000, 50, 1, 16, 0.8, 0.8),
    "neucodec": (16_000, 50, 1, 16, 0.8, 0.8),
    "snac": (24_000, 11.71875, 7, 12, 0.984375, 0.984375),
}


@pytest.mark.parametrize("name", RELEASED)
def test_released_structure(name):
    import transformers

    family, options, values, tensors = RELEASED[name]
    with torch.device("meta"):
        network = getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**options))
    state = network.state_dict()
    assert sum(item.numel() for item in network.parameters()) == MODELS[name].parameters
    assert values is None or sum(item.numel() for item in state.values()) == values
    assert tensors is None or len(state) == tensors
    if MODELS[name].size_bytes and name != "encodec":
        stored = 4 * sum(item.numel() for item in state.values())
        assert stored == pytest.approx(MODELS[name].size_bytes, rel=0.005)


@pytest.mark.parametrize("name", FACTS)
def test_rates(name):
    model = MODELS[name]
    rate, frames, streams, bits, low, high = FACTS[name]
    assert (model.sample_rate_hz, model.frame_rate_hz, model.streams, model.bits) == (
        rate,
        frames,
        streams,
        bits,
    )
    assert model.points[0].nominal_kbps == pytest.approx(low)
    assert model.points[-1].nominal_kbps == pytest.approx(high)
    for point in model.points:
        exact = point.settings["streams"] * bits * frames / 1000
        assert point.nominal_kbps == pytest.approx(exact)
        assert float(point.name) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "kbps"),
    [("encodec", 6), ("dac", 6), ("dac-24k", 7.5), ("dac-24k", 3), ("mimi", 1.1), ("xcodec", 2)],
)
def test_rates_named_in_papers_exist(name, kbps):
    assert any(math.isclose(point.nominal_kbps, kbps) for point in MODELS[name].points)


@pytest.mark.parametrize("name", MODELS)
def test_registered_with_a_licence_a_paper_and_a_page(name):
    codec = registry.codec(name)
    assert isinstance(codec, HubCodec)
    info = codec.info
    assert info.name == name
    assert info.kind == "neural"
    assert (
        info.licence and info.weights_licence and "arXiv" in info.citation and info.url.startswith("https://")
    )
    assert any(point.default for point in codec.points)


@pytest.mark.parametrize("name", MODELS)
def test_pinned_revisions_are_commit_hashes(name):
    for value, length in ((MODELS[name].revision, 40), (MODELS[name].sha256, 64)):
        assert value is None or (len(value) == length and int(value, 16))


def test_the_readme_holds_the_pins():
    text = (Path(__file__).parents[2] / "codecs" / "hub" / "README.md").read_text(encoding="utf-8")
    for model in MODELS.values():
        cells = [f"`{value}`" if value else "-" for value in (model.revision, model.sha256)]
        assert f"| `{model.name}` | {cells[0]} | {cells[1]} |" in text
        assert f"| `{model.name}` | `{model.repository}` |" in text
