"""Sharding for array jobs: N tasks run a part of a plan each, into folders of their own, without a scheduler.

A shard is like an interrupted run: its manifest tells of the whole plan, its records are a part, and
`codecbench.store.merging` puts them together.  Utterances are dealt out, so that one task loads a reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from codecbench.errors import InvalidInput
from codecbench.run.plan import Plan


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, counted from 1."""

    index: int
    count: int

    def of(self, plan: Plan) -> Plan:
        """Return this part of a plan: every ``count``-th utterance, so that long ones are spread."""
        part = plan.dataset.utterances[self.index - 1 :: self.count]
        return replace(plan, dataset=replace(plan.dataset, utterances=part))

    def folder(self, out: Path) -> Path:
        """Return where this part of the run of ``out`` is written; ``out/shard-*`` are all of them."""
        return out / f"shard-{self.index:0{len(str(self.count))}d}-of-{self.count}"


def parse_shard(text: str) -> Shard | None:
    """Parse ``--shard I/N``, ``3/8`` being the third of eight; None for an empty text.

    Raises
    ------
    InvalidInput
        If it is no such fraction, or ``I`` is not from 1 to ``N``.
    """
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InvalidInput(f"shard {text!r} is not usable; give I/N with I from 1 to N, e.g. --shard 3/8")
    return Shard(int(found[1]), int(found[2]))
