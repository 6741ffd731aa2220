"""Write the generated pages of ``docs/``: the command line and the tables of codecs, metrics and datasets.

Of README.md, docs/regression.md and model cards it writes measured figures alone.

``python scripts/write_docs.py`` writes them, ``--check`` compares them with the code and fails where they
differ.  Nothing on a page depends on the machine: what can run here is what ``codecbench list`` tells.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from codecbench import registry
from codecbench.cli import COMMANDS, cli
from docs_of_metrics import judges_page, metrics_page
from docs_of_reference import readme, thesis_page
from docs_rows import NOTE, rows
from spliced import CARDS, ROOT, card, splice, table

FOLDER = ROOT / "docs"
GATE_EXAMPLE = FOLDER / "measured" / "gate-example.csv"
"""What scripts/gate_example.py found."""
WIDTH = 96


def check_installed() -> None:
    """Refuse to write tables of what an older installation has registered.

    Raises
    ------
    ClickException
        If an entry point of ``pyproject.toml`` is not installed.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for group, named in project["entry-points"].items():
        if missing := named.keys() - entry_points(group=group).names:
            raise click.ClickException(
                f"{group} {', '.join(sorted(missing))}: in pyproject.toml but not installed; "
                "run: pip install --no-deps -e ."
            )


def pages() -> Mapping[str, str]:
    """Return the text of every generated page by its path."""
    return {
        "README.md": readme(),
        "docs/thesis.md": thesis_page(),
        "docs/cli.md": _cli_page(),
        "docs/codecs.md": _codecs_page(),
        "docs/metrics.md": metrics_page(),
        "docs/data.md": _data_page(),
        "docs/judges.md": judges_page(),
        "docs/regression.md": _regression_page(),
        **{f"codecs/{name}/README.md": card(name) for name in CARDS},
    }


def outdated(folder: Path = ROOT) -> list[str]:
    """Return the names of pages that are missing or differ from the code."""
    return [name for name, text in pages().items() if not _same(folder / name, text)]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where a page is outdated.")
def main(check: bool) -> None:
    """Write the generated pages of docs/."""
    check_installed()
    stale = outdated()
    if check and stale:
        raise click.ClickException(f"outdated: {', '.join(stale)}; run: make docs")
    for name in stale:
        (ROOT / name).write_text(pages()[name], encoding="utf-8")
        click.echo(f"wrote {name}")


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _cli_page() -> str:
    context = click.Context(cli, info_name="codecbench", terminal_width=WIDTH, **cli.context_settings)
    parts = [f"# Command line\n\n{NOTE}", _section(context, cli, "codecbench")]
    for name in _own_commands():
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, terminal_width=WIDTH)
        parts.append(f"## codecbench {name}\n\n" + _section(inner, command, f"codecbench {name}"))
        if isinstance(command, click.Group):
            for child_name, child in command.commands.items():
                innermost = click.Context(child, info_name=child_name, parent=inner, terminal_width=WIDTH)
                title = f"codecbench {name} {child_name}"
                parts.append(f"### {title}\n\n" + _section(innermost, child, title))
    return "\n".join(parts)


def _section(context: click.Context, command: click.Command, title: str) -> str:
    if command is cli:
        rows = [(name, _short(context, name)) for name in _own_commands()]
        return f"{command.help}\n\n" + table(("command", "what it does"), rows)
    return f"```\n$ {title} --help\n{command.get_help(context)}\n```\n"


def _own_commands() -> list[str]:
    """Return the suite's commands and those of the project's codecs; other packages document theirs."""
    plugins = entry_points(group=registry.COMMANDS)
    own = [point.name for point in plugins if point.dist is not None and point.dist.name == "codecbench"]
    return [*COMMANDS, *sorted(set(own) - COMMANDS.keys())]


def _short(context: click.Context, name: str) -> str:
    command = cli.get_command(context, name)
    return command.get_short_help_str(200) if command else ""


