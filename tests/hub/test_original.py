"""The second backend: names and forms of weights, and what is said where its packages are missing."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
import torch

from codecbench import registry
from codecbench.errors import InvalidInput, Unavailable
from codecbench_hub import original
from codecbench_hub.conversion import dac_name, encodec_name, fold_weight_norm, from_hub, to_hub
from codecbench_hub.table import MODELS

WITHOUT = importlib.util.find_spec("encodec") is None

NORM = "parametrizations.weight"
# left: names in encodec 0.1.1 and descript-audio-codec 1.0.0; right: names in transformers
ENCODEC = {
    "encoder.model.0.conv.conv.bias": "encoder.layers.0.conv.bias",
    "encoder.model.1.block.3.conv.conv.weight_g": f"encoder.layers.1.block.3.conv.{NORM}.original0",
    "encoder.model.1.shortcut.conv.conv.weight_v": f"encoder.layers.1.shortcut.conv.{NORM}.original1",
    "encoder.model.13.lstm.weight_ih_l0": "encoder.layers.13.lstm.weight_ih_l0",
    "decoder.model.3.convtr.convtr.bias": "decoder.layers.3.conv.bias",
    "quantizer.vq.layers.31._codebook.embed_avg": "quantizer.layers.31.codebook.embed_avg",
}
DAC = {
    "encoder.block.0.bias": "encoder.conv1.bias",
    "encoder.block.1.block.0.block.0.alpha": "encoder.block.0.res_unit1.snake1.alpha",
    "encoder.block.4.block.2.block.3.weight": "encoder.block.3.res_unit3.conv2.weight",
    "encoder.block.2.block.3.alpha": "encoder.block.1.snake1.alpha",
    "encoder.block.2.block.4.bias": "encoder.block.1.conv1.bias",
    "encoder.block.5.alpha": "encoder.snake1.alpha",
    "encoder.block.6.weight": "encoder.conv2.weight",
    "decoder.model.0.weight": "decoder.conv1.weight",
    "decoder.model.1.block.0.alpha": "decoder.block.0.snake1.alpha",
    "decoder.model.1.block.1.weight": "decoder.block.0.conv_t1.weight",
    "decoder.model.4.block.4.block.1.bias": "decoder.block.3.res_unit3.conv1.bias",
    "decoder.model.5.alpha": "decoder.snake1.alpha",
    "decoder.model.6.bias": "decoder.conv2.bias",
    "quantizer.quantizers.11.in_proj.weight": "quantizer.quantizers.11.in_proj.weight",
}


def hub_names(family: str, **options: object) -> set[str]:
    import transformers

    with torch.device("meta"):
        network = getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**options))
    return set(network.state_dict())


def test_names_are_those_of_the_hub():
    assert {name: encodec_name(name) for name in ENCODEC} == ENCODEC
    assert set(ENCODEC.values()) <= hub_names("Encodec")
    assert {name: dac_name(name, 4) for name in DAC} == DAC
    assert set(DAC.values()) <= hub_names("Dac", downsampling_ratios=[2, 4, 5, 8], n_codebooks=12)


def test_states_come_back():
    state = {name: torch.full((1,), float(index)) for index, name in enumerate(ENCODEC)}
    assert from_hub(to_hub(state, encodec_name), state, encodec_name) == state


def test_old_files_with_old_names_of_weight_norm_are_read():
    state = {"encoder.layers.0.conv.weight_g": torch.ones(1)}
    assert from_hub(state, ["encoder.model.0.conv.conv.weight_g"], encodec_name).popitem()[1] == 1


def test_folding_equals_what_torch_computes():
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(3, 4, 5))
    with torch.no_grad():
        layer.parametrizations.weight.original0.mul_(3)
    parts = layer.parametrizations.weight
    state = {"a.weight_g": parts.original0, "a.weight_v": parts.original1, "a.bias": layer.bias}
    folded = fold_weight_norm(state)
    assert set(folded) == {"a.weight", "a.bias"}
    torch.testing.assert_close(folded["a.weight"], layer.weight)


@pytest.mark.skipif(not WITHOUT, reason="the original package is installed here")
def test_list_says_that_the_package_is_missing():
    assert registry.codec("encodec").remark() == "original package encodec not installed"
    with pytest.raises(Unavailable, match=r"encodec is not installed; run: pip install encodec"):
        registry.codec("encodec:original").check()


def test_a_torchaudio_that_does_not_load_is_named(tmp_path, monkeypatch):
    (tmp_path / "brokencodec.py").write_text(
        "raise OSError('libcudart.so.12: cannot open shared object file')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(original.PACKAGES, "brokencodec", "broken-codec")
    model = replace(MODELS["dac"], original="brokencodec")
    with pytest.raises(
        Unavailable, match=r"broken-codec does not import \(libcudart.*install a torchaudio of"
    ):
        original.check(model)
    assert "broken-codec installed" in original.status(model)


@pytest.mark.parametrize("name", ["mimi", "snac"])
def test_codecs_without_a_second_backend_say_so(name):
    with pytest.raises(InvalidInput, match="no second backend"):
        registry.codec(f"{name}:original")


def test_backend_and_folder_are_told_apart(tmp_path):
    assert registry.codec(f"dac:{tmp_path}").backend == "transformers"
    chosen = registry.codec(f"dac:original:{tmp_path}")
    assert (chosen.backend, chosen.folder) == ("original", tmp_path)
    assert chosen.info.version.startswith("descript-audio-codec-")
    assert registry.codec("dac:original").folder is None


def test_original_stands_in_where_the_library_is_missing(monkeypatch):
    from codecbench_hub import codec as adapter

    monkeypatch.setattr(original, "installed", lambda model: True)
    assert adapter.HubCodec(replace(MODELS["dac"], package="not_here")).backend == "original"
    assert adapter.HubCodec(MODELS["dac"]).backend == "transformers"


def test_both_backends_agree_where_both_import(tmp_path):
    pytest.importorskip("torchaudio", exc_type=(ImportError, OSError))
    pytest.importorskip("encodec")
    pytest.importorskip("dac")
    from parity import compare

    assert all(row.passed for name in ("encodec", "dac") for row in compare(MODELS[name]))


def test_parity_row_judges():
    from parity import Row

    good = Row("dac", "6", codes=10, equal=10, distinct=5, peak=0.5, difference=4e-5)
    assert good.passed and str(good) == "| dac | 6 | 10 of 10 | 5 | 0.500 | 4.0e-05 | equal |"
    for change in (
        {"equal": 9},
        {"difference": 6e-5},
        {"difference": float("nan")},
        {"peak": 0.0},
        {"distinct": 1},
    ):
        assert not Row(**{**good.__dict__, **change}).passed
