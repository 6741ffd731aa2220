"""Ways to damage data: bytes, JSON, lines of text, safetensors, archives, by one generator of chance."""

from __future__ import annotations

import copy
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 1e-320, float("nan"), float("inf"), 2**31, 2**63, -(2**63), 2**70,
    "", " ", "0", "-1", "nan", "x", "\ud800", "\0", "../../x", "/etc/passwd", "a" * 5000, "=1+1", "\x1b[2J",
    [], {}, [[]], [None], {"": 1}, [1, "2", None],
)  # fmt: skip
"""Values that stand where another belongs."""

_MEMBERS = (
    "a/b.wav",
    "../out",
    "/abs",
    "C:\\x",
    "a//b",
    "a/./b",
    "..",
    ".",
    "",
    "a" * 300,
    "\udcff",
    "a\nb",
    "a/b.wav/c",
)
_DEEP = (b"[" * 50_000, b'{"a":' * 50_000)


def damaged(data: bytes, chance: Random) -> bytes:
    """Return bytes after one to four changes: bits, bytes, pieces lost, moved or repeated, all of it."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        change_bytes(changed, chance)
    return bytes(changed)


def change_bytes(data: bytearray, chance: Random) -> None:
    """Change bytes once, in place."""
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice((1, 1, 2, 4, 16, 256)))
    match chance.randrange(9):
        case 0 if start < len(data):
            data[start] ^= 1 << chance.randrange(8)
        case 1:
            data[start:end] = chance.randbytes(end - start)
        case 2:
            data[start:end] = chance.choice((b"\0", b"\xff", b"\x80")) * (end - start)
        case 3:
            del data[start:]
        case 4:
            del data[start:end]
        case 5:
            data[start:start] = data[start:end] * chance.choice((1, 2, 50))
        case 6:
            data[start:start] = chance.randbytes(chance.choice((1, 4, 300)))
        case 7:
            data[:] = (
                chance.randbytes(len(data))
                if chance.random() < 0.5
                else chance.choice((b"", b"\0")) * len(data)
            )
        case _:
            other = chance.randrange(len(data) + 1)
            data[start:end] = data[other : other + end - start]


def damaged_json(text: str, chance: Random) -> bytes:
    """Return a JSON document with other values, lost, doubled or renamed fields, or damaged as bytes."""
    if chance.random() < 0.15:
        return damaged(text.encode(), chance)
    if chance.random() < 0.02:
        return chance.choice(_DEEP)
    return json.dumps(changed_value(json.loads(text), chance)).encode()


def changed_value(value: Any, chance: Random) -> Any:
    """Return a copy of a JSON value with one to three places changed."""
    held = [copy.deepcopy(value)]
    for _ in range(chance.choice((1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        _collect(held, places)
        container, key = chance.choice(places)
        _change(container, key, places, chance)
        if not held:
            held = [None]
    return held[0]


def _collect(container: Any, places: list[tuple[Any, Any]]) -> None:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in items:
        places.append((container, key))
        if isinstance(value, dict | list):
            _collect(value, places)


def _change(container: Any, key: Any, places: list[tuple[Any, Any]], chance: Random) -> None:
    value = container[key]
    match chance.randrange(6):
        case 0:
            del container[key]
        case 1 if isinstance(value, int | float):
            container[key] = chance.choice((-value, value + 1, value * 1000, value / 3, str(value)))
        case 2:
            other, place = chance.choice(places)
            container[key] = copy.deepcopy(other[place])
        case 3 if isinstance(container, dict):
            container[f"{key}{chance.choice(('', '_', ' '))}x"] = container.pop(key)
        case 4 if isinstance(container, list):
            container.extend([copy.deepcopy(value)] * chance.choice((1, 20)))
        case _:
            container[key] = chance.choice(ODD)


def damaged_json_lines(text: str, chance: Random) -> bytes:
    """Return JSON lines with one line changed, lost, doubled, moved or torn."""
    lines = text.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            lines.insert(chance.randrange(len(lines)), lines.pop(place))
        case 1:
            lines.insert(place, lines[place])
        case 2:
            return damaged(text.encode(), chance)
        case _:
            lines[place] = damaged_json(lines[place], chance).decode("utf-8", "replace") + "\n"
    return "".join(lines).encode("utf-8", "surrogatepass")


def damaged_text(text: str, chance: Random) -> bytes:
    """Return text with words replaced, lines lost or doubled, or damaged as bytes."""
    if chance.random() < 0.2:
        return damaged(text.encode(), chance)
    lines = text.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0 if len(lines) > 1:
                del lines[place]
            case 1:
                lines.insert(chance.randrange(len(lines)), lines[place])
            case _:
                separator = chance.choice((",", " ", "=", "."))
                words = lines[place].split(separator)
                odd = chance.choice(ODD)
                words[chance.randrange(len(words))] = odd if isinstance(odd, str) else json.dumps(odd)
                lines[place] = separator.join(words)
    return "".join(lines).encode("utf-8", "surrogatepass")


def damaged_safetensors(data: bytes, chance: Random) -> bytes:
    """Return a safetensors file with its header or the JSON in its metadata changed, or damaged bytes."""
    size = struct.unpack("<Q", data[:8])[0]
    if chance.random() < 0.2:
        head = bytearray(data[: 8 + size])
        change_bytes(head, chance)
        return bytes(head) + data[8 + size :]
    header = json.loads(data[8 : 8 + size])
    metadata = header["__metadata__"]
    if chance.random() < 0.7:
        name = chance.choice(sorted(metadata))
        try:
            metadata[name] = json.dumps(changed_value(json.loads(metadata[name]), chance))
        except ValueError:
            metadata[name] = str(chance.choice(ODD))
    else:
        header = changed_value(header, chance)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def hostile_archive(chance: Random) -> bytes:
    """Return a zip or tar archive with members as no honest one has them, half of the time damaged too."""
    made = io.BytesIO()
    build: Callable[[io.BytesIO, Random], None] = chance.choice((_zip, _tar))
    build(made, chance)
    data = made.getvalue()
    return damaged(data, chance) if chance.random() < 0.5 else data


def _zip(target: io.BytesIO, chance: Random) -> None:
    with zipfile.ZipFile(target, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made:
        for name in chance.sample(_MEMBERS, chance.randint(1, 4)):
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.external_attr = chance.choice((0, 0o100644, 0o120777, 0o040755, 0o020666)) << 16
            made.writestr(info, chance.choice((b"", b"RIFF", bytes(100_000))))


def _tar(target: io.BytesIO, chance: Random) -> None:
    kinds = (
        tarfile.REGTYPE,
        tarfile.REGTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.DIRTYPE,
        b"?",
    )
    with tarfile.open(fileobj=target, mode=chance.choice(("w", "w:gz", "w:xz"))) as made:
        for name in chance.sample(_MEMBERS, chance.randint(1, 4)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = chance.choice(kinds), chance.choice(("../x", "/etc/passwd", ""))
            content = chance.choice((b"", b"RIFF", bytes(100_000)))
            info.size = len(content) if info.type == tarfile.REGTYPE else 0
            made.addfile(info, io.BytesIO(content))
