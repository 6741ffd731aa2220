"""The errors that a user may see.

Every message is one line that says what was wrong, where, and what to do next; the command line prints it
and exits with a non-zero status.  Anything that is not a `CodecBenchError` is a defect of this program.
"""

from __future__ import annotations

from codecbench.text import one_line


def told(error: BaseException) -> str:
    """Return an error of anybody's code as one line: its own where it is one of ours, else with its type."""
    try:
        text = one_line(str(error))
    except Exception:
        text = ""  # an error whose own message raises
    if isinstance(error, CodecBenchError) and text:
        return text
    name = one_line(type(error).__name__, 100)
    return f"{name}: {text}" if text else name


class CodecBenchError(Exception):
    """Base of all errors that are reported in one line, without a traceback."""


class InvalidInput(CodecBenchError):
    """A file, an option or a name given by the user cannot be used as it is."""


class WrongUsage(InvalidInput):
    """Options that cannot be used as they are: malformed, unknown, or at odds; the exit status is 2."""


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


class ContractBroken(Unavailable):
    """A plugin is not what it must be to enter a run; the message is for its author.

    It counts as unavailable, so that everything else of a run goes on.
    """

    def __init__(
        self, reason: str, remedy: str = "tell its author; docs/plugins.md says what is wanted"
    ) -> None:
        super().__init__(reason, remedy)


class BadReturn(CodecBenchError):
    """What a plugin returned is not what its contract says; only that cell or score fails."""


class PluginStopped(CodecBenchError):
    """A plugin tried to end the process (``sys.exit``) or to interrupt it; that is an error of its own."""


class Unscorable(CodecBenchError):
    """A metric cannot score a pair (silence, too short, ...); the message becomes the record's reason."""


class StorageError(CodecBenchError):
    """Results cannot be written (disk full, no permission); the run stops and what is stored stays whole."""
