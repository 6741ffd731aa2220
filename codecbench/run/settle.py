"""Delay compensation of a codec at a point: one lag, settled from what its utterances show.

Each cell measures the lag of its own utterance; a codec has one, the median.  It is not known while the first
cells are computed, so these undo their own, later ones the median of those before them, which is an input of
the cell; where the median over all is another in the end, the cells concerned are scored again with that one.
The last records are the same whatever the order of the cells and the number of workers; only how many were
scored twice differs.  A codec in time costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from codecbench.alignment import Delay, settle
from codecbench.run.cell import Task
from codecbench.run.scoring import is_settled, read_delay
from codecbench.store.records import Record
from codecbench.store.store import Store

ENOUGH = 25
"""Utterances after which the expected lag is no longer refined."""


class Delays:
    """The delays that utterances showed, by codec and point; starts from what a store holds."""

    def __init__(self, store: Store) -> None:
        self._shown: dict[tuple[str, str], dict[str, Delay]] = {}
        for record in store.timings().values():
            self.add(record)

    def add(self, record: Record) -> None:
        """Count the newest record of a cell."""
        shown = self._shown.setdefault((record["codec"], record["point"]), {})
        if record["status"] == "ok":
            shown[record["utterance"]] = read_delay(record)
        else:
            shown.pop(record["utterance"], None)

    def expected(self, codec: str, point: str) -> Delay | None:
        """Return what the first utterances say; None where they say nothing."""
        first = settle(list(islice(self._shown.get((codec, point), {}).values(), ENOUGH)))
        return None if first.samples is None else first

    def settled(self, codec: str, point: str) -> Delay:
        """Return the one delay of a codec at a point."""
        return settle(self._shown.get((codec, point), {}).values())


def unsettled(tasks: Iterable[Task], store: Store, delays: Delays) -> list[Task]:
    """Return the tasks whose stored scores lack the settled delay undone, to be scored again."""
    settled: dict[tuple[str, str], Delay] = {}
    again: dict[str, Task] = {}
    for task in tasks:
        place = task.cell.codec, task.cell.point.name
        record = store.timings().get(task.cell.key)
        if task.align != "codec" or record is None or record["status"] != "ok":
            continue
        if place not in settled:
            settled[place] = delays.settled(*place)
        if not is_settled(record, settled[place]):
            again[task.cell.key] = replace(task, delay=settled[place], out=None, more=())
    whole = store.last(again) if again else {}
    return [replace(task, known=whole[key]) for key, task in again.items()]
