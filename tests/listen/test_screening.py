"""Post-screening by both rules of BS.1534-3, and of those who only click on."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from codecbench.listen.screening import CLICKED, DEAF, MISSED, screen_choices, screen_ratings

GOOD = {"reference": 100.0, "c1": 60.0, "anchor35": 20.0, "anchor70": 70.0}
Scores = Callable[[int], dict[str, float]]


def table(listeners: dict[str, Scores], trials: int = 20, time_ms: float = 20_000) -> pd.DataFrame:
    rows = [
        (who, f"t{trial}", condition, value, time_ms)
        for who, scores in listeners.items()
        for trial in range(trials)
        for condition, value in {**GOOD, **scores(trial)}.items()
    ]
    return pd.DataFrame(rows, columns=["listener", "trial", "condition", "value", "time_ms"])


def some(trials: int, **scores: float) -> Scores:
    """Return a listener who gives these scores in the first trials."""
    return lambda trial: scores if trial < trials else {}


@pytest.mark.parametrize(
    ("scores", "out"),
    [
        (some(3, reference=89), None),  # 15 % is not more than 15 %
        (some(4, reference=89), f"x: {MISSED} in 4 of 20 trials"),
        (some(20, reference=90), None),  # 90 is not below 90
        (some(3, anchor70=91), None),
        (some(4, anchor70=91), f"x: {DEAF} in 4 of 20 trials"),
        (some(20, anchor70=90), None),
        (some(20, anchor35=99), None),  # the low-range anchor has no rule
    ],
)
def test_both_rules_at_their_limits(scores: Scores, out: str | None) -> None:
    found = screen_ratings(table({f"good{n}": some(0) for n in range(4)} | {"x": scores}), "anchor70")
    assert [str(item) for item in found] == ([] if out is None else [out])


def test_items_whose_anchor_many_rate_high_do_not_count() -> None:
    high = some(10, anchor70=95)
    listeners = {f"good{n}": some(0) for n in range(5)}
    # Two of seven are over a quarter, two of eight are not.
    assert not screen_ratings(table(listeners | {"x": high, "y": high}), "anchor70")
    out = screen_ratings(table(listeners | {"more": some(0), "x": high, "y": high}), "anchor70")
    assert [item.listener for item in out] == ["x", "y"]


def test_who_breaks_both_rules_is_named_by_both() -> None:
    both = some(20, reference=50, anchor70=95)
    out = screen_ratings(table({f"good{n}": some(0) for n in range(4)} | {"x": both}), "anchor70")
    assert [(item.listener, item.rule) for item in out] == [("x", MISSED), ("x", DEAF)]


def test_clicking_on_is_seen_by_sliders_and_by_time() -> None:
    unmoved = dict.fromkeys(GOOD, 100.0)
    listeners = {f"good{n}": some(0) for n in range(4)} | {"next": lambda _: unmoved}
    out = screen_ratings(table(listeners), "anchor70")
    assert [str(item) for item in out] == [f"next: {CLICKED} in 20 of 20 trials"]
    hasty = pd.concat([table({"good": some(0)}), table({"hasty": some(0)}, time_ms=400)])
    assert [item.listener for item in screen_ratings(hasty, "anchor70")] == ["hasty"]
    unknown = table({"good": some(0)}, time_ms=float("nan"))
    assert not screen_ratings(unknown, "anchor70")


def test_clickers_do_not_save_others_from_the_second_rule() -> None:
    unmoved = dict.fromkeys(GOOD, 100.0)
    clickers: dict[str, Scores] = {f"next{n}": lambda _: unmoved for n in range(3)}
    listeners = {f"good{n}": some(0) for n in range(4)} | clickers | {"x": some(20, anchor70=95)}
    assert ("x", DEAF) in [
        (item.listener, item.rule) for item in screen_ratings(table(listeners), "anchor70")
    ]


def test_choices_are_screened_by_time() -> None:
    rows = [(who, f"t{n}", 8000 if who == "a" else 300) for who in "ab" for n in range(10)]
    out = screen_choices(pd.DataFrame(rows, columns=["listener", "trial", "time_ms"]))
    assert [str(item) for item in out] == [f"b: {CLICKED} in 10 of 10 trials"]
