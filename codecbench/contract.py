"""Validation of plugins where they enter a run, with messages for their author.

`codec` and `metric` return the plugin with numbers of numpy cast to Python's, or raise `ContractBroken`.
What its methods return during a run is the matter of `codecbench.returned`; what can only be found by coding
speech, of ``codecbench selftest --codec NAME``.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from codecbench import checks
from codecbench.checks import Wrong
from codecbench.codec import Codec, CodecInfo, DecodedFiles, OperatingPoint
from codecbench.errors import ContractBroken, InvalidInput, Unavailable, told
from codecbench.guard import guarded
from codecbench.metric import Golden, Metric
from codecbench.names import NAME, WHAT_A_NAME_IS
from codecbench.plain import flag, kind, number, shown
from codecbench.text import one_line

T = TypeVar("T")

_TEXTS = ("description", "version", "licence", "weights_licence", "kind", "citation", "url")
_METRIC_TEXTS = ("label", "unit", "library", "citation")
_METRIC_NUMBERS = (
    "value_range",
    "higher_is_better",
    "compares_waveforms",
    "no_reference",
    "sample_rate_hz",
    "version",
    "minimum_seconds",
)

_DISTRIBUTIONS = {"distributions": "names of installed packages"}
_CODEC_ATTRIBUTES = {
    "info": "a CodecInfo",
    "points": "a tuple of OperatingPoint",
    "batches": "True or False",
    **_DISTRIBUTIONS,
}
_METRIC_ATTRIBUTES = {
    "name": "its name",
    **dict.fromkeys((*_METRIC_TEXTS, "bibtex", *_METRIC_NUMBERS), "see codecbench/metric.py"),
    **_DISTRIBUTIONS,
}


def codec(made: Any, name: str) -> Codec:
    """Return what a codec's entry point made, checked, under the name it is registered under."""
    if not isinstance(made, Codec):
        raise ContractBroken(f"codec {name!r}: the entry point made {kind(made)}, not a codecbench.Codec")
    with _told(f"codec {name!r}"):
        given = _attributes(made, _CODEC_ATTRIBUTES)
        info = _info(given["info"], name)
        _distributions(given["distributions"])
        checks.truth(given["batches"], "batches")
        points = _points(given["points"], any_rate=isinstance(made, DecodedFiles))
        if info is not given["info"]:
            _put(made, "info", info)
        if points is not given["points"]:
            _put(made, "points", points)
    return made


def metric(made: Any, name: str) -> Metric:
    """Return what a metric's entry point made, checked, under the name it is registered under."""
    if not isinstance(made, Metric):
        raise ContractBroken(f"metric {name!r}: the entry point made {kind(made)}, not a codecbench.Metric")
    with _told(f"metric {name!r}"):
        given = _attributes(made, _METRIC_ATTRIBUTES)
        _same_name(given["name"], name)
        for field, value in _metric_fields(given).items():
            if value is not given[field]:
                _put(made, field, value)
        _distributions(given["distributions"])
        golden = made.golden
        if golden is not None and not isinstance(golden, Golden):
            raise Wrong(f"golden is {kind(golden)}, not a codecbench.metric.Golden")
        signature(made)
        try:
            pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes: workers get their metrics so
        except Exception as error:
            raise Wrong(f"cannot be sent to a worker ({told(error)}); give it plain fields") from None
    return made


def check_here(plugin: Codec | Metric) -> None:
    """Run a plugin's own `check`; what it raises besides `Unavailable` is a fault of the plugin."""
    kind, name = ("codec", plugin.info.name) if isinstance(plugin, Codec) else ("metric", plugin.name)
    try:
        with guarded(loading=True):
            plugin.check()
    except Unavailable as error:
        raise type(error)(one_line(str(error.reason)), one_line(str(error.remedy))) from None
    except InvalidInput:
        raise
    except Exception as error:
        raise ContractBroken(f"{kind} {name!r}: check() failed ({told(error)})") from error
    if isinstance(plugin, Codec) and not plugin.points:
        raise ContractBroken(f"codec {name!r}: points is empty; a codec that can run has one at least")


def signature(plugin: Codec | Metric) -> str:
    """Return a plugin's signature, one line of text."""
    name = plugin.info.name if isinstance(plugin, Codec) else plugin.name
    with _told(repr(name)):
        with guarded():
            found, again = plugin.signature(), plugin.signature()
        if checks.text(found, "signature()", least=1) != again:
            raise Wrong(f"signature() gave {shown(found)}, then {shown(again)}; it must not change")
        return found


def point(plugin: Codec, name: str) -> OperatingPoint:
    """Return the operating point of a name; raises `InvalidInput` where there is none."""
    with _told(f"codec {plugin.info.name!r}"):
        with guarded():
            found = plugin.point(name)
        return _points((found,), any_rate=isinstance(plugin, DecodedFiles))[0]


class _told:  # noqa: N801 - reads as a word in `with`
    """Say whose fault it was."""

    def __init__(self, who: str) -> None:
        self._who = who

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Wrong):
            raise ContractBroken(f"{self._who}: {error}") from None
        if isinstance(error, Exception) and not isinstance(error, Unavailable | InvalidInput):
            raise ContractBroken(f"{self._who}: {told(error)}") from error


