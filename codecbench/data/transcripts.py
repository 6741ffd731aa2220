"""What was said, where a set has it: LibriSpeech's ``.trans.txt`` beside the audio, lines ``ID TEXT``.

A column ``text`` of the set's manifest or list comes first; see `codecbench.data.folders`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.text import shown_name

COLUMN = "text"
"""Where an utterance's transcript stands among what is known of it."""
SUFFIX = ".trans.txt"
_MOST_BYTES = 1 << 26


def beside(paths: Sequence[Path]) -> list[str]:
    """Return the transcript of each audio file by the lists in its own folder; "" for none.

    Raises
    ------
    InvalidInput
        If a list cannot be read, is not UTF-8, or two lines give one file different texts.
    """
    folders = {path.parent: dict[str, str]() for path in paths}
    for folder, texts in folders.items():
        for file, line, ident, text in _lines(folder):
            if texts.setdefault(ident, text) != text:
                raise InvalidInput(
                    f"{shown_name(file)}, line {line}: another text for {ident!r} than before; remove one"
                )
    return [folders[path.parent].get(path.stem, "") for path in paths]


def _lines(folder: Path) -> Iterator[tuple[Path, int, str, str]]:
    """Yield file, line number, id and text of all lists in a folder; lines without a text are passed over."""
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        for number, line in enumerate(_read(file).splitlines(), start=1):
            ident, _, text = line.strip().partition(" ")
            if text:
                yield file, number, ident, " ".join(text.split())


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidInput(
                f"{shown_name(file)}: larger than {_MOST_BYTES >> 20} MiB; is it a list of transcripts?"
            )
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{shown_name(file)}: not text in UTF-8 ({error}); correct or remove it") from None
    except OSError as error:
        raise InvalidInput(
            f"{shown_name(file)}: cannot be read ({error.strerror}); check permissions"
        ) from None
