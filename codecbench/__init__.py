"""codecbench: an honest benchmark of speech codecs at measured bitrates.

The names below are the Python door; each is imported when it is first used, so that
``import codecbench`` costs nothing.  ``docs/python.md`` shows them at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codecbench.analysis.summary import summary
    from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, ladder
    from codecbench.data.folders import load_dataset
    from codecbench.errors import InvalidPayload, Unavailable, Unscorable
    from codecbench.metric import Metric
    from codecbench.run.benchmark import benchmark
    from codecbench.run.calibrate import estimate
    from codecbench.run.plan import make_plan
    from codecbench.store.store import load_run

__version__ = "0.2.0"

__all__ = [
    "Codec",
    "CodecInfo",
    "Coded",
    "InvalidPayload",
    "Metric",
    "OperatingPoint",
    "Unavailable",
    "Unscorable",
    "benchmark",
    "estimate",
    "ladder",
    "load_dataset",
    "load_run",
    "make_plan",
    "summary",
]

_HOMES = {
    "analysis.summary": ("summary",),
    "codec": ("Codec", "CodecInfo", "Coded", "OperatingPoint", "ladder"),
    "data.folders": ("load_dataset",),
    "errors": ("InvalidPayload", "Unavailable", "Unscorable"),
    "metric": ("Metric",),
    "run.benchmark": ("benchmark",),
    "run.calibrate": ("estimate",),
    "run.plan": ("make_plan",),
    "store.store": ("load_run",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # type checkers see the imports above, and a misspelt name is an error to them

    def __getattr__(name: str) -> Any:
        """Import a name from where it lives (PEP 562)."""
        if name not in _HOME:
            raise AttributeError(f"module 'codecbench' has no attribute {name!r}")
        value = getattr(import_module(f"codecbench.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
