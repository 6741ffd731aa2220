"""Plugin registry: entry points to codecs, metrics, datasets and commands, imported only when asked for.

A package registers with ``[project.entry-points."codecbench.codecs"]`` (``.metrics``, ``.datasets``,
``.commands``).  The object named there is called without arguments, or for a codec given as ``NAME:ARGUMENT``
with the argument (a checkpoint file), and returns a `Codec`, a `Metric`, or a dataset source.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

import click

from codecbench.errors import ContractBroken, InvalidInput, Unavailable, WrongUsage, told
from codecbench.guard import guarded
from codecbench.names import NAME, WHAT_A_NAME_IS
from codecbench.text import one_line

if TYPE_CHECKING:
    from codecbench.codec import Codec
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
        If its module cannot be imported, or it cannot be registered under that name.
    """
    table = _table(group)
    kind = group.rpartition(".")[2].removesuffix("s")
    if name not in table:
        raise WrongUsage(unknown(kind, name, table))
    point = _only(table[name], kind)
    try:
        with guarded(loading=True):
            factory: Any = point.load()
    except (ImportError, AttributeError) as error:
        reason = f"{name} cannot be loaded ({one_line(str(error))})"
        raise Unavailable(reason, "install or update the package that brings it") from error
    except Exception as error:
        raise ContractBroken(f"{kind} {name!r}: importing {point.module} failed ({told(error)})") from error
    if not callable(factory):
        raise ContractBroken(f"{kind} {name!r}: {point.value} is no class or function")
    return cast(Callable[..., Any], factory)


def codec(spec: str) -> Codec:
    """Make the codec named by ``NAME`` or ``NAME:ARGUMENT`` (without ``@POINT``), see `parse_codecs`.

    Raises
    ------
    InvalidInput
        If there is none of that name, or the argument cannot be used.
    Unavailable
        If its package is missing; `ContractBroken` if it is not what `codecbench.contract` says.
    """
    name, separator, argument = spec.partition(":")
    factory = load(CODECS, name)
    if not separator:
        made = _make("codec", name, factory)
    elif _takes_argument(factory):
        made = _make("codec", name, factory, argument)
    else:
        raise WrongUsage(f"codec {name!r} takes no argument, but {spec!r} gives {argument!r}")
    from codecbench import contract  # imports numpy, which the command line's help does not need

    return contract.codec(made, name)


def metric(name: str) -> Metric:
    """Make the metric of that name with its default recipe; raises like `codec`."""
    from codecbench import contract

    return contract.metric(_make("metric", name, load(METRICS, name)), name)


def dataset(name: str) -> Any:
    """Make the source of a registered dataset; raises like `codec`."""
    return _make("dataset", name, load(DATASETS, name))


def command(name: str) -> click.Command:
    """Return a command of a package: the object registered, or what it gives when called."""
    found: Any = load(COMMANDS, name)
    if not isinstance(found, click.Command):
        found = _make("command", name, found)
    if not isinstance(found, click.Command):
        from codecbench.plain import kind

        raise ContractBroken(f"command {name!r}: the entry point made {kind(found)}, not a click.Command")
    return found


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest known one and the whole list."""
    import difflib

    listed = sorted(known)
    close = difflib.get_close_matches(name, listed, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(listed)}"
    return f"unknown {kind} {name!r}; {hint}"


def _make(kind: str, name: str, factory: Callable[..., Any], *arguments: str) -> Any:
    try:
        with guarded(loading=True):
            return factory(*arguments)
    except (InvalidInput, Unavailable):
        raise
    except Exception as error:
        raise ContractBroken(f"{kind} {name!r} cannot be made ({told(error)})") from error


def _takes_argument(factory: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(factory).parameters)
    except (TypeError, ValueError):  # some callables of C have none to show
        return True


def _only(points: tuple[EntryPoint, ...], kind: str) -> EntryPoint:
    """Return the one entry point of a name; the suite's own cannot be taken, others must not collide."""
    name = points[0].name
    if not NAME.fullmatch(name):
        raise ContractBroken(f"{kind} {name!r}: a name is {WHAT_A_NAME_IS}")
    if len(points) == 1:
        return points[0]  # whose it is need not be read
    own = [point for point in points if _package(point) == "codecbench"]
    if not own and len({point.value for point in points}) > 1:
        packages = " and ".join(sorted(f"{point.value} of {_package(point)}" for point in points))
        raise ContractBroken(
            f"{kind} {name!r}: two packages register this name ({packages})", "uninstall one of them"
        )
    return (own or points)[0]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"


def _table(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Return all entry points of a group by name."""
    return _tables().get(group, {})


@cache
def _tables() -> dict[str, dict[str, tuple[EntryPoint, ...]]]:
    """Return our groups of entry points, read once: that opens a file of each installed package."""
    tables: dict[str, dict[str, tuple[EntryPoint, ...]]] = {}
    found = entry_points()
    for group in (CODECS, METRICS, DATASETS, COMMANDS):
        table = tables.setdefault(group, {})
        for point in found.select(group=group):
            table[point.name] = (*table.get(point.name, ()), point)
    return tables
