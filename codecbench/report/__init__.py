"""Tables, figures and the page: what a paper prints and a reader listens to."""

from __future__ import annotations

from codecbench.report.build import build

__all__ = ["build"]
