"""What a run will take is sums of given costs."""

from __future__ import annotations

import json

import pytest

from codecbench.run.estimate import Cost, Costs, Piece, expect

COSTS = Costs(
    {
        ("a", "1"): Cost({"codec": 1.0, "stoi": 0.5, "mcd": 2.0, "audio": 0.25, "other": 0.25}, 100, 1000),
        ("b", "1"): Cost({"codec": 3.0, "stoi": 0.5, "mcd": 2.0, "audio": 0.25, "other": 0.5}, 200, 500),
    },
    load_s={"a": 10.0, "b": 4.0},
    start_s=2.0,
    reference_bytes=2000,
)
BOTH = ("stoi", "mcd")
PIECES = [
    Piece("a", "1", "x", 10, BOTH, keep=True),
    Piece("a", "1", "y", 20, BOTH),
    Piece("b", "1", "x", 10, BOTH, keep=True),
    Piece("b", "1", "y", 20, ("mcd",)),
]


def test_work_is_added_up_by_codec_and_metric() -> None:
    found = expect(PIECES, COSTS, [1], stored=3)
    assert (found.cells, found.stored, found.audio_seconds) == (4, 3, 60)
    assert found.spent_s["a"] == {"codec": 30, "stoi": 15, "mcd": 60, "audio": 2.5, "other": 7.5}
    # A record that only lacks mcd is decoded again, and not scored with stoi.
    assert found.spent_s["b"] == {"codec": 90, "stoi": 5, "mcd": 60, "audio": 2.5, "other": 15}
    assert found.work_s == 287.5


def test_disk_holds_each_reference_once() -> None:
    found = expect(PIECES, COSTS, [1])
    assert found.audio_bytes == 10 * 2000 + 10 * 1000 + 10 * 500
    assert found.record_bytes == 30 * 100 + 30 * 200


@pytest.mark.parametrize(
    ("workers", "wall_s"),
    [
        (1, 2 + 14 + 287.5),
        (2, 2 + 14 + 287.5 / 2),
        # Two workers never meet one codec's only two cells, and the longest cell bounds the rest.
        (4, 2 + 7 + 20 * (3 + 2 + 0.5)),
        (100, 2 + 7 + 20 * (3 + 2 + 0.5)),
    ],
)
def test_workers_share_the_work_and_each_loads(workers: int, wall_s: float) -> None:
    assert expect(PIECES, COSTS, [workers]).wall_s == {workers: pytest.approx(wall_s)}


def test_the_table_has_hours_and_a_row_for_all() -> None:
    table = expect(PIECES, COSTS, [1]).table().set_index("codec")
    assert list(table.columns) == ["cells", "coding", "stoi", "mcd", "keeping", "other", "hours"]
    assert list(table["cells"]) == [2, 2, 4]
    assert table.loc["all", "hours"] == pytest.approx(287.5 / 3600)
    assert table.loc["b", "coding"] == pytest.approx(90 / 3600)


def test_nothing_to_do_takes_nothing() -> None:
    found = expect([], Costs({}), [2], stored=5)
    assert (found.cells, found.work_s, found.wall_s) == (0, 0, {2: 0.0})
    assert json.loads(json.dumps(found.as_json()))["stored"] == 5
