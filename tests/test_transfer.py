"""Downloads end: at the pinned size, above a speed, with the true reason; a local server misbehaves."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from codecbench import transfer
from codecbench.data.archive import Archive, install
from codecbench.errors import Unavailable
from codecbench.transfer import Refused

CONTENT = bytes(range(256)) * 100
Answer = Callable[[BaseHTTPRequestHandler], None]


def _plain(handler: BaseHTTPRequestHandler, length: int | None = len(CONTENT), body: bytes = CONTENT) -> None:
    handler.send_response(200)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(body)


def _endless(handler: BaseHTTPRequestHandler) -> None:
    _plain(handler, None)
    while True:
        handler.wfile.write(CONTENT)


def _chunked(handler: BaseHTTPRequestHandler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for begin in range(0, len(CONTENT), 1000):
        piece = CONTENT[begin : begin + 1000]
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")
    handler.close_connection = True


def _compressed(handler: BaseHTTPRequestHandler) -> None:
    body = gzip.compress(CONTENT)
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _crawling(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    for byte in CONTENT:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    chosen: list[Answer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["Accept-Encoding"] == "identity"
            try:
                chosen[0](self)
            except OSError:  # the other side has had enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def start(answer: Answer) -> str:
        chosen[:] = [answer]
        return f"http://127.0.0.1:{server.server_address[1]}/file"

    yield start
    server.shutdown()
    thread.join()
    server.server_close()


def _fetch(url: str) -> bytes:
    with transfer.get(url, len(CONTENT)) as answer:
        return b"".join(answer.pieces)


def test_an_honest_answer_comes_whole(serve: Callable[[Answer], str]) -> None:
    assert _fetch(serve(_plain)) == CONTENT
    assert _fetch(serve(lambda handler: _plain(handler, None))) == CONTENT
    assert _fetch(serve(_chunked)) == CONTENT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_endless, "sends more than the 25600 bytes"),
        (_compressed, "compressed as gzip"),
        (lambda handler: _plain(handler, 99, CONTENT[:99]), "announces 99 bytes where 25600 are pinned"),
        (lambda handler: _plain(handler, 10**12, CONTENT), "announces 1000000000000 bytes"),
    ],
)
def test_what_is_not_the_pinned_file_is_refused(
    serve: Callable[[Answer], str], answer: Answer, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        _fetch(serve(answer))


def test_a_crawling_server_is_given_up(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "WINDOW_S", 0.3)
    begin = time.monotonic()
    with pytest.raises(Refused, match=r"bytes a second; under 1000"):
        _fetch(serve(_crawling))
    assert time.monotonic() - begin < 5


def test_a_silent_server_is_given_up(serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT_S", 0.2)

    def silent(handler: BaseHTTPRequestHandler) -> None:
        _plain(handler, len(CONTENT), CONTENT[:100])
        time.sleep(1)

    with pytest.raises(requests.ConnectionError, match="nothing came"):
        _fetch(serve(silent))


def test_an_early_end_says_how_much_is_missing(serve: Callable[[Answer], str]) -> None:
    with pytest.raises(requests.ConnectionError, match=r"closed 25500 bytes before the end|broke"):
        _fetch(serve(lambda handler: _plain(handler, None, CONTENT[:100])))


def test_a_set_says_the_reason_and_leaves_nothing(
    serve: Callable[[Answer], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PATIENCE_S", 0.01)
    asked = Archive((serve(_endless),), "sha256:" + "0" * 64, len(CONTENT))
    with pytest.raises(Unavailable, match="sends more than"):
        install(asked, tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
