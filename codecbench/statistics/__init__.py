"""What the numbers of a run support: intervals, paired tests and rate savings.

Everything takes arrays and gives numbers; files, codecs and tables are left to the callers.  The unit of
resampling is the speaker: utterances of one speaker resemble each other, so that treating them as independent
would make every interval too narrow.  All randomness is seeded; the same input gives the same output.
"""

from codecbench.statistics.bd import BdResult, Refused, bd_quality, bd_rate, compare_curves
from codecbench.statistics.bootstrap import Interval, bootstrap_mean, proportion_interval
from codecbench.statistics.paired import Comparison, compare, compare_all, holm

__all__ = [
    "BdResult",
    "Comparison",
    "Interval",
    "Refused",
    "bd_quality",
    "bd_rate",
    "bootstrap_mean",
    "compare",
    "compare_all",
    "compare_curves",
    "holm",
    "proportion_interval",
]
