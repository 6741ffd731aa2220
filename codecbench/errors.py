"""The errors that a user may see.

Every message is one line that says what was wrong, where, and what to do next; the command line prints it
and exits with a non-zero status.  Anything that is not a `CodecBenchError` is a defect of this program.
"""

from __future__ import annotations


class CodecBenchError(Exception):
    """Base of all errors that are reported in one line, without a traceback."""


class InvalidInput(CodecBenchError):
    """A file, an option or a name given by the user cannot be used as it is."""


class InvalidPayload(CodecBenchError):
    """Coded bytes are damaged, truncated, or belong to another codec or model."""


class Unavailable(CodecBenchError):
    """A codec, metric or dataset cannot run on this machine.

    Parameters
    ----------
    reason : str
        What is missing, e.g. ``"model files not found in ~/.cache/codecbench/weights/lyra"``.
    remedy : str
        What to do about it, e.g. ``"run: codecbench weights fetch lyra"``.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[Unavailable], tuple[str, str]]:
        return type(self), (self.reason, self.remedy)


class Unscorable(CodecBenchError):
    """A metric cannot score a pair (silence, too short, ...); the message becomes the record's reason."""


class StorageError(CodecBenchError):
    """Results cannot be written (disk full, no permission); the run stops and what is stored stays whole."""
