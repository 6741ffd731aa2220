"""Validation of plugins where they enter a run, with messages for their author.

`codec` and `metric` return the plugin with numbers of numpy cast to Python's, or raise `ContractBroken`.
What its methods return during a run is the matter of `codecbench.returned`; what can only be found by coding
speech, of ``codecbench selftest --codec NAME``.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Mapping
from typing import Any

from codecbench.codec import Codec, CodecInfo, DecodedFiles, OperatingPoint
from codecbench.errors import ContractBroken, InvalidInput, Unavailable, told
from codecbench.guard import guarded
from codecbench.metric import Golden, Metric
from codecbench.plain import flag, kind, number, shown
from codecbench.text import one_line
from codecbench.wanted import (
    Wrong,
    a_bibtex,
    a_count,
    a_flag,
    a_not_negative,
    a_positive,
    a_rate,
    a_text,
    identical,
    maybe,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of plugins and points: they stand in command lines (``NAME:FILE@POINT+POINT``) and in paths."""

WHAT_A_NAME_IS = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"

_TEXTS = ("description", "version", "licence", "weights_licence", "kind", "citation", "url")
_METRIC_TEXTS = ("label", "unit", "library", "citation")


def codec(made: Any, name: str) -> Codec:
    """Return what a codec's entry point made, checked, under the name it is registered under."""
    if not isinstance(made, Codec):
        raise ContractBroken(f"codec {name!r}: the entry point made {kind(made)}, not a codecbench.Codec")
    with _told(f"codec {name!r}"):
        info = _info(_attribute(made, "info", "a CodecInfo"), name)
        _distributions(_attribute(made, "distributions", "names of installed packages"))
        given = _attribute(made, "points", "a tuple of OperatingPoint")
        points = _points(given, any_rate=isinstance(made, DecodedFiles))
        if info is not made.info:
            _put(made, "info", info)
        if points is not given:
            _put(made, "points", points)
    return made


def metric(made: Any, name: str) -> Metric:
    """Return what a metric's entry point made, checked, under the name it is registered under."""
    if not isinstance(made, Metric):
        raise ContractBroken(f"metric {name!r}: the entry point made {kind(made)}, not a codecbench.Metric")
    with _told(f"metric {name!r}"):
        _same_name(_attribute(made, "name", "its name"), name)
        for field, value in _metric_fields(made).items():
            if value is not getattr(made, field):
                _put(made, field, value)
        _distributions(_attribute(made, "distributions", "names of installed packages"))
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
        if a_text(found, "signature()", least=1) != again:
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
        **{field: a_text(getattr(found, field), f"info.{field}") for field in _TEXTS},
        "sample_rate_hz": a_rate(found.sample_rate_hz, "info.sample_rate_hz"),
        "frame_rate_hz": maybe(a_positive, found.frame_rate_hz, "info.frame_rate_hz"),
        "algorithmic_delay_ms": maybe(a_not_negative, delay, "info.algorithmic_delay_ms"),
        "causal": a_flag(found.causal, "info.causal"),
        "keeps_waveform": a_flag(found.keeps_waveform, "info.keeps_waveform"),
        "parameters": maybe(a_count, found.parameters, "info.parameters"),
        "bandwidth_hz": maybe(a_count, found.bandwidth_hz, "info.bandwidth_hz"),
    }
    plain = CodecInfo(**cast)
    return found if type(found) is CodecInfo and identical(found, plain) else plain


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
    default = a_flag(found.default, f"point {name!r}: default")
    frame_rate = maybe(a_positive, found.frame_rate_hz, f"point {name!r}: frame_rate_hz")
    plain = OperatingPoint(name, kbps, settings, default, frame_rate)
    as_given = all(value is found.settings[key] for key, value in settings.items())
    return found if type(found) is OperatingPoint and as_given and identical(found, plain) else plain


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


def _metric_fields(made: Metric) -> dict[str, Any]:
    def get(field: str) -> Any:
        return _attribute(made, field, "see codecbench/metric.py")

    low_high = get("value_range")
    if not isinstance(low_high, tuple | list) or len(low_high) != 2:
        raise Wrong(f"value_range is {kind(low_high)}, not the lowest and the highest score")
    low, high = (number(bound) for bound in low_high)
    if low is None or high is None or not low < high:
        raise Wrong(f"value_range ({shown(low_high[0])}, {shown(low_high[1])}) does not go from low to high")
    plain = isinstance(low_high, tuple) and all(type(bound) in (int, float) for bound in low_high)
    return {
        **{field: a_text(get(field), field, least=field == "label") for field in _METRIC_TEXTS},
        "bibtex": a_bibtex(get("bibtex")),
        "higher_is_better": a_flag(get("higher_is_better"), "higher_is_better"),
        "compares_waveforms": a_flag(get("compares_waveforms"), "compares_waveforms"),
        "sample_rate_hz": a_rate(get("sample_rate_hz"), "sample_rate_hz"),
        "value_range": low_high if plain else (low, high),
        "version": a_count(get("version"), "version"),
        "minimum_seconds": a_not_negative(get("minimum_seconds"), "minimum_seconds"),
    }


def _attribute(plugin: Any, name: str, wanted: str) -> Any:
    try:
        with guarded():
            return getattr(plugin, name)
    except AttributeError as error:
        raise Wrong(f"{name} is missing ({wanted}; {told(error)})") from None
    except Exception as error:
        raise Wrong(f"{name} cannot be read ({told(error)})") from None


def _put(plugin: Any, name: str, value: Any) -> None:
    """Set a cast value on the instance; metrics are frozen dataclasses, which this passes by."""
    try:
        object.__setattr__(plugin, name, value)
    except AttributeError:
        raise Wrong(f"{name} holds numbers of other types than Python's and is no plain attribute") from None


def _same_name(found: Any, name: str, what: str = "name") -> None:
    if type(found) is not str or found != name:
        raise Wrong(f"{what} is {shown(found)}, but the entry point is {name!r}; give both one name")