def _codecs_page() -> str:
    def row(name: str, codec: Any) -> tuple[str, ...]:
        info = codec.info
        licences = ", ".join(dict.fromkeys(filter(None, (info.licence, info.weights_licence))))
        late = [codec.delay_ms(point) for point in codec.points if point.default]
        delay = " to ".join(f"{ms:g}" for ms in sorted({min(late), max(late)})) if None not in late else ""
        default = " ".join(point.name for point in codec.points if point.default)
        others = " ".join(point.name for point in codec.points if not point.default)
        source = f"[{info.citation or info.url}]({info.url})" if info.url else info.citation
        rate = f"{info.sample_rate_hz / 1000:g}"
        return (f"`{name}`", info.description, rate, default, others, delay, licences, source)

    head = ("codec", "description", "kHz", "default points", "other points", "delay, ms", "licence", "source")
    text = (
        "A point is named by its nominal rate in kbit/s where nothing else is said.  The rate in tables and\n"
        "plots is the measured one.  `codecbench list` tells which codecs can run on your machine, and what\n"
        "the others need.  A licence of code is followed by that of the weights where they differ.\n\n"
    )
    return f"# Codecs\n\n{NOTE}\n{text}" + table(head, rows(registry.CODECS, row))


def _data_page() -> str:
    def row(name: str, source: Any) -> tuple[str, ...]:
        size = f"{source.size_bytes / 1e6:,.0f} MB" if source.size_bytes else "in the package"
        return (f"`{name}`", source.description, source.licence, size)

    text = (
        "`--data NAME` takes a set of this table, downloaded once; `--data FOLDER` any folder of audio. "
        "Where a folder has a set's name, `./NAME` is the folder and `set:NAME` the set.\n\n"
    )
    sets = table(("name", "description", "licence", "size"), rows(registry.DATASETS, row))
    return f"# Datasets\n\n{NOTE}\n{text}{sets}{_FOLDERS}"


_FOLDERS = """
## Folders

Audio is found at any depth; linked folders are followed once. Names that begin with a dot, folders that
hold a run, a report or a listening test, `--out`, `--deg`, pipes and devices are passed over, and audio
that cannot be read is counted on stderr. libsndfile reads WAV, FLAC, OGG, Opus, MP3, AIFF, AU, SPHERE, W64,
CAF and more; PyAV adds M4A, AAC, AMR, WMA and more.

A folder may say of itself in `dataset.toml` what reports print: `name`, `licence`, `description`. With a
`manifest.csv` (columns `file` and `speaker`) the set is what it lists. Else speakers come from how
known corpora name files and folders, or from one folder a speaker; the first lines on stderr say which.
A column `licence` with one value for all files is that of the set.
A column `text` is what was said, for `wer` and `cer`; without one LibriSpeech's `*.trans.txt` beside the
audio are read. Two runs whose transcripts of an utterance differ are not put together.

`score --ref DIR --deg DIR` pairs files by their path below the folders, without suffix. Where there is no
such file, the last part of the path counts, if it is unique in both folders.
"""


def _regression_page() -> str:
    """Return the page as it stands, with the table of the worked example made anew."""
    with GATE_EXAMPLE.open(newline="", encoding="utf-8") as file:
        found = _gate_table(list(csv.DictReader(file)))
    return splice(FOLDER / "regression.md", "measured/gate-example.csv", found)


def _gate_table(rows: list[dict[str, str]]) -> str:
    """Return a row a checkpoint, its gains on the largest sample, and what each sample size found."""
    sizes = list(dict.fromkeys(row["utterances"] for row in rows))
    heads = ["new weights", "STOI", "PESQ-WB", "MCD, dB", *(f"{size} utterances" for size in sizes)]
    found = {(row["kind"], row["value"], row["utterances"]): row for row in rows}
    lines = []
    for kind, value in dict.fromkeys((row["kind"], row["value"]) for row in rows):
        name = f"noise of {value} %" if kind == "noise" else f"commit {value}"
        last = found[kind, value, sizes[-1]]
        gains = [f"{float(last[f'{metric}_gain']):+.2g}" for metric in ("stoi", "pesq-wb", "mcd")]
        lines.append((name, *gains, *(_gate_cell(found[kind, value, size]) for size in sizes)))
    return table(tuple(heads), lines)


def _gate_cell(row: dict[str, str]) -> str:
    return row["verdict"] + ("" if row["draws"] == "1" else f" ({row['caught_percent']} %)")


if __name__ == "__main__":
    main()
