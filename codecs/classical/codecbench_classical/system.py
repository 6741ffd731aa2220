"""Codec libraries of the operating system, through ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util

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
    # By its exact name first: this also looks into LD_LIBRARY_PATH, which find_library does not.
    for candidate in (
        f"lib{name}.so.{version}",
        f"lib{name}.{version}.dylib",
        ctypes.util.find_library(name),
    ):
        try:
            return ctypes.CDLL(candidate) if candidate else _missing(name, package)
        except OSError:
            continue
    return _missing(name, package)


def _missing(name: str, package: str) -> ctypes.CDLL:
    raise Unavailable(
        f"the system library lib{name} is not found",
        f"apt install {package}, or unpack that package and add its folder to LD_LIBRARY_PATH",
    )
