"""What stands side by side on a leaderboard: results of the same speech under the same signatures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from codecbench.analysis.leaderboard import across, boards, find
from codecbench.analysis.results import Point, Result, Score
from codecbench.errors import InvalidInput


def result(codec: str = "opus", *, dataset: str = "clean", revision: str = "aa", **scores: float) -> Result:
    """Return a result at one point; ``stoi_v2=0.9`` is a score of stoi under another signature."""
    named = {name.partition("_v")[0]: name for name in scores}
    signatures = {metric: f"{metric}|v:{name.partition('_v')[2] or 1}" for metric, name in named.items()}
    meta: dict[str, Any] = {
        "dataset": dataset,
        "revision": revision,
        "signatures": {"codec": f"{codec}|lib:1", **signatures},
    }
    point = Point("8", 8.0, 8.1, 35, {metric: Score(scores[name]) for metric, name in named.items()})
    return Result(codec, "measured", meta, (point,))


def test_scores_under_two_signatures_stand_in_two_columns() -> None:
    (board,) = boards([result(stoi=0.9), result("lyra", stoi_v2=0.8), result("spc", stoi=0.7)])
    assert [(column.head, column.signature) for column in board.columns] == [
        ("STOI (1)", "stoi|v:1"), ("STOI (2)", "stoi|v:2")
    ]  # fmt: skip
    filled = {row.codec: set(row.scores) for row in board.entrants}
    assert filled == {
        "opus": {("stoi", "stoi|v:1")},
        "lyra": {("stoi", "stoi|v:2")},
        "spc": {("stoi", "stoi|v:1")},
    }


def test_a_codec_under_two_signatures_is_two_rows() -> None:
    other = result(stoi=0.8)
    other.meta["signatures"]["codec"] = "opus|lib:2"  # type: ignore[index]
    (board,) = boards([result(stoi=0.9), other])
    assert [(row.label, row.signature) for row in board.entrants] == [
        ("opus@8", "opus|lib:1"), ("opus@8", "opus|lib:2")
    ]  # fmt: skip


def test_scores_of_one_codec_from_several_files_stand_in_one_row() -> None:
    (board,) = boards([result(stoi=0.9), result(mcd=4.0)])
    (row,) = board.entrants
    assert {recipe[0]: score.mean for recipe, score in row.scores.items()} == {"stoi": 0.9, "mcd": 4.0}


def test_sets_of_one_name_and_other_content_are_apart() -> None:
    assert len(boards([result(stoi=0.9), result(stoi=0.9, revision="bb")])) == 2


def test_over_sets_stand_only_codecs_and_scores_under_the_same_signatures() -> None:
    found = boards([
        result(stoi=0.9, mcd=4.0), result("lyra", stoi=0.8), result(dataset="other", revision="bb", stoi=0.7),
        result("lyra", dataset="other", revision="bb", stoi_v2=0.6),
        result("spc", dataset="third", revision="cc", stoi=0.5),
    ])  # fmt: skip
    (table,) = across(found)
    assert (table.column.signature, table.sets) == ("stoi|v:1", ("clean", "other", "third"))
    ((row, means),) = table.rows
    assert row.label == "opus@8"
    assert means[:2] == (0.9, 0.7)
    assert math.isnan(means[2])


def test_published_figures_are_left_out_and_counted(tmp_path: Path) -> None:
    published = {"format": 1, "codec": "dac", "kind": "published", "meta": {}, "points": []}
    (tmp_path / "published-dac.json").write_text(json.dumps(published))
    with pytest.raises(InvalidInput, match="no measured results here; make some with"):
        find([tmp_path])
    with pytest.raises(InvalidInput, match="no such file or folder"):
        find([tmp_path / "missing"])


def test_the_reference_results_make_a_board_a_set() -> None:
    results, notes = find([Path(__file__).parents[2] / "results"])
    found = {board.dataset: board for board in boards(results)}
    assert found.keys() >= {"test", "demo", "librispeech-test-other-part"}
    for board in found.values():
        assert {row.codec for row in board.entrants} >= {"pcm", "opus", "lyra", "spc"}
    assert notes == [f"{len(list((Path(__file__).parents[2] / 'results').glob('published-*.json')))} files "
                     "without signatures (published figures) enter no leaderboard"]  # fmt: skip
