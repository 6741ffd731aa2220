"""HTTP downloads within bounds: never more than the pinned size, never slower than a floor, as they are.

`download` is the one way in which files come over the network, for weights and speech sets alike: it goes on
where a transfer broke off, and tells who watches of each piece.  A server may answer without end, compress on
its own, crawl, or announce another length.  Each is refused with its true reason, before the disk is full or
the evening over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from codecbench.errors import CodecBenchError

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes of it that have arrived, and all its bytes."""

ATTEMPTS = 5
PATIENCE_S = 2.0
TIMEOUT_S = 30.0
WINDOW_S = 60.0
FLOOR_BYTES_PER_S = 1000.0
"""The least speed, averaged over windows of `WINDOW_S`."""

_PIECE_BYTES = 1 << 13  # at most this much is lost when a transfer breaks off
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""Errors of a transfer that is worth another attempt."""


class Refused(CodecBenchError):
    """The answer is not what is pinned, or would never end; another attempt would bring the same."""


@dataclass(frozen=True)
class Transfer:
    """One answer: where its bytes begin within the file, and the bytes."""

    begin: int
    pieces: Iterator[bytes]


def download(url: str, path: Path, size_bytes: int, progress: Progress | None = None, name: str = "") -> None:
    """Bring a file of known size to ``path``, from where it ends there; as ``name`` to who watches.

    Raises
    ------
    Refused, requests.RequestException
        See `get`; of broken connections the last of `ATTEMPTS` in a row that brought nothing.
    """
    attempt, had = 0, -1
    while True:
        try:
            _continue(url, path, size_bytes, progress, name or path.name)
            return
        except BROKEN:
            # Only attempts that bring nothing count: a large set may break off many times.
            have = _size(path)
            attempt, had = (1 if have > had else attempt + 1), have
            if attempt >= ATTEMPTS:
                raise
            time.sleep(PATIENCE_S * attempt)


def _continue(url: str, path: Path, size_bytes: int, progress: Progress | None, name: str) -> None:
    """Bring what is missing of a file; from its beginning where the server cannot continue."""
    have = _size(path)
    if have >= size_bytes:
        return  # nothing is missing, or the part is longer than the file: the hash will tell
    with get(url, size_bytes, have) as answer:
        done = answer.begin
        with path.open("ab" if done else "wb") as file:
            for piece in answer.pieces:
                file.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(name, done, size_bytes)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def get(url: str, size_bytes: int, have: int = 0) -> Iterator[Transfer]:
    """Ask for a file of known size, from an offset on; the server may begin at 0 all the same.

    Raises
    ------
    Refused
        If the server announces or sends another size, compresses the transfer, or is slower than the floor.
    requests.RequestException
        If the connection breaks or the server answers with an error.
    """
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        response.raise_for_status()
        begin = have if response.status_code == requests.codes.partial_content else 0
        _check_headers(response.headers, begin, size_bytes)
        yield Transfer(begin, _pieces(response.raw, size_bytes - begin))


def _check_headers(headers: Any, begin: int, size_bytes: int) -> None:
    encoding = headers.get("Content-Encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise Refused(f"the server sends it compressed as {encoding}, though asked not to")
    whole = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("Content-Range", ""))
    length = headers.get("Content-Length", "")
    told = int(whole[1]) if whole else begin + int(length) if length.isdecimal() else size_bytes
    if told != size_bytes:
        raise Refused(f"the server announces {told} bytes where {size_bytes} are pinned; it has another file")


def _pieces(raw: Any, wanted: int) -> Iterator[bytes]:
    """Yield what comes, as it comes: waiting for whole pieces would hide how slowly they fill."""
    arrived, window, since = 0, 0, time.monotonic()
    while arrived < wanted:
        piece = _read(raw, min(_PIECE_BYTES, wanted - arrived))
        if not piece:
            raise requests.ConnectionError(f"connection closed {wanted - arrived} bytes before the end")
        arrived, window = arrived + len(piece), window + len(piece)
        yield piece
        passed = time.monotonic() - since
        if passed >= WINDOW_S:
            if window < FLOOR_BYTES_PER_S * passed:
                raise Refused(
                    f"the server sends {window / passed:.0f} bytes a second; under {FLOOR_BYTES_PER_S:.0f} "
                    "it would not end"
                )
            window, since = 0, time.monotonic()
    if _read(raw, 1):
        raise Refused(f"the server sends more than the {wanted} bytes that were left")


def _read(raw: Any, most: int) -> bytes:
    try:
        return bytes(raw.read1(most))
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ConnectionError(f"nothing came for {TIMEOUT_S:.0f} s") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise requests.ConnectionError(f"connection broke ({error})") from error
