"""``codecbench check-published --as``: decoded files held against the figures of a codec and a set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def run(make_run: Callable[..., Path], tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", utterances=8, audio=0, codecs=("opus",), points=1, fail_every=0)


@pytest.fixture
def literature(tmp_path: Path) -> Callable[[float], Path]:
    """Return the function that writes a folder of one figure: PESQ-WB of mimi at 1.1 kbit/s on "a set"."""

    def write(mean: float) -> Path:
        folder = tmp_path / "published"
        folder.mkdir(exist_ok=True)
        score = {"mean": mean, "low": None, "high": None, "n": None, "band": None}
        point = {"point": "1.1", "nominal_kbps": 1.1, "payload_kbps": None, "n": None,
                 "scores": {"pesq-wb": score}}  # fmt: skip
        meta = {"source": "a paper", "url": "https://example.org", "dataset": "a set"}
        result = {"format": 1, "codec": "mimi", "kind": "published", "meta": meta, "points": [point]}
        (folder / "published-paper-mimi.json").write_text(json.dumps(result))
        return folder

    return write


AS = ("--as", "mimi@1.1", "--dataset", "a set")


def test_a_score_is_held_against_the_codec_and_set_named(
    cli: Callable[..., Any], run: Path, literature: Callable[[float], Path]
) -> None:
    (row,) = json.loads(cli("table", run, "--json").out)
    near = cli("check-published", run, "--published", literature(row["pesq-wb"]), *AS)
    assert (near.status, near.out) == (0, "")
    assert "on a set exist for: mimi" in near.err
    far = cli("check-published", run, "--published", literature(row["pesq-wb"] + 2), *AS)
    assert far.status == 1
    assert "mimi@1.1" in far.out and "pesq-wb" in far.out and "a paper" in far.out
    # Under its own name, on its own set, nothing is published.
    alone = cli("check-published", run, "--published", literature(row["pesq-wb"] + 2))
    assert (alone.status, "none of the codecs" in alone.err) == (0, True)


@pytest.mark.parametrize(
    ("asked", "message"),
    [("mimi@fast", "'fast' is no rate; write e.g. mimi@1.1"), ("mimi@", "exist for: mimi")],
)
def test_a_rate_may_be_left_out_but_is_a_number(
    cli: Callable[..., Any], run: Path, literature: Callable[[float], Path], asked: str, message: str
) -> None:
    answer = cli("check-published", run, "--published", literature(2.0), "--as", asked, "--dataset", "a set")
    assert answer.status == (2 if "rate" in message else 0)
    assert message in answer.err


def test_a_run_of_several_points_cannot_stand_for_one(
    cli: Callable[..., Any],
    make_run: Callable[..., Path],
    literature: Callable[[float], Path],
    tmp_path: Path,
) -> None:
    several = make_run(tmp_path / "several", utterances=2, audio=0, codecs=("opus",), points=2)
    answer = cli("check-published", several, "--published", literature(2.0), *AS)
    assert answer.status == 2
    assert "needs a run of one codec at one point; this one has opus@6, opus@8" in answer.err
