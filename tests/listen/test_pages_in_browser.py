"""The pages for listeners in a real browser: from a file, without the network, by scripted listeners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codecbench.listen.answers import read_test
from codecbench.listen.export import Exported
from codecbench.listen.key import read_key

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[[Path], Any]]:
    """Return what opens a page for a new listener, and see that no page does what it should not."""
    wrong: list[str] = []
    contexts = []

    def open_page(path: Path) -> Any:
        contexts.append(browser.new_context(viewport={"width": 900, "height": 800}, accept_downloads=True))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on(
            "request",
            lambda sent: wrong.extend([] if sent.url.startswith(("file:", "data:")) else [sent.url]),
        )
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def begin(page: Any, who: str) -> None:
    assert page.locator("#begin").is_disabled()
    page.fill("#listener", who)
    page.click("#begin")


def hear(page: Any, names: list[str]) -> None:
    for name in names:
        page.click(f'[data-clip="{name}"]')
        page.wait_for_selector(f'[data-clip="{name}"].heard')


def rate(page: Any, scores: dict[str, float]) -> list[str]:
    """Hear and rate one trial; return its stimuli in the order shown."""
    names = page.eval_on_selector_all("[data-stimulus]", "all => all.map(one => one.dataset.stimulus)")
    assert page.locator("#next").is_disabled()
    for name in names:
        hear(page, [name])
        page.locator(f'[data-stimulus="{name}"]').fill(str(scores[name]))
    page.evaluate("begun -= 9000")  # as long as a person takes; half a second would be clicking on
    page.click("#next")
    return list(names)


def save(page: Any, folder: Path) -> Path:
    with page.expect_download() as found:
        page.click("#save")
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def test_mushra_from_page_to_result(mushra: Exported, opened: Callable[[Path], Any], tmp_path: Path) -> None:
    good = {"reference": 100, "c1": 40, "c2": 70, "anchor35": 15, "anchor70": 55}
    listeners = {'Ann, "the first"': good, "careless": {**good, "reference": 60}}
    orders = set()
    for who, scores in listeners.items():
        page = opened(mushra.page)
        begin(page, who)
        for _ in range(4):
            orders.add(tuple(rate(page, scores)))
        path = save(page, tmp_path)
        assert path.name.startswith(f"{mushra.test}-")
    assert len(orders) > 3  # each listener and trial has an order of its own
    found = read_test(tmp_path, mushra.key)
    table = found.result.table.set_index("condition")
    assert list(table["mean"]) == [100, 40, 70, 15, 55]
    assert list(table["n"]) == [3] * 5
    assert [item.listener for item in found.result.excluded] == ["careless"]
    assert found.notes == ()


def test_mushra_asks_for_all_to_be_heard_and_rated(mushra: Exported, opened: Callable[[Path], Any]) -> None:
    page = opened(mushra.page)
    assert page.title() == 'A "title" <b> & more'
    begin(page, "ann")
    assert "does not count" in page.inner_text("#progress")
    assert "Still to hear: 5, to rate: 5." in page.inner_text("#trial")
    for slider in page.locator("[data-stimulus]").all():
        slider.fill("50")
        assert slider.evaluate("one => one.className") in ("", "unset")
    page.keyboard.press("r")
    page.wait_for_selector('[data-clip="open"].heard')
    assert page.locator("#next").is_disabled()
    for number in range(1, 6):
        page.keyboard.press(str(number))
        page.wait_for_selector(f'[data-key="{number}"].heard')
        assert page.get_attribute(f'[data-key="{number}"]', "aria-pressed") == "true"
    for slider in page.locator("[data-stimulus]").all():
        slider.fill("60")
    assert page.locator("#next").is_enabled()
    page.keyboard.press(" ")
    assert page.locator('[aria-pressed="true"]').count() == 0


def test_abx_from_page_to_result(abx: Exported, opened: Callable[[Path], Any], tmp_path: Path) -> None:
    """A listener who hears one codec and takes the other for the reference."""
    truth = {item["trial"]: item for item in read_key(abx.key)["trials"]}
    orders = []
    for who in ("ann", "ben"):
        page = opened(abx.page)
        begin(page, who)
        order = page.evaluate("trials.map(trial => trial.trial)")
        assert order[0] == "training"
        assert set(order[1:]) == set(truth)
        orders.append(order)
        for trial in order:
            assert page.locator('[data-answer="a"]').is_disabled()
            hear(page, ["a", "b", "x"])
            page.evaluate("begun -= 9000")
            told = truth.get(trial, {"x": "b", "condition": "c1"})
            page.click(f'[data-answer="{told["x"] if told["condition"] == "c1" else "a"}"]')
        save(page, tmp_path)
    assert orders[0] != orders[1]
    table = read_test(tmp_path, abx.key).result.table
    # X is A as often as B: who always says A is right half of the time.
    assert list(table["mean"]) == [1.0, 0.5]
    assert list(table["listeners"]) == [2, 2]
