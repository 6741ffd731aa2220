"""Assets of the page: files beside it, or inside it as data: URIs."""

from __future__ import annotations

import base64
import mimetypes
import re
import shutil
from pathlib import Path

from codecbench.report.clips import opus

_TYPES = {
    ".flac": "audio/flac",
    ".opus": "audio/ogg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
}


class Assets:
    """Collects files for the page under names made here, so that no name of an utterance reaches the disk.

    Parameters
    ----------
    folder : Path
        The report's folder.
    embed : bool
        Return data: URIs instead of writing files.
    opus : bool
        Code clips as Opus.
    """

    def __init__(self, folder: Path, embed: bool, opus: bool = False) -> None:
        self.folder = folder
        self.embed = embed
        self.opus = opus

    def clip(self, source: Path, name: str) -> str:
        """Take an audio file over under a name without suffix; return what the page's src attribute needs."""
        if self.opus:
            return self.write(opus(source), f"{name}.opus")
        name += source.suffix
        if self.embed:
            return data_uri(source.read_bytes(), source.suffix)
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return name

    def write(self, data: bytes, name: str) -> str:
        """Take bytes over under a relative name; return what the page's src attribute needs."""
        if self.embed:
            return data_uri(data, Path(name).suffix)
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return name


def data_uri(data: bytes, suffix: str) -> str:
    """Return a base64 data: URI for a file of that suffix."""
    kind = _TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def slug(text: str) -> str:
    """Return text reduced to what is safe in a file name and a URL."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:60] or "x"
