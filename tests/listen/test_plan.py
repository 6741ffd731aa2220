"""Trials of ABX are balanced in X and spread over the utterances; those of MUSHRA have one each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from codecbench.listen.choice import Chosen
from codecbench.listen.clips import Clip
from codecbench.listen.plan import abx, mushra

CLIPS = [Clip(f"u{n}", "s", Path(f"{n}.flac"), {}, 4.0) for n in range(6)]
CHOSEN = [Chosen(f"c{n}", f"codec{n}@6", 6.0, "x") for n in (1, 2, 3)]
ANCHORS = {"anchor35": 3500.0, "anchor70": 7000.0}


@pytest.mark.parametrize("trials", [10, 12, 2])
@pytest.mark.parametrize("seed", range(4))
def test_abx_is_balanced_within_each_condition(trials: int, seed: int) -> None:
    told, plan = abx(CLIPS, CHOSEN, trials, seed, ANCHORS)
    assert len(told["trials"]) == 3 * trials
    for condition in ("c1", "c2", "c3"):
        own = [item for item in told["trials"] if item["condition"] == condition]
        assert Counter(item["x"] for item in own) == {"a": trials // 2, "b": trials // 2}
        hidden = Counter(plan[item["trial"]].files["x.flac"] for item in own)
        assert hidden == {condition: trials // 2, "reference": trials // 2}
        assert Counter(item["utterance"] for item in own).most_common(1)[0][1] == -(-trials // 6)
    for item in told["trials"]:
        files = plan[item["trial"]].files
        assert files["x.flac"] == files[f"{item['x']}.flac"]
        assert {files["a.flac"], files["b.flac"]} == {"reference", item["condition"]}


def test_mushra_trains_on_an_utterance_that_is_not_judged() -> None:
    told, plan = mushra(CLIPS, CHOSEN, 5, 0, ANCHORS)
    judged = {item["utterance"] for item in told["trials"]}
    assert len(judged) == 5
    assert told["training"]["utterance"] not in judged
    assert set(plan) == {*(f"trial{n:02d}" for n in range(1, 6)), "training"}
    assert set(plan["trial01"].files.values()) == {"reference", "c1", "c2", "c3", *ANCHORS}
    # With none to spare a judged one serves.
    assert mushra(CLIPS, CHOSEN, 6, 0, ANCHORS)[0]["training"]["utterance"] in judged | {"u0", "u1"}
