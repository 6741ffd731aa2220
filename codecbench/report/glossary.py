"""What the columns of a report's tables mean, in a sentence each: for the page and for ``report.md``."""

from __future__ import annotations

from codecbench.report.table import PaperTable

_RATE = "bits of the coded speech over its duration, from the bytes that are decoded, without container"
_DECLARED = "; a declared rate is what a user says of files decoded elsewhere"
_TOKENS = (
    ("n-gram", "what a coder that knows the token before spends on one, its table made on other speakers"),
    ("Codes used", "the share of each stream's codes that occurs in this speech at all"),
    ("Perplexity", "how many codes of a stream are effectively in use: two to the entropy of its tokens"),
    ("Stable", "the share of tokens that stay as they are where decoded speech is coded once more"),
    ("Memoryless", "what a coder without memory would spend on tokens, its table made on other speakers"),
)
_COSTS = (
    ("RTF", "real-time factor: seconds of computing for a second of speech, on this machine and one thread"),
    ("Delay", "the algorithmic delay that the codec states; a dash where it codes whole files or has none"),
    ("n, failed", "utterances that were decoded, and those that were not"),
)


def terms(table: PaperTable, *, tokens: bool, declared: bool) -> list[tuple[str, str]]:
    """Return each column of a report that needs words, with them.

    Parameters
    ----------
    table : PaperTable
        Of the scores; a rate of sampling is explained where it has one.
    tokens, declared : bool
        Whether the report has a table of tokens, and rates that a user declared.
    """
    sampling = [("Rate", "the sample rate of the coded speech")]
    return [
        ("kbit/s", _RATE + (_DECLARED if declared else "")),
        *(sampling if any(column.key == "sample_rate_khz" for column in table.columns) else []),
        *_COSTS,
        *(_TOKENS if tokens else ()),
    ]
