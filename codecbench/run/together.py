"""Cells coded at once: utterances of like length through one codec at one point, scored one by one.

A codec that declares it (`codecbench.codec.Codec.batches`) gets several waves in one call.  Whatever goes
wrong there, these cells are computed one by one, and each has its own record as ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from codecbench.codec import DecodedFiles
from codecbench.data.sets import Utterance
from codecbench.errors import CodecBenchError
from codecbench.run import worker
from codecbench.run.cell import CODEC, Outcome, Task, compute
from codecbench.run.coding import Made, code_together
from codecbench.run.devices import own_device
from codecbench.run.plan import Plan, held_together

LIKE = 1.25
"""How much longer than its shortest the longest utterance coded at once may be: what is filled up is lost."""


def batched(plan: Plan, tasks: Sequence[Task], many: int) -> list[tuple[Task, ...]]:
    """Part tasks into what one worker gets at once: several cells of a codec that can, else one.

    Parameters
    ----------
    plan : Plan
        What the tasks are of.
    tasks : sequence of Task
        Whole cells, and records to extend, which go one by one after them.
    many : int
        Most utterances at once.

    Returns
    -------
    list of tuple of Task
        Block of utterances by block, so that codecs still share what metrics make of a reference.
    """
    able = {entry.label for entry in plan.contestants if entry.codec.batches}
    held = {
        entry.label: number for number, group in enumerate(held_together(plan.contestants)) for entry in group
    }
    blocks = {item.id: number for number, block in enumerate(_blocks(plan, many)) for item in block}
    found: dict[tuple[int, int, str, str, str], list[Task]] = {}
    for task in (task for task in tasks if task.known is None):
        cell = task.cell
        alone = "" if cell.codec in able else cell.key
        place = held[cell.codec], blocks[cell.utterance.id], cell.codec, cell.point.name, alone
        found.setdefault(place, []).append(task)
    whole = sorted(found.items(), key=lambda item: item[0][:2])
    return [*(tuple(group) for _, group in whole), *((task,) for task in tasks if task.known is not None)]


def compute_together(tasks: Sequence[Task]) -> list[Outcome]:
    """Compute cells of one codec at one point, coded at once; see `codecbench.run.cell.compute`."""
    begin = time.perf_counter()
    try:
        made = _code(tasks)
    except Exception:
        return [compute(task) for task in tasks]
    spent = (time.perf_counter() - begin) / len(tasks)
    outcomes = []
    for task, each in zip(tasks, made, strict=True):
        outcome = compute(replace(task, made=each))
        outcome.spent[CODEC] = outcome.spent.get(CODEC, 0.0) + spent
        outcome.wall_s += spent
        outcomes.append(outcome)
    return outcomes


def _code(tasks: Sequence[Task]) -> list[Made]:
    first, device = tasks[0], own_device(tasks[0].device)
    codec = worker.open_codec(first.cell, device)
    if isinstance(codec, DecodedFiles):
        raise CodecBenchError("decoded files are not coded")
    waves = [worker.at(task.cell, codec.info.sample_rate_hz) for task in tasks]
    return code_together(codec, waves, first.cell.point, device)


def _blocks(plan: Plan, many: int) -> list[list[Utterance]]:
    """Part the utterances of a plan, ordered by length, into blocks of like length."""
    blocks: list[list[Utterance]] = []
    for item in sorted(plan.dataset.utterances, key=lambda item: (item.seconds or 0.0, item.id)):
        full = not blocks or len(blocks[-1]) == many
        if full or (item.seconds or 0.0) > LIKE * (blocks[-1][0].seconds or 0.0):
            blocks.append([])
        blocks[-1].append(item)
    return blocks
