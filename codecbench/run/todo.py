"""What of a plan a store lacks: whole cells, and scores of metrics that were asked for later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from codecbench import contract, registry
from codecbench.errors import CodecBenchError
from codecbench.metric import Metric
from codecbench.run.cell import Task
from codecbench.run.plan import Cell, Plan
from codecbench.run.runner import missing
from codecbench.store.manifest import Manifest
from codecbench.store.store import Store


@dataclass(frozen=True)
class Todo:
    """The tasks of a plan: ``whole`` cells to compute, records to ``extend`` by scores, those that stay."""

    whole: list[Task]
    extend: list[Task]
    stored: list[Task]

    @property
    def tasks(self) -> list[Task]:
        """All that is to be computed."""
        return [*self.whole, *self.extend]

    def __str__(self) -> str:
        there = len(self.extend) + len(self.stored)
        text = f"{len(self.whole)} cells to compute" + (f", {there} stored" if there else "")
        if not self.extend:
            return text
        names = dict.fromkeys(metric.name for task in self.extend for metric in task.more)
        return f"{text}, {len(self.extend)} of them to score with {', '.join(names)} besides"


def todo(
    plan: Plan,
    store: Store,
    make: Callable[[Cell], Task],
    manifest: Manifest,
    *,
    rerun: str = "missing",
    audio: Collection[str] = (),
) -> Todo:
    """Return what is to do.

    Parameters
    ----------
    plan, store
        What was asked for, and what is there.
    make : callable
        Makes the task of a cell.
    manifest : dict
        Of the folder's run: its other metrics follow where a cell is computed again or gets another lag.
    rerun : str
        See `codecbench.run.runner.missing`.
    audio : collection of str
        Ids of the utterances whose decoded speech is kept.
    """
    others = _others(plan.metrics, manifest)
    wanted = {cell.key for cell in missing(plan, store, rerun, audio)}
    every = []
    for cell in plan:
        known = store.get(cell.key)
        follow = tuple(metric for metric in others if known and metric.name in known["scored"])
        every.append(replace(make(cell), metrics=(*plan.metrics, *follow)))
    whole = [task for task in every if task.cell.key in wanted]
    rest = [task for task in every if task.cell.key not in wanted]
    lacking = {task.cell.key: more for task in rest if (more := _lacking(task, plan, store))}
    records = store.last(lacking) if lacking else {}
    extend = [
        replace(task, known=records[task.cell.key], more=lacking[task.cell.key])
        for task in rest
        if task.cell.key in lacking
    ]
    return Todo(whole, extend, [task for task in rest if task.cell.key not in lacking])


def _lacking(task: Task, plan: Plan, store: Store) -> tuple[Metric, ...]:
    known = store.get(task.cell.key)
    if known is None or known["status"] != "ok":
        return ()
    return tuple(metric for metric in plan.metrics if metric.name not in known["scored"])


def _others(metrics: Sequence[Metric], manifest: Manifest) -> list[Metric]:
    """Return the metrics of the folder's run that were not asked for now, where they are the same here."""
    asked = {metric.name for metric in metrics}
    found = []
    for name, entry in manifest["metrics"].items():
        if name in asked:
            continue
        try:
            metric = registry.metric(name)
            if contract.signature(metric) == entry["signature"]:
                found.append(metric)
        except CodecBenchError:
            continue
    return found
