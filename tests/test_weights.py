"""Model files: found, fetched from a local server that misbehaves, verified."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from codecbench import registry, weights
from codecbench.errors import CodecBenchError, InvalidInput, Unavailable
from codecbench.weights import VARIABLE, WeightsFile, WeightsSource

CONTENT = bytes(range(256)) * 2_000


class Server(ThreadingHTTPServer):
    """Serves CONTENT; ``broken`` requests stop half-way first."""

    broken = 0
    requests = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.requests += 1
        if self.path != "/model.bin":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = server.requests <= server.broken
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if half else CONTENT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Redirect the user's cache, take pauses out of retries, and return where ``toy`` goes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    folder = weights.cache_folder("toy")
    assert tmp_path in folder.parents
    return folder


def declare(
    monkeypatch: pytest.MonkeyPatch, server: Server, path: str = "model.bin", sha256: str = ""
) -> None:
    """Make ``toy`` the one registered codec with files."""
    url = f"http://127.0.0.1:{server.server_address[1]}/{path}"
    file = WeightsFile(url, sha256 or hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))

    class Toy:
        weights = WeightsSource("toy", {"model.bin": file}, "CC0-1.0", "https://example.org")

    def load(group: str, name: str) -> type:
        if name not in ("toy", "plain"):
            raise InvalidInput(f"unknown codec {name!r}")
        return Toy if name == "toy" else object

    monkeypatch.setattr(registry, "names", lambda group: ["plain", "toy"])
    monkeypatch.setattr(registry, "load", load)


def test_fetch_downloads_reports_and_keeps(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    told: list[tuple[str, int, int]] = []
    assert weights.fetch("toy", lambda *progress: told.append(progress)) == cache
    assert (cache / "model.bin").read_bytes() == CONTENT
    assert [path.name for path in cache.iterdir()] == ["model.bin"]
    assert told[-1] == ("model.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert weights.verify("toy") == cache
    assert weights.find("toy", ["model.bin"]) == cache
    weights.fetch("toy")
    assert server.requests == 1, "what is there is kept"


def test_an_interrupted_download_is_tried_again(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    server.broken = 2
    weights.fetch("toy")
    assert (cache / "model.bin").read_bytes() == CONTENT
    assert server.requests == 3


def test_what_a_killed_download_had_brought_is_not_asked_for_again(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    cache.mkdir(parents=True)
    (cache / ".model.bin.part").write_bytes(CONTENT)
    weights.fetch("toy")
    assert server.requests == 0
    assert [path.name for path in cache.iterdir()] == ["model.bin"]


@pytest.mark.parametrize(
    "case",
    [
        (99, "model.bin", "", r"model\.bin: download failed \(\w+\); try again"),
        (0, "missing.bin", "", r"missing\.bin: download failed \(HTTP 404\); try again"),
        (0, "model.bin", "0" * 64, "does not have the pinned sha256"),
    ],
)
def test_a_failed_download_says_why_and_leaves_at_most_what_can_be_continued(
    server: Server,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[int, str, str, str],
) -> None:
    broken, path, sha256, message = case
    declare(monkeypatch, server, path, sha256)
    server.broken = broken
    with pytest.raises(CodecBenchError, match=message) as caught:
        weights.fetch("toy")
    assert "\n" not in str(caught.value)
    assert [path.name for path in cache.iterdir()] == [".model.bin.part"] * bool(broken)


def test_no_server_is_a_failed_download(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:9"
    declare(monkeypatch, server)
    source = WeightsSource(
        "toy", {"m": WeightsFile(f"{url}/m", "0" * 64, 1)}, "CC0-1.0", "https://example.org"
    )
    monkeypatch.setattr(registry.load("", "toy"), "weights", source)
    with pytest.raises(CodecBenchError, match=r"download failed \(ConnectionError\)"):
        weights.fetch("toy")


def test_a_damaged_file_is_found_and_fetched_anew(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    cache.mkdir(parents=True)
    (cache / "model.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(InvalidInput, match="is not the pinned"):
        weights.verify("toy")
    weights.fetch("toy")
    assert weights.verify("toy") == cache


def test_a_cache_that_cannot_be_written_is_said(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(CodecBenchError, match="cannot write"):
        weights.fetch("toy")


def test_the_chosen_folder_comes_before_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    (cache / "m").touch()
    assert weights.find("toy", ["m"]) == cache
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert weights.find("toy", ["m"]) == cache, "an incomplete folder is passed over"
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "m").touch()
    assert weights.find("toy", ["m"]) == tmp_path / "toy"


def test_missing_files_say_where_they_were_looked_for(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        weights.find("toy", ["m"])
    assert str(tmp_path / "toy") in caught.value.reason and str(cache) in caught.value.reason
    assert "codecbench weights fetch toy" in caught.value.remedy


def test_a_codec_without_files_lists_those_that_have_some(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    with pytest.raises(InvalidInput, match="'plain' has no model files to fetch; these have: toy"):
        weights.fetch("plain")
    with pytest.raises(InvalidInput, match="unknown codec"):
        weights.verify("nothing")


def test_a_source_may_bring_its_own_client(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def fetcher(progress: object) -> Path:
        asked.append(progress)
        return cache

    class Toy:
        weights = WeightsSource(
            "toy", {}, "CC0-1.0", "https://example.org", fetcher=fetcher, verifier=lambda: cache / "verified"
        )

    monkeypatch.setattr(registry, "load", lambda group, name: Toy)
    assert weights.fetch("toy") == cache and asked == [None]
    assert weights.verify("toy") == cache / "verified"


def test_a_model_that_metrics_share_is_fetched_by_its_own_name(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, server)
    toy = registry.load("", "toy")
    monkeypatch.setattr(
        registry, "names", lambda group: ["rate", "other-rate"] if group == registry.METRICS else []
    )
    monkeypatch.setattr(registry, "load", lambda group, name: toy)
    assert [source.name for source in weights.list_sources()] == ["toy"]
    assert weights.fetch("toy") == weights.verify("toy") == cache


def test_lyra_is_declared_with_its_pinned_files() -> None:
    lyra = weights.source("lyra")
    assert lyra in weights.list_sources()
    assert lyra.size == 3_583_372
    assert all(len(file.sha256) == 64 and file.url.startswith("https://") for file in lyra.files.values())
