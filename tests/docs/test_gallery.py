"""The gallery of figures is what its script writes, and shows every kind of figure."""

from __future__ import annotations

import re

from codecbench.cli.figure import KINDS, figure
from house import ROOT
from make_gallery import FIGURES, command, page

DOCS = ROOT / "docs"


def test_the_page_is_what_the_script_writes() -> None:
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == page()


def test_every_picture_is_there_and_small() -> None:
    named = re.findall(r"\((gallery/[^)]+)\)", page())
    assert sorted(named) == sorted(f"gallery/{path.name}" for path in (DOCS / "gallery").iterdir())
    assert all(1_000 < (DOCS / name).stat().st_size < 800_000 for name in named)


def test_every_kind_is_shown_by_a_command_that_parses() -> None:
    shown = set()
    for name in FIGURES:
        context = figure.make_context("figure", command(name).split()[2:])
        shown.add(context.params["kind"])
    assert shown == set(KINDS)


def test_the_readme_and_the_page_for_papers_lead_there() -> None:
    assert "docs/gallery.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "gallery.md" in (DOCS / "quickstart-paper.md").read_text(encoding="utf-8")
