"""The page of a gate: what it lists, what it plays, and that nothing from outside is read as markup."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOSTILE = "</td><img src=x onerror=\"document.title='hit'\"> {:02d}"
LOUDER = {3: -0.9, 7: 0.6, 11: -0.5}
"""By utterance, what its PESQ-WB changes by; all others change by less."""


def write_run(make_run: Callable[..., Path], out: Path, **options: Any) -> Path:
    codecs = ("pcm", "spc")
    return make_run(out, utterances=14, speakers=14, audio=5, codecs=codecs, fail_every=0, **options)


def rewrite(run: Path, change: Callable[[int, dict[str, Any]], None]) -> None:
    """Alter the records of the codec in a run."""
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    for number, line in enumerate(line for line in lines if line["codec"] == "spc"):
        change(number, line)
    (run / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def moved(number: int, line: dict[str, Any]) -> None:
    line["scores"]["pesq-wb"] += LOUDER.get(number, 0.01 * number)


@pytest.fixture
def both(make_run: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """Return two runs of hostile names, the second of which differs."""
    base, new = (write_run(make_run, tmp_path / side, name=HOSTILE.format) for side in ("base", "new"))
    rewrite(new, moved)
    return base, new


def page(cli: Any, tmp_path: Path, *words: object) -> str:
    to = tmp_path / "gate.html"
    answer = cli("gate", *words, "--metrics", "pesq-wb,stoi", "--page", to)
    assert answer.status in {0, 1}, answer.err
    return to.read_text()


def test_the_ten_that_changed_most_stand_in_order(cli, both: tuple[Path, Path], tmp_path: Path) -> None:
    text = page(cli, tmp_path, *both)
    titles = re.findall(r"<h3>.*? (\d\d)</h3>", text)
    assert [int(title) for title in titles] == [3, 7, 11, 13, 12, 10, 9, 8, 6, 5]
    assert text.count("run with --audio all to hear it") == 9


def test_players_hold_the_kept_speech_itself(cli, both: tuple[Path, Path], tmp_path: Path) -> None:
    base, new = both
    text = page(cli, tmp_path, *both)
    sounds = [base64.b64decode(found) for found in re.findall(r'src="data:audio/flac;base64,([^"]+)"', text)]
    stored = ["reference/0003.flac", "spc@7.5/0003.flac"]
    expected = [base / "audio" / stored[0], base / "audio" / stored[1], new / "audio" / stored[1]]
    assert sounds == [path.read_bytes() for path in expected]


def test_names_are_no_markup(cli, both: tuple[Path, Path], tmp_path: Path) -> None:
    text = page(cli, tmp_path, *both)
    assert "<img" not in text
    assert "&lt;img src=x" in text


def test_a_failure_comes_first_and_names_who_failed(cli, both: tuple[Path, Path], tmp_path: Path) -> None:
    def fail(number: int, line: dict[str, Any]) -> None:
        if number == 1:
            line.update(status="failed", error="x", audio=None, scores=dict.fromkeys(line["scores"]))

    rewrite(both[1], fail)
    text = page(cli, tmp_path, *both)
    assert re.findall(r"<h3>.*? (\d\d)</h3>", text)[:2] == ["01", "03"]
    assert f"No speech from {both[1]}:spc@7.5" in text
    assert text.count("not kept") == 1


def test_a_stored_baseline_plays_what_the_new_run_kept(cli, both: tuple[Path, Path], tmp_path: Path) -> None:
    stored = tmp_path / "base.json"
    assert cli("gate", "--save", stored, both[0]).status == 0
    text = page(cli, tmp_path, stored, both[1])
    assert text.count('<audio controls preload="metadata" src="data:audio/flac') == 2
    assert text.count("not kept") == 1


def test_an_unchanged_system_has_no_utterance_to_show(cli, both: tuple[Path, Path], tmp_path: Path) -> None:
    text = page(cli, tmp_path, both[0], both[0])
    assert "every score is the same" in text
    assert "<h3>" not in text


def test_a_page_that_cannot_be_written_is_told_in_one_line(
    cli, both: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    answer = cli("gate", *both, "--page", tmp_path / "file" / "gate.html")
    assert answer.status == 2
    assert answer.err.count("\n") == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 420])
def test_in_a_browser(browser: Any, cli, both: tuple[Path, Path], tmp_path: Path, width: int) -> None:
    page(cli, tmp_path, *both)
    shown = browser.new_page(viewport={"width": width, "height": 900})
    wrong: list[str] = []
    shown.on("console", lambda message: wrong.append(message.text))
    shown.on("request", lambda asked: wrong.append(asked.url) if asked.url.startswith("http") else None)
    shown.goto((tmp_path / "gate.html").as_uri())
    assert shown.title() == "Gate: inconclusive"
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    inside = "[...document.querySelectorAll('.change > *')].every((e) => e.scrollWidth <= e.clientWidth)"
    assert shown.evaluate(inside)
    lengths = shown.evaluate(
        """Promise.all([...document.querySelectorAll("audio")].map((audio) => new Promise((done) => {
            if (audio.readyState) done(audio.duration);
            audio.onloadedmetadata = () => done(audio.duration); audio.onerror = () => done(0);
        })))"""
    )
    assert len(lengths) == 3
    assert min(lengths) > 0.5
    assert not wrong
    shown.close()
