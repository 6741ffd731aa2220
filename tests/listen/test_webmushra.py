"""The exported configuration is one that webMUSHRA loads and whose answers come back.

What it needs is asserted always.  With ``CODECBENCH_WEBMUSHRA`` set to a checkout of webMUSHRA its own parser
reads the configuration under Node, and scripted listeners take the whole test with PHP and Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from codecbench.listen.answers import read_test
from codecbench.listen.export import Exported

PARSE = """
const fs = require("fs"), vm = require("vm");
const context = {window: {}};
vm.createContext(context);
vm.runInContext(fs.readFileSync(process.argv[1], "utf8"), context);
const read = (context.window.YAML || context.YAML).parse(fs.readFileSync(process.argv[2], "utf8"));
process.stdout.write(JSON.stringify(read));
"""


@pytest.fixture(scope="module")
def webmushra() -> Path:
    folder = os.environ.get("CODECBENCH_WEBMUSHRA")
    if not folder:
        pytest.skip("set CODECBENCH_WEBMUSHRA to a checkout of webMUSHRA")
    return Path(folder)


def configuration(made: Exported) -> tuple[Path, Any]:
    assert made.configuration is not None
    return made.configuration, json.loads(made.configuration.read_text(encoding="utf-8"))


def rating_pages(config: Any) -> list[Any]:
    training, trials = config["pages"][2], config["pages"][4]
    assert trials[0] == "random"
    return [training, *trials[1:]]


def test_the_configuration_is_one_line_of_json(mushra: Exported) -> None:
    path, config = configuration(mushra)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1
    assert config["testname"] == 'A "title" <b> & more'
    # Letters that webMUSHRA's server leaves as they are in the name of its folder.
    assert (
        config["testId"] == mushra.test == "".join(c for c in mushra.test if c.isalnum() or c == "-").lower()
    )
    assert [page["type"] for page in config["pages"] if isinstance(page, dict)] == [
        "generic", "volume", "mushra", "generic", "finish",
    ]  # fmt: skip
    assert "mushra" not in [page["id"] for page in rating_pages(config)]
    assert config["pages"][-1]["questionnaire"][0]["name"] == "listener"


def test_pages_hold_what_webmushra_checks(mushra: Exported) -> None:
    _, config = configuration(mushra)
    pages = rating_pages(config)
    assert [page["id"] for page in pages] == ["training", "trial01", "trial02", "trial03"]
    for page in pages:
        assert set(page["stimuli"]) == {"c1", "c2", "anchor35", "anchor70"}
        assert len(page["stimuli"]) <= 11  # it adds the hidden reference
        assert not page["createAnchor35"]
        files = [mushra.page.parent / name for name in [page["reference"], *page["stimuli"].values()]]
        sizes = {(info.frames, info.samplerate, info.channels) for info in map(soundfile.info, files)}
        assert len(sizes) == 1
        assert 2 <= soundfile.info(files[0]).duration <= 12


def test_its_own_parser_reads_the_same(mushra: Exported, webmushra: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("Node is not installed")
    path, config = configuration(mushra)
    parser = webmushra / "lib" / "external" / "yaml" / "yaml.min.js"
    read = subprocess.run(["node", "-e", PARSE, parser, path], capture_output=True, text=True, check=True)
    assert json.loads(read.stdout) == config


@pytest.fixture
def server(webmushra: Path, mushra: Exported, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve webMUSHRA with our files laid over it; return its address and where it stores answers."""
    if not shutil.which("php"):
        pytest.skip("PHP is not installed (apt-get install php-cli)")
    root = tmp_path / "served"
    shutil.copytree(webmushra, root, ignore=shutil.ignore_patterns(".git", "doc"))
    shutil.copytree(mushra.page.parent, root, dirs_exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with subprocess.Popen(
        ["php", "-S", address], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", int(address.partition(":")[2]))) == 0:
                    break
            time.sleep(0.05)
        yield f"http://{address}/?config={mushra.test}.yaml", root / "results" / mushra.test
        process.terminate()


def take(page: Any, address: str, who: str, scores: dict[str, int] | None, sent: int = 1) -> None:
    """Take the test as a listener; without scores only Next is clicked."""
    page.goto(address)
    page.wait_for_selector("#__button_next")
    page.wait_for_function("!document.querySelector('.ui-loading')")
    assert page.locator("#popupErrorsContent li").count() == 0, page.inner_text("#popupErrorsContent")
    while page.locator("#send_results").count() == 0:
        if scores is not None and page.locator(".scales").count():
            page.evaluate("pageManager.getCurrentPage().startTimeOnPage -= 9000")  # a person's time
            for name, score in scores.items():
                page.evaluate(
                    "([name, score]) => $(`.scales[name=${name}]`).val(score).slider('refresh')",
                    [name, score],
                )
        page.evaluate("pageManager.nextPage()")
    page.fill("#listener", who)
    page.wait_for_selector("#send_results:not([disabled])")
    for _ in range(sent):
        page.evaluate("$('#send_results').click()")


@pytest.mark.browser
def test_listeners_take_the_whole_test(browser: Any, server: tuple[str, Path], mushra: Exported) -> None:
    address, results = server
    good = {"reference": 100, "c1": 40, "c2": 70, "anchor35": 15, "anchor70": 55}
    listeners: dict[str, tuple[dict[str, int] | None, int]] = {
        "ann": (good, 1), "ben": ({**good, "c1": 50}, 1), "twice": ({**good, "c1": 60}, 2),
        "careless": ({**good, "reference": 60}, 1), "clicker": (None, 1),
    }  # fmt: skip
    for who, (scores, sent) in listeners.items():
        context = browser.new_context()
        take(context.new_page(), address, who, scores, sent)
        context.close()
    found = read_test(results, mushra.key)
    rows = found.result.table.set_index("condition")
    assert list(rows["mean"]) == [100, 50, 70, 15, 55]
    assert list(rows["listeners"]) == [3] * 5
    assert {item.listener: item.rule.split()[0] for item in found.result.excluded} == {
        "clicker": "clicked", "careless": "hidden",
    }  # fmt: skip
    assert "given again later in the same session" in found.notes[0]
