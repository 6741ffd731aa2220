"""Chromium for tests of pages, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from page_speed import OPTIONS, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = chromium()
    if found is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed (pip install playwright)"
    )
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=list(OPTIONS))
        yield launched
        launched.close()
