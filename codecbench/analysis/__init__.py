"""What the records of runs support: merged runs, summaries, intervals, paired tests and rate savings.

The statistics (`bootstrap`, `paired`, `bd`) take arrays and give numbers; files and codecs are left to the
callers.  The unit of resampling is the speaker: utterances of one speaker resemble each other, so that
treating them as independent would make every interval too narrow.  All randomness is seeded; the same input
gives the same output.
"""
