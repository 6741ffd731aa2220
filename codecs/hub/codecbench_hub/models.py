"""The codecs that the package registers, one a row of the table.

Each is called with what follows its name on the command line: nothing, or ``[original:]FOLDER``; see
`HubCodec`.
"""

from __future__ import annotations

from codecbench_hub.codec import HubCodec
from codecbench_hub.source import hub_source
from codecbench_hub.table import MODELS


class Factory:
    """Makes the codec of one row; ``weights`` tells the suite what ``codecbench weights`` can fetch."""

    def __init__(self, name: str) -> None:
        self.model = MODELS[name]
        self.weights = hub_source(self.model)

    def __call__(self, argument: str = "") -> HubCodec:
        """Make the codec; cheap, no weights are touched."""
        return HubCodec(self.model, argument)


encodec = Factory("encodec")
dac = Factory("dac")
dac_24k = Factory("dac-24k")
mimi = Factory("mimi")
xcodec = Factory("xcodec")
xcodec2 = Factory("xcodec2")
neucodec = Factory("neucodec")
snac = Factory("snac")
