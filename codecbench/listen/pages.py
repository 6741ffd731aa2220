"""What listeners get: pages of our own that work from a file, and the configuration of webMUSHRA.

webMUSHRA's YAML parser reads JSON where it stands on one line, and stops the test at stimuli over twelve
seconds or of different lengths.  It names conditions by their keys, the hidden reference ``reference``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from codecbench.files import write_atomically
from codecbench.html import embed
from codecbench.listen.key import REFERENCE, TRAINING
from codecbench.listen.plan import Plan

STIMULI = "stimuli"
RATINGS = (
    "session_test_id", "listener", "session_uuid", "trial_id", "rating_stimulus", "rating_score",
    "rating_time",
)  # fmt: skip
"""Columns of answers to MUSHRA, as webMUSHRA writes them (which adds comments)."""
CHOICES = ("session_test_id", "listener", "session_uuid", "trial", "answer", "time_ms")
"""Columns of answers to ABX."""

_ASSETS = files("codecbench.listen") / "page_assets"
_ASKED = "Your name or number, in letters and digits"
"""webMUSHRA loses all answers of a listener who writes an ampersand."""
_BEFORE = "Use headphones in a quiet room, set a comfortable volume, and leave it so. Take breaks."
_INSTRUCTIONS = {
    "mushra": (
        "You will hear versions of short utterances. Compare each with the reference and rate how good it is "
        "against it, from 0 (bad) to 100 (excellent). One of them is the reference itself: give it 100.",
        "Listen to all versions as often as you like and switch while they play. Judge the sound, not what "
        "is said. " + _BEFORE,
        "It begins with a training trial with sounds as you will hear them, which does not count.",
    ),
    "abx": (
        "In each trial X is the same as A or the same as B. Listen to all three as often as you like, switch "
        "while they play, then say which. Where you hear no difference, guess.",
        _BEFORE,
        "It begins with an easy training trial, which does not count.",
    ),
}


def page(kind: str) -> str:
    """Return the name of our own page."""
    return f"{kind}.html"


def configuration(test: str) -> str:
    """Return where webMUSHRA's configuration lies, below what listeners get."""
    return f"configs/{test}.yaml"


def write(folder: Path, test: str, told: Mapping[str, Any], plan: Plan, title: str) -> None:
    """Write the page of a test, and for MUSHRA webMUSHRA's configuration beside it."""
    kind = told["kind"]
    shown = {
        trial: {file.rpartition(".")[0]: f"{STIMULI}/{test}/{trial}/{file}" for file in planned.files}
        for trial, planned in plan.items()
    }
    trials = [_trial(kind, *item) for item in shown.items()]
    write_atomically(folder / page(kind), _page(kind, test, title, trials))
    if kind == "mushra":
        # JSON is YAML too, and needs no writer that could quote a name wrongly.
        text = json.dumps(_webmushra(test, title, shown), ensure_ascii=False)
        write_atomically(folder / configuration(test), text + "\n")


def _trial(kind: str, trial: str, clips: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"trial": trial, "clips": clips}
    return {**found, "reference": clips[REFERENCE]} if kind == "mushra" else found


def _page(kind: str, test: str, title: str, trials: Sequence[Mapping[str, Any]]) -> str:
    data = {
        "test": test, "header": RATINGS if kind == "mushra" else CHOICES,
        "training": next(trial for trial in trials if trial["trial"] == TRAINING),
        "trials": [trial for trial in trials if trial["trial"] != TRAINING],
    }  # fmt: skip
    parts = {
        "style": _asset("page.css"), "common": _asset("common.js"), "script": _asset(f"{kind}.js"),
        "instructions": "\n".join(f"  <p>{escape(text)}</p>" for text in _INSTRUCTIONS[kind]),
        "data": str(embed(data)), "title": escape(title),
    }  # fmt: skip
    text = _asset("page.html")
    for name, part in parts.items():
        text = text.replace(f"{{{{ {name} }}}}", part)
    return text


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _webmushra(test: str, title: str, shown: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    pages = {trial: _rating_page(trial, clips) for trial, clips in shown.items()}
    training = pages.pop(TRAINING)
    return {
        "testname": title, "testId": test, "bufferSize": 2048, "stopOnErrors": True,
        "showButtonPreviousPage": False, "remoteService": "service/write.php",
        "pages": [
            _text_page("welcome", "Welcome", _INSTRUCTIONS["mushra"]),
            {"type": "volume", "id": "volume", "name": "Volume", "content": "Set a comfortable volume.",
             "stimulus": training["reference"], "defaultVolume": 0.5},
            training,
            _text_page("begin", "The test begins", ["From here on all counts."]),
            ["random", *pages.values()],
            {"type": "finish", "name": "Thank you",
             "content": "Your answers are sent when you press the button.",
             "popupContent": "Your answers were sent. Thank you; you may close this page.",
             "showResults": False, "showErrors": True, "writeResults": True,
             "questionnaire": [{"type": "text", "label": _ASKED, "name": "listener"}]},
        ],
    }  # fmt: skip


def _text_page(ident: str, name: str, paragraphs: Sequence[str]) -> dict[str, Any]:
    content = "".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    return {"type": "generic", "id": ident, "name": name, "content": content}


def _rating_page(trial: str, clips: Mapping[str, str]) -> dict[str, Any]:
    training = trial == TRAINING
    return {
        "type": "mushra", "id": trial, "name": "Training" if training else "Rating",
        "content": "This trial does not count." if training else "Rate each version against the reference.",
        "showWaveform": False, "enableLooping": True, "reference": clips[REFERENCE],
        "createAnchor35": False, "createAnchor70": False,
        "stimuli": {name: path for name, path in clips.items() if name != REFERENCE},
    }  # fmt: skip
