"""Predicted opinion: what the models of the package speechmos share, which look at the decoded speech alone.

The reference is not looked at: its own value is the row of the codec ``pcm``, and differences to that row are
what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codecbench.metric import Metric
from codecbench.metrics.shipped import Shipped, need, session


@dataclass(frozen=True)
class PredictedOpinion(Metric):
    """An opinion score from 1 to 5 that the network ``network`` predicts at 16 kHz."""

    network: ClassVar[Shipped]
    unit: ClassVar[str] = "MOS"
    higher_is_better: ClassVar[bool] = True
    no_reference: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (1.0, 5.0)
    library: ClassVar[str] = "speechmos-0.0.1.1"
    distributions: ClassVar[tuple[str, ...]] = ("speechmos", "onnxruntime")
    minimum_seconds: ClassVar[float] = 0.5

    def check(self) -> None:
        """Raise Unavailable if the model or what runs it is missing."""
        need("onnxruntime")
        self.network.find()

    def open(self) -> None:
        """Load the model."""
        session(self.network)
