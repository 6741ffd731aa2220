"""Synthesis configuration, a checkpoint's choice of how samples are made, read without torch."""

from __future__ import annotations

from dataclasses import dataclass

from codecbench.errors import InvalidInput

WAYS = ("consistency", "vocoder")
LARGEST_LOOKAHEAD = 2
LARGEST_STEPS = 1024


@dataclass(frozen=True)
class SynthesisConfig:
    """The table `synthesis` of a checkpoint's configuration; without one, these values.

    Attributes
    ----------
    way : str
        `consistency` (see `consistency`; needs no vocoder) or `vocoder`.
    steps : int
        Iterations of each block, `consistency` only, as all that follows.
    lookahead : int
        Frames of 8 ms after a block that are iterated with it: 0, 1 or 2.
    momentum : float
        Of the iteration, from 0 to 1.
    seed : int
        Of the noise that every block starts from.
    """

    way: str = "consistency"
    steps: int = 32
    lookahead: int = 2
    momentum: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise InvalidInput(f"synthesis: unknown way {self.way!r}; choose one of {', '.join(WAYS)}")
        if not 0 <= self.lookahead <= LARGEST_LOOKAHEAD:
            raise InvalidInput(f"synthesis: lookahead = {self.lookahead}; choose 0, 1 or {LARGEST_LOOKAHEAD}")
        if not (1 <= self.steps <= LARGEST_STEPS and 0.0 <= self.momentum <= 1.0 and self.seed >= 0):
            raise InvalidInput(
                f"synthesis: steps from 1 to {LARGEST_STEPS}, momentum from 0 to 1 and a seed from 0 are "
                f"needed, not {self.steps}, {self.momentum} and {self.seed}"
            )
