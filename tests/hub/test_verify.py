"""`make verify-hub` from end to end: a local hub with tiny models, a local server with a small speech set."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import soundfile

import verify_hub
from codecbench import registry
from codecbench.analysis.results import Point, Result, Score, read
from codecbench.data import catalogue
from codecbench.data.folders import load_dataset
from codecbench.errors import Unscorable
from codecbench.metrics.si_sdr import SiSdr
from codecbench_hub import codec as adapter
from codecbench_hub import models
from codecbench_hub.source import hub_source
from codecbench_hub.table import MODELS
from suite_fixtures import voice
from tiny_models import save

COMMIT = "3" * 40
README = f"# Page\n\n{verify_hub.BEGIN}\nold\n{verify_hub.END}\n\nThe rest.\n"


@dataclass
class Served:
    """Files by path as a model hub and a data server give them, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    url: str = ""

    def put_model(self, repository: str, folder: Path) -> None:
        """Serve a model's folder."""
        for path in folder.iterdir():
            self.files[f"{repository}/{path.name}"] = path.read_bytes()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    """Serve on this machine what the hub's client and the downloads of speech ask for."""
    from huggingface_hub import constants

    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(head=True)

        def do_GET(self) -> None:
            self.answer(head=False)

        def answer(self, *, head: bool) -> None:
            path = self.path.lstrip("/").partition("?")[0]
            if path.startswith("api/models/"):
                repository = "/".join(path.split("/")[2:4])
                sizes = {
                    name.removeprefix(f"{repository}/"): len(content)
                    for name, content in state.files.items()
                    if name.startswith(f"{repository}/")
                }
                tree = [
                    {"type": "file", "path": name, "size": size, "oid": "0" * 40}
                    for name, size in sizes.items()
                ]
                siblings = [{"rfilename": name} for name in sizes]
                revision = path.rpartition("/")[2]
                about = {
                    "id": repository,
                    "sha": revision if len(revision) == 40 else COMMIT,
                    "siblings": siblings,
                }
                found = json.dumps(tree if "/tree/" in path else about).encode()
                self.give(found if sizes else None, head, "application/json")
            else:
                repository, _, rest = path.partition("/resolve/")
                revision, _, name = rest.partition("/")
                content = state.files.get(f"{repository}/{name}" if rest else path)
                if not head:
                    state.got.append(path)
                self.give(content, head, "application/octet-stream", revision)

        def give(self, content: bytes | None, head: bool, kind: str, revision: str = "") -> None:
            body = b"not here" if content is None else content
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", kind)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", revision)
            self.end_headers()
            if not head:
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", state.url)
    template = state.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for patience in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(constants, patience, 120)
    yield state
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def speech(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put a set in LibriSpeech's layout on the data server, under the registered name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for number in range(4):
            clip = io.BytesIO()
            soundfile.write(clip, voice(1.5, number, 0.5), 16_000, format="FLAC")
            speaker = 100 + number // 2
            info = tarfile.TarInfo(f"LibriSpeech/test-clean/{speaker}/1/{speaker}-1-000{number}.flac")
            info.size = len(clip.getvalue())
            tar.addfile(info, io.BytesIO(clip.getvalue()))
    served.files["set.tar.gz"] = buffer.getvalue()
    source = replace(
        catalogue.librispeech_test_clean(),
        urls=(f"{served.url}/set.tar.gz",),
        known_hash=f"sha256:{hashlib.sha256(buffer.getvalue()).hexdigest()}",
        size_bytes=len(buffer.getvalue()),
    )
    load = registry.load
    monkeypatch.setattr(
        registry,
        "load",
        lambda group, name: (lambda: source) if group == registry.DATASETS else load(group, name),
    )
    monkeypatch.setenv("CODECBENCH_DATA", str(tmp_path / "data"))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the weights' cache and the pages a folder of their own."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.delenv("CODECBENCH_WEIGHTS", raising=False)
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def publish(codec: str, kbps: float, **scores: Score) -> Result:
    """Return what a paper prints of a codec on the set."""
    named = {name.replace("_", "-"): score for name, score in scores.items()}
    meta = {"dataset": verify_hub.SET, "source": "a paper"}
    return Result(codec, "published", meta, (Point(f"{kbps:g}", kbps, None, None, named),))


def check_of(place: Path, *published: Result) -> verify_hub.Check:
    whole = load_dataset(verify_hub.SET)
    return verify_hub.Check(
        whole.sample(2), len(whole.utterances), published, place / "runs", place / "results",
        metrics=("mel-distance", "si-sdr"), executor="serial", align="none",  # random models have no lag
    )  # fmt: skip


@pytest.fixture
def pinned(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """Serve tiny models of three codecs, and pin the hashes that they have."""
    found = dict(MODELS)
    for name in ("dac", "encodec", "mimi"):
        folder = save(name, tmp_path / "made" / name)
        served.put_model(MODELS[name].repository, folder)
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        found[name] = replace(MODELS[name], sha256=None if name == "dac" else digest)
        factory = getattr(models, name)
        monkeypatch.setattr(factory, "model", found[name])
        monkeypatch.setattr(factory, "weights", hub_source(found[name]))
    monkeypatch.setattr(verify_hub, "MODELS", found)
    return found


def run(place: Path, check: verify_hub.Check, capsys: pytest.CaptureFixture[str], *names: str):
    capsys.readouterr()
    good = verify_hub.verify_all([verify_hub.MODELS[name] for name in names], check, place / "README.md")
    return good, capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("speech", "pinned")
def test_from_the_network_to_the_pages(place, capsys):
    papers = (
        publish("encodec", 0.75, si_sdr=Score(0, -500, 500)),
        publish("mimi", 1.1, si_sdr=Score(600, 500, 700)),
    )
    check = check_of(place, *papers)
    good, lines = run(place, check, capsys, "encodec", "mimi", "dac")
    assert not good, lines
    assert [line.split()[:2] for line in lines] == [
        ["encodec", "verified"], ["mimi", "OUTSIDE"], ["dac", "not"],
    ]  # fmt: skip
    assert "1 of 1 scores in published bands; 0.75+1.5+3+6+12+24 kbit/s" in lines[0]
    assert "as pinned" in lines[0] and "none is pinned" in lines[2]
    assert "is outside 500 to 700 (a paper)" in lines[1]
    encodec = read(place / "results" / verify_hub.SET / "encodec.json")
    assert [point.point for point in encodec.points] == ["0.75", "1.5", "3", "6", "12", "24"]
    assert encodec.points[0].scores["si-sdr"].n == 2
    said = encodec.meta["verified"]
    assert said["sample"] == "2 of 4 utterances, seed 0" and said["versions"]["transformers"]
    assert said["commit"] == MODELS["encodec"].revision
    table = (place / "results" / verify_hub.SET / "README.md").read_text()
    assert f"| verified | 1 of 1 | {said['date']} |" in table and "(not pinned)" in table
    readme = (place / "README.md").read_text()
    assert f"| `encodec` | verified on {said['date']}: 1 of 1 scores" in readme
    assert "| `mimi` | OUTSIDE on" in readme and "| `snac` | not verified yet |" in readme
    assert readme.startswith("# Page") and readme.endswith("The rest.\n") and "old" not in readme


@pytest.mark.usefixtures("speech", "pinned")
def test_it_goes_on_where_it_was_stopped(served, place, capsys, monkeypatch):
    check = check_of(place)
    weights = f"{MODELS['mimi'].repository}/model.safetensors"
    whole, calls = served.files[weights], []
    served.files[weights] = whole[:-1] + b"x"
    good, (line,) = run(place, check, capsys, "mimi")
    assert not good and "failed" in line and "do not use them" in line, line
    served.files[weights] = whole
    encode = adapter.HubCodec.encode

    def stopped(self, wave, point):
        calls.append(point.name)
        if len(calls) == 7:  # a cell codes twice, to see whether its tokens are stable
            raise KeyboardInterrupt
        return encode(self, wave, point)

    monkeypatch.setattr(adapter.HubCodec, "encode", stopped)
    with pytest.raises(BaseException, match=r"^$|interrupted|stopped"):
        run(place, check, capsys, "mimi")
    assert len(calls) == 7 and not (place / "results").exists()
    (records,) = place.glob("runs/*/records.jsonl")
    stored = records.read_text()
    assert 1 <= stored.count("\n") <= 5
    served.got.clear()
    good, lines = run(place, check_of(place), capsys, "mimi")
    assert good and lines[0].split()[1:4] == ["not", "in", "papers"]
    assert records.read_text().startswith(stored), "what was stored is not computed again"
    assert served.got == [], "weights and speech are here already"


@pytest.mark.usefixtures("speech", "pinned")
def test_a_metric_that_scores_nothing_is_a_failure(place, capsys, monkeypatch):
    def refuse(self, ref, deg):
        raise Unscorable("too short")

    monkeypatch.setattr(SiSdr, "score", refuse)
    good, (line,) = run(place, check_of(place), capsys, "mimi")
    assert not good and "no utterance could be scored by si-sdr" in line, line
    assert not (place / "results").exists()


@pytest.mark.usefixtures("speech")
def test_a_hub_without_the_model_is_one_line(place, capsys):
    good, (line,) = run(place, check_of(place), capsys, "neucodec")
    assert not good
    assert line.startswith("neucodec    failed") and "cannot fetch" in line
    assert "| `neucodec` | not verified yet |" in (place / "README.md").read_text()


def test_unknown_names_are_refused():
    from click.testing import CliRunner

    answer = CliRunner().invoke(verify_hub.main, ["--codecs", "dacc"])
    assert answer.exit_code == 2 and "'dacc' is no hub codec; these are: encodec" in answer.output


def test_readme_says_what_the_results_say():
    text = (verify_hub.ROOT / "README.md").read_text(encoding="utf-8")
    block = verify_hub.readme_block(verify_hub.verdicts(verify_hub.ROOT / "results" / verify_hub.SET))
    assert verify_hub.with_block(text, block) == text and block in text
    assert all(f"| `{name}` |" in block for name in MODELS)
