"""The damage of scripts/gate_example.py is what it says, and the same each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codecbench_spc.model import checkpoint
from gate_example import SHIPPED, damage


@pytest.mark.parametrize("percent", [1.0, 4.0])
def test_noise_has_the_stated_size_on_every_tensor(tmp_path: Path, percent: float) -> None:
    shutil.copy(SHIPPED.with_name("vocoder.safetensors"), tmp_path)
    damage(SHIPPED, tmp_path / "a.safetensors", percent)
    old, new = checkpoint.load(SHIPPED), checkpoint.load(tmp_path / "a.safetensors")
    assert old.config == new.config
    ratios = [
        float((new.groups["vqvae"][name] - tensor).square().mean().sqrt() / tensor.square().mean().sqrt())
        for name, tensor in old.groups["vqvae"].items()
        if tensor.is_floating_point() and tensor.numel() > 1000
    ]
    assert ratios == pytest.approx([percent / 100] * len(ratios), rel=0.1)


def test_the_same_damage_twice_gives_the_same_weights(tmp_path: Path) -> None:
    shutil.copy(SHIPPED.with_name("vocoder.safetensors"), tmp_path)
    for name in ("a", "b"):
        damage(SHIPPED, tmp_path / f"{name}.safetensors", 2.0)
    one, two = (
        checkpoint.tensors_sha256(checkpoint.load(tmp_path / f"{name}.safetensors").groups["vqvae"])
        for name in ("a", "b")
    )
    assert one == two