def _info(found: Any, name: str) -> CodecInfo:
    if not isinstance(found, CodecInfo):
        raise Wrong(f"info is {kind(found)}, not a CodecInfo")
    _same_name(found.name, name, "info.name")
    delay = found.algorithmic_delay_ms
    cast: dict[str, Any] = {
        "name": name,
        **{field: checks.text(getattr(found, field), f"info.{field}") for field in _TEXTS},
        "sample_rate_hz": checks.rate(found.sample_rate_hz, "info.sample_rate_hz"),
        "frame_rate_hz": checks.maybe(checks.positive, found.frame_rate_hz, "info.frame_rate_hz"),
        "algorithmic_delay_ms": checks.maybe(checks.not_negative, delay, "info.algorithmic_delay_ms"),
        "causal": checks.truth(found.causal, "info.causal"),
        "keeps_waveform": checks.truth(found.keeps_waveform, "info.keeps_waveform"),
        "parameters": checks.maybe(checks.count, found.parameters, "info.parameters"),
        "bandwidth_hz": checks.maybe(checks.count, found.bandwidth_hz, "info.bandwidth_hz"),
    }
    plain = CodecInfo(**cast)
    return found if type(found) is CodecInfo and _identical(found, plain) else plain


def _distributions(found: Any) -> None:
    if not isinstance(found, tuple) or not all(isinstance(name, str) and name for name in found):
        raise Wrong(f"distributions is {shown(found)}, not a tuple of names of installed packages")


def _points(found: Any, *, any_rate: bool) -> tuple[OperatingPoint, ...]:
    if not isinstance(found, tuple | list):
        raise Wrong(f"points is {kind(found)}, not a tuple of OperatingPoint")
    checked = tuple(_point(item, any_rate=any_rate) for item in found)
    names = [item.name for item in checked]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Wrong(f"points has {twice[0]!r} twice; names are unique within a codec")
    if isinstance(found, tuple) and all(new is old for new, old in zip(checked, found, strict=True)):
        return found
    return checked


def _point(found: Any, *, any_rate: bool) -> OperatingPoint:
    if not isinstance(found, OperatingPoint):
        raise Wrong(f"points holds {kind(found)}, not an OperatingPoint")
    name, kbps = found.name, number(found.nominal_kbps)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Wrong(f"a point is named {shown(name)}; a name is {WHAT_A_NAME_IS}")
    # A folder of decoded files may have no rate that anybody knows.
    if kbps is None or not (0 < kbps < math.inf or (any_rate and math.isnan(kbps))):
        raise Wrong(f"point {name!r} has nominal_kbps {shown(found.nominal_kbps)}, not kbit/s above 0")
    settings = _settings(found.settings, name)
    default = checks.truth(found.default, f"point {name!r}: default")
    frame_rate = checks.maybe(checks.positive, found.frame_rate_hz, f"point {name!r}: frame_rate_hz")
    plain = OperatingPoint(name, kbps, settings, default, frame_rate)
    as_given = all(value is found.settings[key] for key, value in settings.items())
    return found if type(found) is OperatingPoint and as_given and _identical(found, plain) else plain


def _settings(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise Wrong(f"point {name!r}: settings is {kind(found)}, not a mapping")
    cast: dict[str, Any] = {}
    for key, value in found.items():
        plain = _setting(value)
        if not isinstance(key, str) or plain is None:
            raise Wrong(f"point {name!r}: setting {shown(key)} is {kind(value)}, not text or a number")
        cast[key] = plain
    return cast


def _setting(value: Any) -> Any:
    """Return text, a truth value or a number as Python's, None for anything else."""
    if isinstance(value, str):
        return value
    found = flag(value)
    return number(value) if found is None else found


def _metric_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    low_high = given["value_range"]
    if not isinstance(low_high, tuple | list) or len(low_high) != 2:
        raise Wrong(f"value_range is {kind(low_high)}, not the lowest and the highest score")
    low, high = (number(bound) for bound in low_high)
    if low is None or high is None or not low < high:
        raise Wrong(f"value_range ({shown(low_high[0])}, {shown(low_high[1])}) does not go from low to high")
    plain = isinstance(low_high, tuple) and all(type(bound) in (int, float) for bound in low_high)
    return {
        **{field: checks.text(given[field], field, least=field == "label") for field in _METRIC_TEXTS},
        "bibtex": checks.bibtex(given["bibtex"]),
        "higher_is_better": checks.truth(given["higher_is_better"], "higher_is_better"),
        "compares_waveforms": checks.truth(given["compares_waveforms"], "compares_waveforms"),
        "no_reference": checks.truth(given["no_reference"], "no_reference"),
        "sample_rate_hz": checks.rate(given["sample_rate_hz"], "sample_rate_hz"),
        "value_range": low_high if plain else (low, high),
        "version": checks.count(given["version"], "version"),
        "minimum_seconds": checks.not_negative(given["minimum_seconds"], "minimum_seconds"),
    }


def _attributes(plugin: Any, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Read attributes, given by name with what each should be; a property is a plugin's code."""
    found: dict[str, Any] = {}
    name = ""
    try:
        with guarded():
            for name in wanted:
                found[name] = getattr(plugin, name)
    except AttributeError as error:
        raise Wrong(f"{name} is missing ({wanted[name]}; {told(error)})") from None
    except Exception as error:
        raise Wrong(f"{name} cannot be read ({told(error)})") from None
    return found


def _put(plugin: Any, name: str, value: Any) -> None:
    """Set a cast value on the instance; metrics are frozen dataclasses, which this passes by."""
    try:
        object.__setattr__(plugin, name, value)
    except AttributeError:
        raise Wrong(f"{name} holds numbers of other types than Python's and is no plain attribute") from None


def _same_name(found: Any, name: str, what: str = "name") -> None:
    if type(found) is not str or found != name:
        raise Wrong(f"{what} is {shown(found)}, but the entry point is {name!r}; give both one name")


def _identical(one: Any, other: Any) -> bool:
    """Say whether two objects of a dataclass hold the same values of the same types."""
    pairs = [(getattr(one, item.name), getattr(other, item.name)) for item in fields(one)]
    return all(type(a) is type(b) and (a is b or a == b) for a, b in pairs)
