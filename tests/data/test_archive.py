"""Downloads against a local server: resumed, refused when damaged or hostile, complete or absent."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codecbench import transfer
from codecbench.data import archive
from codecbench.data.archive import Archive, install
from codecbench.errors import Unavailable


@dataclass
class Server:
    """A server of one file; ``cuts`` are the bytes after which it closes the next connections."""

    content: bytes = b""
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int = 200
    requests: list[str | None] = field(default_factory=list)
    url: str = ""
    gate: threading.Event | None = None

    def archive(self, **changes: object) -> Archive:
        known_hash = f"sha256:{hashlib.sha256(self.content).hexdigest()}"
        return Archive(
            **{"urls": (self.url,), "known_hash": known_hash, "size_bytes": len(self.content), **changes}
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.requests.append(wanted)
            if served.gate:
                served.gate.wait(10)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.ranges else 0
            body = served.content[start:]
            self.send_response(served.status if served.status != 200 else 206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: served.cuts.pop(0)] if served.cuts else body)

        def log_message(self, *arguments: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{listener.server_port}/set.tar.gz"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(transfer, "PATIENCE_S", 0.01)
    yield served
    listener.shutdown()
    thread.join()
    listener.server_close()


def _tar(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def _zip(*members: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            made.writestr(info, content)
    return buffer.getvalue()


def _special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


CHUNK = 1 << 13
RANDOM = hashlib.shake_256(b"speech").digest(1 << 20)  # does not compress: the transfer is as long


def test_archive_becomes_a_folder_and_nothing_else(server: Server, tmp_path: Path) -> None:
    server.content = _tar(
        ("set/a.bin", RANDOM), ("set/deep/b.txt", b"text"), _special("set/d", tarfile.DIRTYPE)
    )
    install(server.archive(), tmp_path / "sets" / "name")
    assert (tmp_path / "sets" / "name" / "set" / "a.bin").read_bytes() == RANDOM
    assert (tmp_path / "sets" / "name" / "set" / "deep" / "b.txt").read_text() == "text"
    assert {path.name for path in (tmp_path / "sets").iterdir()} == {"name", ".lock"}
    install(server.archive(), tmp_path / "sets" / "name")
    assert server.requests == [None]


def test_only_what_is_kept_is_unpacked(server: Server, tmp_path: Path) -> None:
    server.content = _zip(("x/a_mic1.flac", b"1", 0o644), ("x/a_mic2.flac", b"2", 0o644))
    install(server.archive(keep=r"_mic1\.flac$"), tmp_path / "name")
    assert [path.name for path in (tmp_path / "name").rglob("*.flac")] == ["a_mic1.flac"]


def test_interrupted_transfer_continues_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.content = _tar(("a.bin", RANDOM))
    server.cuts = [300_000, 400_000]
    install(server.archive(), tmp_path / "name")
    assert (tmp_path / "name" / "a.bin").read_bytes() == RANDOM
    assert server.requests[0] is None
    first, second = (int(wanted.strip("bytes=-")) for wanted in server.requests[1:])
    assert 300_000 - CHUNK < first <= 300_000
    assert first + 400_000 - CHUNK < second <= first + 400_000


def test_server_that_cannot_continue_starts_again(server: Server, tmp_path: Path) -> None:
    server.content, server.ranges = _tar(("a.bin", RANDOM)), False
    server.cuts = [300_000]
    install(server.archive(), tmp_path / "name")
    assert (tmp_path / "name" / "a.bin").read_bytes() == RANDOM
    assert len(server.requests) == 2


def test_transfer_continues_in_the_next_run(server: Server, tmp_path: Path) -> None:
    server.content = _tar(("a.bin", RANDOM))
    server.cuts = [100_000] * 7 + [0] * (transfer.ATTEMPTS - 1)
    with pytest.raises(Unavailable, match=r"cannot be downloaded.*continues where it stopped") as caught:
        install(server.archive(), tmp_path / "name")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "name").exists()
    server.requests.clear()
    install(server.archive(), tmp_path / "name")
    (wanted,) = server.requests
    assert 700_000 - 7 * CHUNK < int(wanted.strip("bytes=-")) <= 700_000
    assert (tmp_path / "name" / "a.bin").read_bytes() == RANDOM
    assert {path.name for path in tmp_path.iterdir()} == {"name", ".lock"}


def test_wrong_hash_is_refused_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.content = _tar(("a.bin", RANDOM))
    wrong = f"sha256:{'0' * 64}"
    with pytest.raises(Unavailable, match=f"does not have the expected hash {wrong}"):
        install(server.archive(known_hash=wrong), tmp_path / "name")
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_next_address_is_tried(server: Server, tmp_path: Path) -> None:
    server.content = _tar(("a.bin", b"content"))
    closed = "http://127.0.0.1:1/set.tar.gz"
    install(server.archive(urls=(closed, server.url)), tmp_path / "name")
    assert (tmp_path / "name" / "a.bin").read_bytes() == b"content"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_server_error_is_one_line(server: Server, tmp_path: Path, status: int) -> None:
    server.content, server.status = b"gone", status
    with pytest.raises(Unavailable, match=str(status)) as caught:
        install(server.archive(), tmp_path / "name")
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


HOSTILE = {
    "parent": _tar(("ok.txt", b"x"), ("../evil.txt", b"x")),
    "deep parent": _tar(("a/../../evil.txt", b"x")),
    "absolute": _tar(("/tmp/evil.txt", b"x")),
    "drive": _tar(("C:\\evil.txt", b"x")),
    "backslash": _tar(("..\\evil.txt", b"x")),
    "symlink": _tar(_special("link", tarfile.SYMTYPE, "/etc"), ("link/evil.txt", b"x")),
    "hard link": _tar(_special("link", tarfile.LNKTYPE, "/etc/passwd")),
    "device": _tar(_special("null", tarfile.CHRTYPE)),
    "fifo": _tar(_special("pipe", tarfile.FIFOTYPE)),
    "zip parent": _zip(("../evil.txt", b"x", 0o644)),
    "zip symlink": _zip(("link", b"/etc", 0o120777)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_is_refused_whole(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content
    with pytest.raises(Unavailable, match=r"archive refused: its member .* leads out of the folder"):
        install(server.archive(), tmp_path / "sets" / "name")
    assert {path.name for path in (tmp_path / "sets").iterdir()} == {".lock"}
    assert {path.name for path in tmp_path.iterdir()} == {"sets"}


def test_archive_that_unpacks_to_too_much_is_refused(server: Server, tmp_path: Path) -> None:
    server.content = _tar(("zeros.bin", bytes(1 << 22)))
    assert len(server.content) < 1 << 16
    with pytest.raises(Unavailable, match="unpacks to more than"):
        install(server.archive(), tmp_path / "name")
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_archive_that_is_none_is_refused(server: Server, tmp_path: Path) -> None:
    server.content = b"<html>moved</html>" * 100
    with pytest.raises(Unavailable, match="archive is damaged"):
        install(server.archive(), tmp_path / "name")
    assert not (tmp_path / "name").exists()


def test_full_disk_is_said_before_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = _tar(("a.bin", RANDOM))
    usage = archive.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(Unavailable, match=r"0.0 GB free .*CODECBENCH_DATA"):
        install(server.archive(), tmp_path / "name")
    assert server.requests == []


def test_folder_that_cannot_be_made_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="CODECBENCH_DATA"):
        install(server.archive(), tmp_path / "file" / "name")


def test_two_at_once_download_once(server: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def watch(*piece: Any) -> None:
        told.append(piece)

    server.content, server.gate = _tar(("a.bin", RANDOM)), threading.Event()
    arguments = (server.archive(), tmp_path / "name", watch)
    threads = [threading.Thread(target=install, args=arguments) for _ in range(3)]
    for thread in threads:
        thread.start()
    threads[0].join(0.5)
    server.gate.set()
    for thread in threads:
        thread.join(20)
    assert server.requests == [None]
    assert (tmp_path / "name" / "a.bin").read_bytes() == RANDOM
    size = len(server.content)
    assert (archive.WAITING, 0, size) in told
    assert ("set.tar.gz", size, size) in told


@pytest.mark.parametrize("offset", [8, 10, 26, 28, 30])
def test_a_damaged_zip_is_one_line_wherever_it_is_hit(server: Server, tmp_path: Path, offset: int) -> None:
    whole = _zip(("a.flac", b"x" * 50, 0))
    directory = whole.index(b"PK\x01\x02")
    for value in (0, 1, 9, 255):
        damaged = bytearray(whole)
        damaged[directory + offset] = value
        server.content = bytes(damaged)
        target = tmp_path / f"set-{value}"
        try:
            install(server.archive(), target)
        except Unavailable as error:
            assert "\n" not in str(error)
            assert not target.exists()
        else:
            assert target.is_dir()
