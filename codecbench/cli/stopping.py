"""Signals that ask us to stop: Ctrl-C, SIGTERM (``kill``, batch systems), SIGHUP (a closed terminal).

The first one ends the work in order: workers are ended, the terminal is restored, one line is said.  A second
one ends the program on the spot; what is stored is whole at any moment.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType

import click

MESSAGE = "codecbench: interrupted; what is stored stays, the same command continues"
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SHOW_CURSOR = b"\x1b[?25h\n"


class Stopping:
    """Which signal asked to stop, if one did."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._said = False

    def hear(self) -> None:
        """Answer these signals from now on, except those that the caller chose to ignore (``nohup``)."""
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._answer)

    def finish(self) -> int:
        """Say that the work was interrupted and return the exit status, as shells have it."""
        if not self._said:
            self._said = True
            # The terminal may be gone.
            with suppress(OSError):
                click.echo(MESSAGE, err=True)
        return 128 + (self.number or signal.SIGINT)

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            raise KeyboardInterrupt
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)
            if not self._said:
                os.write(2, f"{MESSAGE}\n".encode())
        os._exit(128 + self.number)
