"""What public records give of the hub's released files."""

from __future__ import annotations

from typing import Any, NamedTuple


class Released(NamedTuple):
    """A class of ``transformers``, options of its configuration, values (with buffers), tensors."""

    family: str
    options: dict[str, Any]
    values: int | None = None
    tensors: int | None = None


DAC = {"downsampling_ratios": [2, 4, 5, 8]}
# DAC's numbers follow from the released files' sizes.
RELEASED = {
    "encodec": Released("Encodec", {}, 23_273_218),
    "dac": Released("Dac", {**DAC, "n_codebooks": 12, "sampling_rate": 16_000}),
    "dac-24k": Released("Dac", {**DAC, "n_codebooks": 32, "sampling_rate": 24_000}),
    "mimi": Released("Mimi", {}, 96_151_393, 350),
    "xcodec": Released("Xcodec", {}),
    "xcodec2": Released("Xcodec2", {}, None, 811),
    "neucodec": Released("NeuCodec", {}, 629_937_706, 811),
}
