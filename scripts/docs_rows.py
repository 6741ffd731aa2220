"""Rows of generated tables: one for each plugin of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any

from codecbench.errors import CodecBenchError, Unavailable

NOTE = "<!-- Written by `make docs` from the code; do not edit. -->\n"


def rows(group: str, row: Callable[[str, Any], tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each plugin of this package; those of other packages are theirs to document."""
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        if point.dist is not None and point.dist.name != "codecbench":
            continue
        try:
            yield row(point.name, point.load()())
        except Unavailable as error:
            yield (f"`{point.name}`", error.reason)
        except Exception as error:
            raise CodecBenchError(f"{point.name} cannot be described: {error}") from error
