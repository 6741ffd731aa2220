"""The command line: one line an error, tables on stdout, all else on stderr.

Exit status: 0 done, 1 an error or (``--strict``) something left out, 2 wrong usage, 128 and the number of the
signal where one stopped it (130 for Ctrl-C).
Commands are imported when they are used; packages add their own through the entry-point group
``codecbench.commands``.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

import click

import codecbench
from codecbench import registry
from codecbench.cli.stopping import Stopping
from codecbench.errors import CodecBenchError, WrongUsage, told
from codecbench.guard import open_closed_streams, to_stderr
from codecbench.text import one_line


class Lazy(NamedTuple):
    """Where a command is, and the first line of its help, so that the list of commands imports none."""

    place: str
    first_line: str


COMMANDS = {
    "run": Lazy("codecbench.cli.run:run", "Push a speech set through codecs and score every utterance."),
    "score": Lazy(
        "codecbench.cli.score:score", "Score speech that codecs have decoded already, against its references."
    ),
    "list": Lazy(
        "codecbench.cli.listing:list_all",
        "Show codecs, metrics and datasets, one a line, and whether they can run here; or all about a NAME.",
    ),
    "report": Lazy(
        "codecbench.cli.results:report",
        "Write tables, plots and one page with players from one or several runs.",
    ),
    "merge": Lazy(
        "codecbench.cli.merging:merge",
        "Put runs of the same speech together: codecbench merge runs/x/shard-* --out runs/x.",
    ),
    "table": Lazy(
        "codecbench.cli.table:table",
        "Print the table of a stored run; as text and JSON, of the whole run, also write it to"
        " RUN/table.csv.",
    ),
    "compare": Lazy(
        "codecbench.cli.compare:compare",
        "Compare stored runs, or codecs, with the first one, on the utterances that both have.",
    ),
    "gate": Lazy(
        "codecbench.cli.gate:gate",
        "Decide whether NEW may replace BASE, from the paired differences on the utterances that both have.",
    ),
    "figure": Lazy(
        "codecbench.cli.figure:figure",
        "Draw one figure of one or several runs, made to be printed at its width in type of 8 pt.",
    ),
    "leaderboard": Lazy(
        "codecbench.cli.leaderboard:leaderboard",
        "Lay out RESULTS, files or folders that export --results wrote, as a leaderboard.",
    ),
    "export": Lazy(
        "codecbench.cli.results:export",
        "Write a run's records, a row a cell, as Parquet or CSV without tokens; or its means as JSON.",
    ),
    "check-published": Lazy(
        "codecbench.cli.published:check_published",
        "Flag scores of the run in OUT outside the published band for the same codec, rate and test set.",
    ),
    "listen": Lazy(
        "codecbench.cli.listen:listen", "Make a listening test from a run's kept audio, and read the answers."
    ),
    "encode": Lazy("codecbench.cli.coding:encode", "Code audio FILES into one .cbn file each."),
    "decode": Lazy(
        "codecbench.cli.coding:decode",
        "Decode .cbn FILES into one .wav file each, at the original's rate and length.",
    ),
    "weights": Lazy(
        "codecbench.cli.weights:weights",
        "List, fetch and verify the model files that codecs and metrics need.",
    ),
    "selftest": Lazy(
        "codecbench.cli.selftest:selftest",
        "Check metrics (all by default) against golden values, or codecs against the contract of codecs.",
    ),
}


class Commands(click.Group):
    """The group of all commands, own ones and plugins', each imported when it is needed."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return own commands in their order, then plugins'."""
        return [*COMMANDS, *(name for name in registry.names(registry.COMMANDS) if name not in COMMANDS)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if name in COMMANDS:
            module, _, attribute = COMMANDS[name].place.partition(":")
            return with_debug(getattr(importlib.import_module(module), attribute))
        if name not in registry.names(registry.COMMANDS):
            return None
        try:
            return with_debug(registry.command(name))
        except CodecBenchError as error:
            return _broken(name, error)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; only plugins' are imported for it."""
        names = self.list_commands(context)
        room = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short_help(context, name, room)) for name in names])

    def _short_help(self, context: click.Context, name: str, room: int) -> str:
        command = None if name in COMMANDS else self.get_command(context, name)
        shown = command or click.Command(name, help=COMMANDS[name].first_line)
        return shown.get_short_help_str(room)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command where one is unknown."""
        if args and not args[0].startswith("-") and self.get_command(context, args[0]) is None:
            context.fail(registry.unknown("command", args[0], self.list_commands(context)))
        return super().resolve_command(context, args)


def _debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ["CODECBENCH_DEBUG"] = "1"


def with_debug(command: click.Command) -> click.Command:
    """Give a command, and those of a group, the option ``--debug``, so that it may stand at the end too."""
    if all("--debug" not in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_debug,
                help="Show tracebacks of errors.",
            )
        )
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        with_debug(inner)
    return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(codecbench.__version__, "-V", "--version", prog_name="codecbench")
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_debug,
    help="Show tracebacks of errors.",
)
def cli() -> None:
    """Compare speech codecs honestly, at measured bitrates."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    open_closed_streams()
    stopping = Stopping()
    stopping.hear()
    status = status_of(list(sys.argv[1:] if argv is None else argv), stopping)
    # What libraries print at exit is not part of the output.
    to_stderr()
    sys.exit(status)


def status_of(argv: list[str], stopping: Stopping | None = None) -> int:
    """Run one command line and return its exit status; errors have been printed in one line."""
    stopping = stopping or Stopping()
    try:
        status = cli.main(argv, prog_name="codecbench", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return stopping.finish()
    except Exception as error:
        # An interruption that some library has turned into an error of its own is still one.
        return _explain(error) if stopping.number is None else stopping.finish()
    return status if isinstance(status, int) else 0


def _explain(error: Exception) -> int:
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone; nothing more can be said to it, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, CodecBenchError):
        return _fail(str(error), error, 2 if isinstance(error, WrongUsage) else 1)
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        return _fail(f"cannot write the output ({error.strerror}); free space or write it elsewhere", error)
    return _fail(
        f"a defect of this program or a plugin: {told(error)}; run codecbench --debug ... and report it",
        error,
    )


def _fail(message: str, error: Exception, status: int = 1) -> int:
    if os.environ.get("CODECBENCH_DEBUG"):
        traceback.print_exception(error)
    click.echo("codecbench: " + one_line(message), err=True)
    return status


def _broken(name: str, error: CodecBenchError) -> click.Command:
    """Return a command that says why a plugin cannot be loaded; a broken plugin must not break the help."""

    @click.command(
        name,
        help=f"({error})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def command() -> None:
        raise error

    return command
