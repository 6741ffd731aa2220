"""How soon the page of a large report can be used: 10,000 utterances through 8 codecs, in Chromium.

``python scripts/page_speed.py`` makes such a run up, builds its report (beside its data, and as a single
file), opens each three times from the file and prints, of the best time,

- seconds until the page answers: a table is sorted by a click (at most 3);
- seconds from a click on a point of a chart until its median utterance stands there with its scores.

Chromium shares the machine with what else runs, so the processor time of all its processes stands beside.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scale import write

CODECS, UTTERANCES = 8, 10_000
MOST_S = 3.0
OPTIONS = ("--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")


@dataclass(frozen=True)
class Times:
    """Seconds until a page answers and until a point is open, by the clock and of all processes' time."""

    ready_s: float
    ready_cpu_s: float
    open_s: float
    open_cpu_s: float

    @property
    def least_ready_s(self) -> float:
        """What one free core would need: on a shared one the clock runs on."""
        return min(self.ready_s, self.ready_cpu_s)


def chromium() -> str | None:
    """Return the path of an installed Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def timed(browser: Any, path: Path) -> Times:
    """Open a page, sort its table, open a point; return what that took."""
    session = browser.new_browser_cdp_session()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    marks = [_now(session)]
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.click("#results thead button:has-text('STOI')")
    page.wait_for_selector("#results thead th[aria-sort]")
    marks.append(_now(session))
    page.locator(".chart").first.locator(".point").last.dispatch_event("click")
    page.wait_for_selector("#utterances tr.current")
    marks.append(_now(session))
    context.close()
    (ready, ready_cpu), (opened, opened_cpu) = (
        (after[0] - before[0], sum(value - before[1].get(pid, 0) for pid, value in after[1].items()))
        for before, after in itertools.pairwise(marks)
    )
    return Times(ready, ready_cpu, opened, opened_cpu)


def _now(session: Any) -> tuple[float, dict[int, float]]:
    """Return the clock and the processor time that each of the browser's processes has used so far."""
    listed = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return time.perf_counter(), {item["id"]: item["cpuTime"] for item in listed}


def best(browser: Any, path: Path, turns: int = 3) -> Times:
    """Return the times of the fastest of some turns."""
    return min((timed(browser, path) for _ in range(turns)), key=lambda times: times.least_ready_s)


@click.command()
@click.option("--utterances", default=UTTERANCES, show_default=True, help="Utterances of the run.")
def main(utterances: int) -> None:
    """Measure how soon a large page can be used; fail where it takes too long."""
    from playwright.sync_api import sync_playwright

    from codecbench.report.build import build

    found = chromium()
    if found is None:
        raise click.ClickException("Chromium is not installed; apt-get install chromium")
    slow = False
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        write(CODECS * utterances, Path(name) / "run", CODECS, 1)
        browser = driver.chromium.launch(executable_path=found, args=list(OPTIONS))
        for what, single_file in (("data beside the page", False), ("single file", True)):
            path = build([Path(name) / "run"], Path(name) / "report", single_file=single_file)
            times = best(browser, path)
            slow |= times.least_ready_s > MOST_S
            click.echo(
                f"{utterances} x {CODECS} codecs, {what}: page {path.stat().st_size / 1e6:.1f} MB; "
                f"answers after {times.ready_s:.2f} s ({times.ready_cpu_s:.2f} s of processors; at most "
                f"{MOST_S:g}), a point opens in {times.open_s:.2f} s ({times.open_cpu_s:.2f} s)"
            )
        browser.close()
    if slow:
        sys.exit("the page takes too long; measure on a machine with a free core")


if __name__ == "__main__":
    main()
