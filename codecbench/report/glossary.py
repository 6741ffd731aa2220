"""What the columns of a report's tables mean, in a sentence each: for the page and for ``report.md``."""

from __future__ import annotations

from codecbench.report.table import PaperTable

MEANINGS = {
    "payload_kbps": "bits of the coded speech over its duration, from the bytes that are decoded, "
    "without container",
    "declared_kbps": "the rate that a user says of files decoded elsewhere",
    "sample_rate_khz": "the sample rate of the coded speech",
    "rtf": "real-time factor: seconds of computing for a second of speech, on this machine and one thread",
    "delay_ms": "the algorithmic delay that the codec states; a dash where it codes whole files or has none",
    "n": "utterances that were decoded",
    "failures": "utterances without decoded speech",
    "ngram_bits": "what a coder that knows the token before spends on one, its table made on other speakers",
    "codes_used": "the share of each stream's codes that occurs in this speech at all",
    "perplexity": "how many codes of a stream are effectively in use: two to the entropy of its tokens",
    "recoded_equal": "the share of tokens that stay as they are where decoded speech is coded once more",
    "recoded_n": "utterances that were coded once more",
    "entropy_kbps": "what a coder without memory would spend on tokens, its table made on other speakers",
}
"""By a column's key; the others say themselves what they are."""


def terms(*tables: PaperTable | None) -> list[tuple[str, str]]:
    """Return the heading and the meaning of each column of some tables that needs words, once each."""
    shown = {column.key: column.head for table in tables if table is not None for column in table.columns}
    return [(head, MEANINGS[key]) for key, head in shown.items() if key in MEANINGS]
