"""Codec libraries of the operating system, through ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Iterator

from codecbench.errors import Unavailable


def load(name: str, version: int, package: str) -> ctypes.CDLL:
    """Load a shared library.

    Parameters
    ----------
    name : str
        Without prefix and suffix: ``"speex"`` for ``libspeex.so.1``.
    version : int
        The major version that its interface has here.
    package : str
        Debian's package, for the message.

    Raises
    ------
    Unavailable
        If it is not found; the remedy also works without root rights.
    """
    for candidate in _candidates(name, version):
        try:
            return ctypes.CDLL(candidate)
        except OSError:
            continue
    raise Unavailable(
        f"the system library lib{name} is not found",
        f"apt install {package}, or unpack that package and add its folder to LD_LIBRARY_PATH",
    )


def _candidates(name: str, version: int) -> Iterator[str]:
    yield f"lib{name}.so.{version}"
    yield f"lib{name}.{version}.dylib"
    # On Linux the loader knows all the places, and find_library would ask a compiler, of any version.
    if not sys.platform.startswith("linux") and (found := ctypes.util.find_library(name)):
        yield found
