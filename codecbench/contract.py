"""Validation of plugins where they enter a run, with messages for their author.

`codec` and `metric` return the plugin with numbers of numpy cast to Python's, or raise `ContractBroken`.
What its methods return during a run is the matter of `codecbench.returned`; what can only be found by coding
speech, of ``codecbench selftest --codec NAME``.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from codecbench.codec import Codec, CodecInfo, DecodedFiles, OperatingPoint
from codecbench.errors import CodecBenchError, ContractBroken, InvalidInput, Unavailable, told
from codecbench.guard import guarded
from codecbench.metric import Golden, Metric
from codecbench.names import NAME, WHAT_A_NAME_IS
from codecbench.plain import flag, kind, number, shown, whole
from codecbench.text import one_line

T = TypeVar("T")

RATES_HZ = (1_000, 384_000)

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
            raise _Wrong(f"golden is {kind(golden)}, not a codecbench.metric.Golden")
        signature(made)
        try:
            pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes: workers get their metrics so
        except Exception as error:
            raise _Wrong(f"cannot be sent to a worker ({told(error)}); give it plain fields") from None
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
        if _text(found, "signature()", least=1) != again:
            raise _Wrong(f"signature() gave {shown(found)}, then {shown(again)}; it must not change")
        return found


def point(plugin: Codec, name: str) -> OperatingPoint:
    """Return the operating point of a name; raises `InvalidInput` where there is none."""
    with _told(f"codec {plugin.info.name!r}"):
        with guarded():
            found = plugin.point(name)
        return _points((found,), any_rate=isinstance(plugin, DecodedFiles))[0]


class _Wrong(CodecBenchError):
    """What is wrong, still without whose."""


class _told:  # noqa: N801 - reads as a word in `with`
    """Say whose fault it was."""

    def __init__(self, who: str) -> None:
        self._who = who

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _Wrong):
            raise ContractBroken(f"{self._who}: {error}") from None
        if isinstance(error, Exception) and not isinstance(error, Unavailable | InvalidInput):
            raise ContractBroken(f"{self._who}: {told(error)}") from error


def _info(found: Any, name: str) -> CodecInfo:
    if not isinstance(found, CodecInfo):
        raise _Wrong(f"info is {kind(found)}, not a CodecInfo")
    _same_name(found.name, name, "info.name")
    delay = found.algorithmic_delay_ms
    cast: dict[str, Any] = {
        "name": name,
        **{field: _text(getattr(found, field), f"info.{field}") for field in _TEXTS},
        "sample_rate_hz": _rate(found.sample_rate_hz, "info.sample_rate_hz"),
        "frame_rate_hz": _maybe(_positive, found.frame_rate_hz, "info.frame_rate_hz"),
        "algorithmic_delay_ms": _maybe(_not_negative, delay, "info.algorithmic_delay_ms"),
        "causal": _flag(found.causal, "info.causal"),
        "parameters": _maybe(_count, found.parameters, "info.parameters"),
        "bandwidth_hz": _maybe(_count, found.bandwidth_hz, "info.bandwidth_hz"),
    }
    plain = CodecInfo(**cast)
    return found if type(found) is CodecInfo and _identical(found, plain) else plain


def _distributions(found: Any) -> None:
    if not isinstance(found, tuple) or not all(isinstance(name, str) and name for name in found):
        raise _Wrong(f"distributions is {shown(found)}, not a tuple of names of installed packages")


def _points(found: Any, *, any_rate: bool) -> tuple[OperatingPoint, ...]:
    if not isinstance(found, tuple | list):
        raise _Wrong(f"points is {kind(found)}, not a tuple of OperatingPoint")
    checked = tuple(_point(item, any_rate=any_rate) for item in found)
    names = [item.name for item in checked]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _Wrong(f"points has {twice[0]!r} twice; names are unique within a codec")
    if isinstance(found, tuple) and all(new is old for new, old in zip(checked, found, strict=True)):
        return found
    return checked


def _point(found: Any, *, any_rate: bool) -> OperatingPoint:
    if not isinstance(found, OperatingPoint):
        raise _Wrong(f"points holds {kind(found)}, not an OperatingPoint")
    name, kbps = found.name, number(found.nominal_kbps)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _Wrong(f"a point is named {shown(name)}; a name is {WHAT_A_NAME_IS}")
    # A folder of decoded files may have no rate that anybody knows.
    if kbps is None or not (0 < kbps < math.inf or (any_rate and math.isnan(kbps))):
        raise _Wrong(f"point {name!r} has nominal_kbps {shown(found.nominal_kbps)}, not kbit/s above 0")
    settings = _settings(found.settings, name)
    plain = OperatingPoint(name, kbps, settings, _flag(found.default, f"point {name!r}: default"))
    as_given = all(value is found.settings[key] for key, value in settings.items())
    return found if type(found) is OperatingPoint and as_given and _identical(found, plain) else plain


def _settings(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise _Wrong(f"point {name!r}: settings is {kind(found)}, not a mapping")
    cast: dict[str, Any] = {}
    for key, value in found.items():
        plain = _setting(value)
        if not isinstance(key, str) or plain is None:
            raise _Wrong(f"point {name!r}: setting {shown(key)} is {kind(value)}, not text or a number")
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
        raise _Wrong(f"value_range is {kind(low_high)}, not the lowest and the highest score")
    low, high = (number(bound) for bound in low_high)
    if low is None or high is None or not low < high:
        raise _Wrong(f"value_range ({shown(low_high[0])}, {shown(low_high[1])}) does not go from low to high")
    plain = isinstance(low_high, tuple) and all(type(bound) in (int, float) for bound in low_high)
    return {
        **{field: _text(get(field), field, least=field == "label") for field in _METRIC_TEXTS},
        "bibtex": _bibtex(get("bibtex")),
        "higher_is_better": _flag(get("higher_is_better"), "higher_is_better"),
        "sample_rate_hz": _rate(get("sample_rate_hz"), "sample_rate_hz"),
        "value_range": low_high if plain else (low, high),
        "version": _count(get("version"), "version"),
        "minimum_seconds": _not_negative(get("minimum_seconds"), "minimum_seconds"),
    }


def _attribute(plugin: Any, name: str, wanted: str) -> Any:
    try:
        with guarded():
            return getattr(plugin, name)
    except AttributeError as error:
        raise _Wrong(f"{name} is missing ({wanted}; {told(error)})") from None
    except Exception as error:
        raise _Wrong(f"{name} cannot be read ({told(error)})") from None


def _put(plugin: Any, name: str, value: Any) -> None:
    """Set a cast value on the instance; metrics are frozen dataclasses, which this passes by."""
    try:
        object.__setattr__(plugin, name, value)
    except AttributeError:
        raise _Wrong(f"{name} holds numbers of other types than Python's and is no plain attribute") from None


def _same_name(found: Any, name: str, what: str = "name") -> None:
    if type(found) is not str or found != name:
        raise _Wrong(f"{what} is {shown(found)}, but the entry point is {name!r}; give both one name")


def _text(value: Any, what: str, least: int = 0) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{what} is {kind(value)}, not text")
    if len(value) < least:
        raise _Wrong(f"{what} is empty")
    if one_line(value) != value:
        raise _Wrong(f"{what} is {shown(value)}; it must be one line of printable text")
    return str(value)


def _bibtex(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"bibtex is {kind(value)}, not text")
    for line in value.splitlines():
        if not line.replace("\t", " ").isprintable():
            raise _Wrong("bibtex holds characters that do not print")
    if value and not re.fullmatch(r"@\w+\{[\w:.+/-]+\s*,.*\}\s*", value.strip(), re.DOTALL):
        raise _Wrong(f"bibtex begins with {shown(value[:20])}; an entry is @type{{key, ...}}")
    return value


def _flag(value: Any, what: str) -> bool:
    found = flag(value)
    if found is None:
        raise _Wrong(f"{what} is {shown(value)}, not True or False")
    return found


def _count(value: Any, what: str) -> int:
    found = whole(value)
    if found is None or found < 0:
        raise _Wrong(f"{what} is {shown(value)}, not a whole number from 0")
    return found


def _rate(value: Any, what: str) -> int:
    low, high = RATES_HZ
    found = whole(value)
    if found is None or not low <= found <= high:
        raise _Wrong(f"{what} is {shown(value)}, not a whole number from {low} to {high}")
    return found


def _positive(value: Any, what: str) -> float:
    found = number(value)
    if found is None or not 0 < found < math.inf:
        raise _Wrong(f"{what} is {shown(value)}, not a finite number above 0")
    return found


def _not_negative(value: Any, what: str) -> float:
    found = number(value)
    if found is None or not 0 <= found < math.inf:
        raise _Wrong(f"{what} is {shown(value)}, not a finite number from 0")
    return found


def _maybe(check: Callable[[Any, str], T], value: Any, what: str) -> T | None:
    return None if value is None else check(value, what)


def _identical(one: Any, other: Any) -> bool:
    """Say whether two objects of a dataclass hold the same values of the same types."""
    pairs = [(getattr(one, item.name), getattr(other, item.name)) for item in fields(one)]
    return all(type(a) is type(b) and (a is b or a == b) for a, b in pairs)
