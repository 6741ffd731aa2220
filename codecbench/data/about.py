"""What a folder of speech says of itself in ``dataset.toml``: ``name``, ``licence``, ``description``."""

from __future__ import annotations

from pathlib import Path

from codecbench import registry
from codecbench.errors import InvalidInput
from codecbench.files import read_toml
from codecbench.names import NAME, WHAT_A_NAME_IS
from codecbench.text import one_line

ABOUT = "dataset.toml"
KEYS = ("name", "licence", "description")


def told(folder: Path) -> dict[str, str]:
    """Return the fields of the `Dataset` that a folder tells; none where it has no such file.

    Raises
    ------
    InvalidInput
        If the file is unreadable or not TOML, or has another key, or a value that is no line of text.
    """
    path = folder / ABOUT
    try:
        values = read_toml(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); correct its rights") from None
    except ValueError as error:
        raise InvalidInput(f"{path}: not TOML ({one_line(str(error))}); correct it") from None
    for key, value in values.items():
        if key not in KEYS:
            raise InvalidInput(f"{path}: {registry.unknown('key', key, KEYS)}; remove it")
        if not isinstance(value, str) or not value or one_line(value) != value:
            raise InvalidInput(f'{path}: {key} is no line of text; write e.g. {key} = "..."')
    if "name" in values and not NAME.fullmatch(values["name"]):
        raise InvalidInput(f"{path}: the name {values['name']!r} cannot be used; a name is {WHAT_A_NAME_IS}")
    return values
