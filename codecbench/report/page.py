"""The HTML page: a template, one style sheet, a few scripts and the data, all in one file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from codecbench.report.table import MISSING

SCRIPTS = ("core.js", "tables.js", "chart.js", "player.js", "explorer.js", "compare.js", "main.js")
_FOLDER = files("codecbench.report") / "page_assets"


def render(context: Mapping[str, Any], template: str = "page.html", scripts: Sequence[str] = SCRIPTS) -> str:
    """Return a page for a context, see `build`; everything in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = '"use strict";\n' + "\n".join(_read(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        **context,
        missing=MISSING,
        style=Markup(_read("page.css")),
        script=Markup(script),
        script_digest=digest,
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
