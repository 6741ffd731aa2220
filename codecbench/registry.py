"""Find codecs, metrics, datasets and commands: entry points, imported only when asked for.

A package registers with ``[project.entry-points."codecbench.codecs"]`` (``.metrics``, ``.datasets``,
``.commands``).  The object named there is called without arguments, or for a codec given as ``NAME:ARGUMENT``
with the argument (a checkpoint file), and returns a `Codec`, a `Metric`, or a dataset source.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from codecbench.codec import Codec
from codecbench.errors import CodecBenchError, InvalidInput, Unavailable
from codecbench.metric import Metric

CODECS, METRICS = "codecbench.codecs", "codecbench.metrics"
DATASETS, COMMANDS = "codecbench.datasets", "codecbench.commands"


def names(group: str) -> list[str]:
    """Return the registered names of a group, sorted; nothing is imported."""
    return sorted(_table(group))


def load(group: str, name: str) -> Callable[..., Any]:
    """Import and return the factory registered under a name.

    Raises
    ------
    InvalidInput
        If the name is unknown; the message suggests the nearest one.
    Unavailable
        If its module cannot be imported.
    """
    table = _table(group)
    if name not in table:
        raise InvalidInput(unknown(group.rpartition(".")[2].removesuffix("s"), name, table))
    try:
        factory: Callable[..., Any] = table[name].load()
    except (ImportError, AttributeError) as error:
        reason = f"{name} cannot be loaded ({error})"
        raise Unavailable(reason, "install or update the package that brings it") from error
    return factory


def codec(spec: str) -> Codec:
    """Make the codec named by ``NAME`` or ``NAME:ARGUMENT`` (without ``@POINT``), see `parse_codecs`."""
    name, separator, argument = spec.partition(":")
    factory = load(CODECS, name)
    if not separator:
        made = factory()
    elif inspect.signature(factory).parameters:
        made = factory(argument)
    else:
        raise InvalidInput(f"codec {name!r} takes no argument, but {spec!r} gives {argument!r}")
    if not isinstance(made, Codec):
        raise CodecBenchError(
            f"plugin {name!r} made a {type(made).__name__}, not a codec; report it to its author"
        )
    return made


def metric(name: str) -> Metric:
    """Make the metric of that name with its default recipe."""
    made = load(METRICS, name)()
    if not isinstance(made, Metric):
        raise CodecBenchError(
            f"plugin {name!r} made a {type(made).__name__}, not a metric; report it to its author"
        )
    return made


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest known one and the whole list."""
    listed = sorted(known)
    close = difflib.get_close_matches(name, listed, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(listed)}"
    return f"unknown {kind} {name!r}; {hint}"


@cache
def _table(group: str) -> dict[str, EntryPoint]:
    table: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in table and table[point.name].value != point.value:
            raise CodecBenchError(
                f"{group}: two packages register {point.name!r} "
                f"({table[point.name].value} and {point.value}); uninstall one"
            )
        table[point.name] = point
    return table
