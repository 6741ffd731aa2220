"""Write the default margins of ``codecbench gate`` from measured results: the loss at 10 % less rate.

The unit of all margins is a change that an engineer can weigh: what a well-known codec loses on average, over
the octave from 12 to 24 kbit/s (one coding mode), when its rate falls by 10 %.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "test" / "opus.json"
TARGET = ROOT / "codecbench" / "analysis" / "margins.toml"
LOW_KBPS, HIGH_KBPS, LESS_RATE = 12.0, 24.0, 0.1

HEAD = """\
# The loss that `codecbench gate` tolerates, in each metric's unit: what Opus loses on average between 12 and
# 24 kbit/s when its rate falls by 10 %.  Written by scripts/margins.py from results/test/opus.json.
"""


def margins() -> dict[str, float]:
    """Return the margin of each metric, to three significant digits."""
    points = {point["nominal_kbps"]: point for point in json.loads(RESULTS.read_text())["points"]}
    low, high = points[LOW_KBPS], points[HIGH_KBPS]
    share = -math.log(1 - LESS_RATE) / math.log(high["payload_kbps"] / low["payload_kbps"])
    return {
        metric: float(f"{abs(high['scores'][metric]['mean'] - score['mean']) * share:.3g}")
        for metric, score in low["scores"].items()
    }


def text() -> str:
    """Return the file."""
    return HEAD + "".join(f"\n[gate.{name}]\nmargin = {value}\n" for name, value in margins().items())


if __name__ == "__main__":
    TARGET.write_text(text())
