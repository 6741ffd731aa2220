"""The effective number of speakers, and when a reader is warned of it."""

from __future__ import annotations

import pytest

from codecbench.analysis.balance import effective_speakers, remark


@pytest.mark.parametrize(
    ("counts", "effective"),
    [
        ([5], 1.0),
        ([3, 3, 3], 3.0),
        ([1, 1, 8], 100 / 66),
        ([90, *[1] * 10], 100**2 / (90**2 + 10)),
        ([], 0.0),
    ],
)
def test_effective_speakers(counts: list[int], effective: float) -> None:
    spoken = [f"s{number}" for number, count in enumerate(counts) for _ in range(count)]
    assert effective_speakers(spoken) == pytest.approx(effective)


def test_one_with_most_utterances_is_said_with_what_to_do() -> None:
    said = remark(["loud"] * 30 + [f"s{number}" for number in range(9)])
    assert "10 speakers weigh like those of 1.7" in said
    assert "--by-speaker" in said and "--limit 10 one utterance" in said
    # With so few speakers there is no interval by speaker in any case: a limit would not help.
    assert "--limit" not in remark(["loud"] * 30 + ["a", "b"])


@pytest.mark.parametrize("spoken", [[], ["a"] * 9, ["a"] * 3 + ["b"] * 2, [*"aabbccddee", "a"]])
def test_even_speakers_and_a_single_one_need_no_remark(spoken: list[str]) -> None:
    assert remark(spoken) == ""
