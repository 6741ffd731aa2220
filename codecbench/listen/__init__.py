"""Listening tests (MUSHRA, ABX): made from a run's kept audio, read back, and tested.

``export`` writes a folder with two parts: ``listeners/`` is what listeners get, ``key.json`` says what hides
behind its names and is not for them.  For MUSHRA ``listeners/`` holds a page of our own that works from a
file, and a configuration and stimuli to lay over a webMUSHRA installation; for ABX a page of our own.
``answers`` reads what either of them saved.

Everything random is seeded, and a test is known by an id, the hash of its conditions, trials and seed, that
stands in key, configuration, pages and answers; answers of one test are never read with the key of another.

References: ITU-R BS.1534-3, 2015 (MUSHRA; post-screening in 4.1.2); ITU-R BS.1770-5, 2023 (loudness); Munson
and Gardner, JASA 22(5), 1950 (ABX); Schoeffler et al., Journal of Open Research Software 6(1), 2018
(webMUSHRA).
"""
